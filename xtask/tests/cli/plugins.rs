//! `plugin new`, `plugin check` and `plugin bundle`. What they do is tested with `racetrack-client`; here is what xtask makes
//! of it: names, streams and exit codes.

use clap::{FromArgMatches as _, Subcommand as _};
use fs_err as fs;
use racetrack_client::{PluginCommand, Program, Sample};

use crate::sandbox::{Outcome, Sandbox};

fn plugin(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run_undeclared(&[&["plugin"], arguments].concat())
}

/// A sandbox with a new plugin `my-plugin` in it.
fn with_plugin() -> Sandbox {
    let sandbox = Sandbox::new();
    let outcome = plugin(&sandbox, &["new", "my-plugin"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    sandbox
}

/// The same, with a mistake in the plugin's manifest.
fn with_mistake() -> Sandbox {
    let sandbox = with_plugin();
    sandbox.edit("my-plugin/plugin-manifest.yaml", "components:", "componets:");
    sandbox
}

/// A sandbox with a new plugin and its bundle, and the path of the bundle.
fn with_bundle() -> (Sandbox, &'static str) {
    let sandbox = with_plugin();
    let outcome = plugin(&sandbox, &["bundle", "my-plugin"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    (sandbox, "my-plugin/my-plugin-0.1.0.zip")
}

/// Exit code, then what was printed, without digests.
fn shown(outcome: &Outcome) -> String {
    let Outcome { code, stdout, stderr } = outcome;
    format!("exit {code}\n--- stdout\n{}--- stderr\n{stderr}", without_digests(stdout))
}

fn without_digests(text: &str) -> String {
    let is_digest = |word: &&str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_digest);
    words.fold(text.to_owned(), |text, digest| text.replace(digest, "[DIGEST]"))
}

#[test]
fn a_new_plugin_is_told_how_to_go_on_with_xtask() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["new", "my-plugin", "--dir", "plugins/mine"])), @r#"
    exit 0
    --- stdout
    Wrote the plugin `my-plugin` to plugins/mine

    Next:
      1. Write your hooks in plugins/mine/src/lib.rs
      2. Declare the plugin in racetrack.toml:
             [[plugin]]
             path = "plugins/mine"
      3. In a Racetrack checkout, add "plugins/mine" to `members` in Cargo.toml, and run its tests:
             cargo test -p my-plugin
      4. Build Racetrack with it:
             cargo xtask build

    To give the plugin to others, run: cargo xtask plugin bundle plugins/mine
    --- stderr
    "#);
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["new", "my-plugin", "--dir", "plugins/mine"])), @r"
    exit 1
    --- stdout
    --- stderr
    error: `plugins/mine` is there already and not empty; name another folder with `--dir`
    ");
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["new", "My_Plugin"])), @r"
    exit 2
    --- stdout
    --- stderr
    error: invalid value 'My_Plugin' for '<NAME>': a plugin name must start with a lower-case ASCII letter, not with 'M'

    For more information, try '--help'.
    ");
}

#[test]
fn a_plugin_without_mistakes_passes() {
    let sandbox = with_plugin();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["check", "my-plugin"])), @r"
    exit 0
    --- stdout
    my-plugin 0.1.0 has no mistakes
    5 files, digest [DIGEST]
    --- stderr
    ");
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["check", "my-plugin", "--format", "json"])), @r#"
    exit 0
    --- stdout
    {
      "name": "my-plugin",
      "version": "0.1.0",
      "digest": "[DIGEST]",
      "files": 5
    }
    --- stderr
    "#);
}

#[test]
fn mistakes_look_like_those_of_a_declaration() {
    let sandbox = with_mistake();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["check", "my-plugin"])), @r"
    exit 1
    --- stdout
    --- stderr
    error[manifest-unknown-key]: unknown key `componets`
     --> my-plugin/plugin-manifest.yaml:8:1
      |
    8 | componets: [lifecycle]
      | ^^^^^^^^^
      |
      = help: did you mean `components`?

    error: 1 mistake found
    ");
}

