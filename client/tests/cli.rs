//! The real binary on real folders.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use insta::assert_snapshot;
use tempfile::TempDir;

/// Runs `racetrack` in `folder`.
fn racetrack(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("runs")
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("racetrack").expect("is built");
    command.current_dir(folder).env_remove("SOURCE_DATE_EPOCH").args(args);
    command
}

/// Exit code, then what was printed. The temporary folder has another name each time.
fn shown(output: &Output, folder: &Path) -> String {
    let text =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(folder.to_str().expect("UTF-8"), "[FOLDER]");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    format!("exit {}\n--- stdout\n{stdout}--- stderr\n{stderr}", output.status.code().expect("exits"))
}

/// A folder with a new plugin `my-plugin` in it.
fn with_plugin() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(racetrack(folder.path(), &["plugin", "new", "my-plugin"]).status.success());
    folder
}

fn without_digest(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let digest = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if is_digest(digest) { word.replace(digest, "[DIGEST]") } else { word.to_owned() }
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).expect("listed");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_new_plugin_has_no_mistakes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = racetrack(folder.path(), &["plugin", "new", "my-plugin"]);
    assert_snapshot!(shown(&output, folder.path()), @r#"
    exit 0
    --- stdout
    Wrote the plugin `my-plugin` to my-plugin

    Next:
      1. Write your hooks in my-plugin/src/lib.rs
      2. Declare the plugin in racetrack.toml:
             [[plugin]]
             path = "my-plugin"
      3. In a Racetrack checkout, add "my-plugin" to `members` in Cargo.toml, and run its tests:
             cargo test -p my-plugin
      4. Build Racetrack with it:
             cargo xtask build

    To give the plugin to others, run: racetrack plugin bundle my-plugin
    --- stderr
    "#);
    let output = racetrack(folder.path(), &["plugin", "check", "my-plugin"]);
    assert_snapshot!(without_digest(&shown(&output, folder.path())), @r"
    exit 0
    --- stdout
    my-plugin 0.1.0 has no mistakes
    5 files, digest [DIGEST]
    --- stderr
    ");
}

#[test]
fn a_new_plugin_overwrites_nothing() {
    let folder = with_plugin();
    let output = racetrack(folder.path(), &["plugin", "new", "my-plugin"]);
    assert_snapshot!(shown(&output, folder.path()), @r"
    exit 1
    --- stdout
    --- stderr
    error: `my-plugin` is there already and not empty; name another folder with `--dir`
    ");
    let output = racetrack(folder.path(), &["plugin", "new", "other", "--dir", "my-plugin/Cargo.toml"]);
    assert_snapshot!(shown(&output, folder.path()), @r"
    exit 1
    --- stdout
    --- stderr
    error: `my-plugin/Cargo.toml` is there already and not empty; name another folder with `--dir`
    ");
}

#[test]
fn a_bad_name_is_a_usage_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = racetrack(folder.path(), &["plugin", "new", "My_Plugin"]);
    assert_snapshot!(shown(&output, folder.path()), @r"
    exit 2
    --- stdout
    --- stderr
    error: invalid value 'My_Plugin' for '<NAME>': a plugin name must start with a lower-case ASCII letter, not with 'M'

    For more information, try '--help'.
    ");
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn a_bundle_says_where_it_is() {
    let folder = with_plugin();
    let output = racetrack(folder.path(), &["plugin", "bundle", "my-plugin"]);
    assert_snapshot!(without_digest(&shown(&output, folder.path())), @r"
    exit 0
    --- stdout
    my-plugin/my-plugin-0.1.0.zip
    my-plugin 0.1.0, 5 files, digest [DIGEST]
    --- stderr
    ");
    let output =
        racetrack(folder.path(), &["plugin", "check", "my-plugin/my-plugin-0.1.0.zip", "--format", "json"]);
    assert_snapshot!(without_digest(&shown(&output, folder.path())), @r#"
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
    let arguments = [
        "plugin",
        "bundle",
        "my-plugin",
        "--out",
        ".",
        "--out-filename",
        "x.zip",
        "--plugin-version",
        "2.0.0-rc1",
    ];
    let output = racetrack(folder.path(), &[arguments.as_slice(), &["--format", "json"]].concat());
    assert_snapshot!(without_digest(&shown(&output, folder.path())), @r#"
    exit 0
    --- stdout
    {
      "bundle": "./x.zip",
      "name": "my-plugin",
      "version": "2.0.0-rc1",
      "digest": "[DIGEST]",
      "files": 5
    }
    --- stderr
    "#);
    assert_eq!(entries(folder.path()), ["my-plugin", "x.zip"]);
}

#[test]
fn the_same_files_give_the_same_bytes_from_anywhere() {
    let folder = with_plugin();
    let plugin = folder.path().join("my-plugin");
    let bundle = |cwd: &Path, args: &[&str], name: &str| {
        let out = folder.path().to_str().expect("UTF-8");
        let output = racetrack(cwd, &[args, &["--out", out, "--out-filename", name]].concat());
        assert!(output.status.success(), "{}", shown(&output, folder.path()));
        fs_err::read(folder.path().join(name)).expect("bundled")
    };
    let first = bundle(folder.path(), &["plugin", "bundle", "my-plugin"], "1.zip");
    let old = std::fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    for name in ["Cargo.toml", "src/lib.rs"] {
        let file = std::fs::File::options().write(true).open(plugin.join(name)).expect("opened");
        file.set_times(old).expect("set");
    }
    fs_err::write(plugin.join("Cargo.lock"), "ignored").expect("written");
    fs_err::create_dir(plugin.join("target")).expect("created");
    fs_err::write(plugin.join("target/x"), "ignored").expect("written");
    assert!(bundle(&plugin, &["plugin", "bundle"], "2.zip") == first);
    fs_err::write(plugin.join("resources/more"), "not ignored").expect("written");
    assert!(bundle(&plugin, &["plugin", "bundle"], "3.zip") != first);
    fs_err::write(plugin.join(".racetrackignore"), "/resources/more\n").expect("written");
    assert!(bundle(&plugin, &["plugin", "bundle"], "4.zip") == first);
}

#[cfg(unix)]
#[test]
fn modes_and_umask_do_not_change_the_bytes() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = with_plugin();
    let bundle = |umask: &str| {
        let binary = assert_cmd::cargo::cargo_bin("racetrack");
        let script = format!("umask {umask} && exec \"$0\" plugin bundle my-plugin --out .");
        let status = std::process::Command::new("sh")
            .args(["-c", &script])
            .arg(binary)
            .current_dir(folder.path())
            .env_remove("SOURCE_DATE_EPOCH")
            .stdout(std::process::Stdio::null())
            .status()
            .expect("runs");
        assert!(status.success());
        let path = folder.path().join("my-plugin-0.1.0.zip");
        let mode = fs_err::metadata(&path).expect("bundled").permissions().mode() & 0o777;
        (fs_err::read(path).expect("bundled"), mode)
    };
    let (first, mode) = bundle("022");
    assert_eq!(mode, 0o644);
    let library = folder.path().join("my-plugin/src/lib.rs");
    fs_err::set_permissions(library, std::fs::Permissions::from_mode(0o755)).expect("set");
    let (second, mode) = bundle("077");
    assert_eq!(mode, 0o600);
    assert!(first == second);
}

#[test]
fn a_build_date_is_recorded_only_when_asked_for() {
    let folder = with_plugin();
    let manifest = |args: &[&str], epoch: Option<&str>| {
        let mut command = command(folder.path(), &["plugin", "bundle", "my-plugin"]);
        command.args(args).envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch)));
        command.assert().success();
        let bundle = fs_err::read(folder.path().join("my-plugin/my-plugin-0.1.0.zip")).expect("bundled");
        // Entries are stored, so the manifest is there as it is.
        let text = String::from_utf8_lossy(&bundle).into_owned();
        text.find("build_date: ").map(|start| text[start..].lines().next().unwrap_or_default().to_owned())
    };
    assert_eq!(manifest(&[], None), None);
    assert_eq!(manifest(&[], Some("1700000000")).as_deref(), Some("build_date: 2023-11-14T221320Z"));
    assert_eq!(manifest(&["--build-date"], Some("0")).as_deref(), Some("build_date: 1970-01-01T000000Z"));
    let now = manifest(&["--build-date"], None).expect("recorded");
    assert!(
        now.as_str() > "build_date: 2026" && now.len() == "build_date: 2023-11-14T221320Z".len(),
        "{now}"
    );
}

#[test]
fn mistakes_are_reported_and_nothing_is_written() {
    let folder = with_plugin();
    let manifest = folder.path().join("my-plugin/plugin-manifest.yaml");
    fs_err::write(manifest, "name: my-plugin\nversion: 0.1.0\ncomponets: []\n").expect("written");
    let before = entries(&folder.path().join("my-plugin"));
    let output = racetrack(folder.path(), &["plugin", "bundle", "my-plugin"]);
    assert_snapshot!(shown(&output, folder.path()), @r"
    exit 1
    --- stdout
    --- stderr
    error[manifest-unknown-key]: unknown key `componets`
     --> my-plugin/plugin-manifest.yaml:3:1
      |
    3 | componets: []
      | ^^^^^^^^^
      |
      = help: did you mean `components`?
    ");
    let output = racetrack(folder.path(), &["plugin", "check", "my-plugin", "--format", "json"]);
    assert_snapshot!(shown(&output, folder.path()), @r#"
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
          "line": 3,
          "message": "unknown key `componets`"
        }
      ]
    }
    --- stderr
    "#);
    assert_eq!(entries(&folder.path().join("my-plugin")), before);
}

#[test]
fn other_failures_name_what_failed() {
    let folder = with_plugin();
    let output = racetrack(folder.path(), &["plugin", "bundle", "absent"]);
    assert_snapshot!(shown(&output, folder.path()), @r"
    exit 1
    --- stdout
    --- stderr
    error[source-missing]: there is no such folder
    --> absent
     = help: check the path; in a declaration it is relative to the declaration's folder
    ");
    let output = racetrack(folder.path(), &["plugin", "bundle", "my-plugin", "--out", "absent"]);
    let text = shown(&output, folder.path());
    assert!(
        text.starts_with("exit 1") && text.contains("cannot write the bundle `absent/my-plugin-0.1.0.zip`"),
        "{text}"
    );
    let output = racetrack(folder.path(), &["plugin", "bundle", "my-plugin", "--plugin-version", "1.0"]);
    assert_snapshot!(shown(&output, folder.path()), @r"
    exit 2
    --- stdout
    --- stderr
    error: invalid value '1.0' for '--plugin-version <VERSION>': `1.0` is no version of the form X.Y.Z[label]

    For more information, try '--help'.
    ");
}

#[test]
fn the_help_is_written_for_strangers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = racetrack(folder.path(), &["plugin", "bundle", "--help"]);
    assert_snapshot!(shown(&output, folder.path()), @r"
    exit 0
    --- stdout
    Pack a plugin's folder into a ZIP bundle

    The folder is checked first. The same files always give the same bytes, wherever and whenever the bundle is made. Files that match a line of `.racetrackignore` (written as a `.gitignore`) are left out, and so are version control, `target/`, `Cargo.lock`, other ZIP files and what editors leave behind.

    Usage: racetrack plugin bundle [OPTIONS] [DIR]

    Arguments:
      [DIR]
              The plugin's folder
              
              [default: .]

    Options:
          --out <DIR>
              The folder to put the bundle in; it must exist [default: the plugin's folder]

          --out-filename <FILENAME>
              The file name of the bundle, ending with `.zip` [default: `NAME-VERSION.zip`]

          --plugin-version <VERSION>
              Bundle the plugin under this version instead of the one its files say

          --build-date
              Record the time of bundling in the manifest, which makes every bundle another one

          --source-date-epoch <SECONDS>
              Record this time, in seconds since 1970 UTC, in the manifest instead of the current one
              
              [env: SOURCE_DATE_EPOCH=]

          --format <FORMAT>
              How to print the result

              Possible values:
              - text: For people
              - json: For scripts: one JSON document on standard output, also when something fails
              
              [default: text]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    --- stderr
    ");
}

#[test]
fn every_shell_gets_its_completions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = racetrack(folder.path(), &["completions", shell]);
        let script = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success() && script.contains("bundle"), "{shell}: {script}");
    }
}