#[test]
fn scripts_find_failures_on_standard_output() {
    let sandbox = with_mistake();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["check", "my-plugin", "--format", "json"])), @r#"
    exit 1
    --- stdout
    {
      "diagnostics": [
        {
          "code": "manifest-unknown-key",
          "column": 1,
          "file": "my-plugin/plugin-manifest.yaml",
          "help": [
            "did you mean `components`?"
          ],
          "line": 8,
          "message": "unknown key `componets`"
        }
      ]
    }
    --- stderr
    "#);
    let (sandbox, bundle) = with_bundle();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["bundle", bundle, "--format", "json"])), @r#"
    exit 1
    --- stdout
    {
      "error": "`my-plugin/my-plugin-0.1.0.zip` is a bundle already; name the plugin's folder"
    }
    --- stderr
    "#);
}

#[test]
fn other_failures_look_like_those_of_xtask() {
    let (sandbox, bundle) = with_bundle();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["bundle", bundle])), @r"
    exit 1
    --- stdout
    --- stderr
    error: `my-plugin/my-plugin-0.1.0.zip` is a bundle already; name the plugin's folder
    ");
    let outcome = plugin(&sandbox, &["bundle", "my-plugin", "--out", "absent"]);
    let expected = "error: cannot write the bundle `absent/my-plugin-0.1.0.zip`\n  caused by: ";
    assert!(outcome.code == 1 && outcome.stderr.starts_with(expected), "{}", outcome.stderr);
}

#[test]
fn a_bundle_has_the_bytes_that_the_library_gives() {
    let sandbox = with_plugin();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["bundle", "my-plugin"])), @r"
    exit 0
    --- stdout
    my-plugin/my-plugin-0.1.0.zip
    my-plugin 0.1.0, 5 files, digest [DIGEST]
    --- stderr
    ");
    let (source, out) = (sandbox.path("my-plugin"), sandbox.path("."));
    let arguments = ["racetrack", "bundle", &source.to_string_lossy(), "--out", &out.to_string_lossy()];
    let parser = PluginCommand::augment_subcommands(clap::Command::new("racetrack"));
    let command = PluginCommand::from_arg_matches(&parser.get_matches_from(arguments));
    let command = command.expect("the arguments fit");
    let program = Program { name: "racetrack", sample: Sample::Carried(&[]) };
    let _ = racetrack_client::run(&command, &program).expect("the plugin has no mistakes");
    let bundle = |path: &str| fs::read(sandbox.path(path)).expect("the bundle is readable");
    assert!(bundle("my-plugin/my-plugin-0.1.0.zip") == bundle("my-plugin-0.1.0.zip"));
}

#[test]
fn the_help_names_the_command_that_was_typed() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(shown(&plugin(&sandbox, &["--help"])), @r"
    exit 0
    --- stdout
    Write, check and bundle plugins

    A plugin is a Rust crate with a `plugin-manifest.yaml` beside its `Cargo.toml`. It becomes part of Racetrack when a `racetrack.toml` declares it and `cargo xtask build` is run.

    Usage: cargo xtask plugin [OPTIONS] <COMMAND>

    Commands:
      new     Write a new plugin to start from
      bundle  Pack a plugin's folder into a ZIP bundle
      check   Check a plugin's folder or bundle and write nothing

    Options:
          --declaration <PATH>
              The declaration to build from; its sources are relative to its folder [default: the checkout's racetrack.toml]

      -q, --quiet
              Print nothing but errors and what was asked for

          --offline
              Do not use the network: neither for plugin sources nor for crates

      -h, --help
              Print help (see a summary with '-h')
    --- stderr
    ");
    let help = plugin(&sandbox, &["new", "--help"]).stdout;
    assert!(help.contains("Usage: cargo xtask plugin new [OPTIONS] <NAME>"), "{help}");
}
