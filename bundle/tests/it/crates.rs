//! Crates that are no plugins, or that would not build the same everywhere.

use insta::assert_snapshot;
use racetrack_bundle::limits;

use crate::support::{CRATE, PluginFolder};

/// What a plugin with that `Cargo.toml` gives.
fn refused(cargo_toml: impl AsRef<[u8]>) -> String {
    PluginFolder::new().with("Cargo.toml", cargo_toml).refused()
}

/// The same, for a `Cargo.toml` without mistakes and more lines.
fn refused_lines(lines: &str) -> String {
    refused(format!("{CRATE}\n{lines}\n"))
}

/// The same, for one where a part is written otherwise.
fn refused_instead(part: &str, instead: &str) -> String {
    assert!(CRATE.contains(part));
    refused(CRATE.replace(part, instead))
}

#[test]
fn missing_crate() {
    assert_snapshot!(PluginFolder::new().without("Cargo.toml").refused(), @r"
    error[crate-missing]: the plugin has no `Cargo.toml`
    --> plugin
     = help: put `Cargo.toml` and `src/lib.rs` beside `plugin-manifest.yaml`
    ");
}

#[test]
fn no_toml() {
    assert_snapshot!(refused("[package\nname = x\n"), @r"
    error[crate-syntax]: the Cargo.toml is no valid TOML: unclosed table, expected `]`
     --> plugin/Cargo.toml:1:9
      |
    1 | [package
      |         ^
      |
      = help: mend the line
    ");
}

#[test]
fn crate_not_utf8() {
    assert_snapshot!(refused(b"[package]\nname = \"\xff\"\n"), @r"
    error[not-utf8]: the file is not UTF-8: byte 19 (line 2) is wrong
    --> plugin/Cargo.toml
     = help: save the file as UTF-8
    ");
}

#[test]
fn crate_too_large() {
    assert_snapshot!(refused("#".repeat(limits::CARGO_MANIFEST_BYTES + 1)), @r"
    error[crate-too-large]: the Cargo.toml has 262145 bytes, the limit is 262144
    --> plugin/Cargo.toml
     = help: keep generated data in resource files
    ");
}

#[test]
fn no_package() {
    assert_snapshot!(refused("[dependencies]\nracetrack-core = \"0.1\"\n"), @r"
    error[crate-missing-key]: the Cargo.toml has no `[package]`
     --> plugin/Cargo.toml:1:1
      |
    1 | [dependencies]
      | ^
      |
      = help: write `[package]` with `name`, `version` and `edition`
    ");
}

#[test]
fn missing_package_keys() {
    assert_snapshot!(refused("[package]\n\n[dependencies]\nracetrack-core = \"0.1\"\n"), @r#"
    error[crate-missing-key]: the `[package]` has no `name`
     --> plugin/Cargo.toml:1:2
      |
    1 | [package]
      |  ^^^^^^^
      |
      = help: write `name = "my-plugin"`

    error[crate-missing-key]: the `[package]` has no `version`
     --> plugin/Cargo.toml:1:2
      |
    1 | [package]
      |  ^^^^^^^
      |
      = help: write `version = "1.2.3"`

    error[crate-missing-key]: the `[package]` has no `edition`
     --> plugin/Cargo.toml:1:2
      |
    1 | [package]
      |  ^^^^^^^
      |
      = help: write `edition = "2024"`
    "#);
}

#[test]
fn package_keys_of_the_wrong_type() {
    assert_snapshot!(refused_instead("edition = \"2024\"", "edition = 2024"), @r#"
    error[crate-wrong-type]: `edition` must be a text, this is a TOML integer
     --> plugin/Cargo.toml:4:11
      |
    4 | edition = 2024
      |           ^^^^
      |
      = help: write `edition = "2024"`
    "#);
}

#[test]
fn another_name() {
    assert_snapshot!(refused_instead("my-plugin", "my_plugin"), @r#"
    error[crate-name-mismatch]: the crate is called `my_plugin`, the plugin `my-plugin`
     --> plugin/Cargo.toml:2:8
      |
    2 | name = "my_plugin"
      |        ^^^^^^^^^^^
      |
      = help: write `name = "my-plugin"`, or change `name` in plugin-manifest.yaml
    "#);
}

#[test]
fn another_version() {
    assert_snapshot!(refused_instead("1.2.3", "1.2.4"), @r#"
    error[crate-version-mismatch]: the crate has version 1.2.4, the plugin 1.2.3
     --> plugin/Cargo.toml:3:11
      |
    3 | version = "1.2.4"
      |           ^^^^^^^
      |
      = help: write `version = "1.2.3"`, or change `version` in plugin-manifest.yaml
    "#);
}

#[test]
fn version_that_is_none_for_cargo() {
    assert_snapshot!(PluginFolder::new().with("plugin-manifest.yaml", "name: my-plugin\nversion: 1.2.3alpha\n").with("Cargo.toml", CRATE.replace("1.2.3", "1.2.3alpha")).refused(), @r#"
    error[crate-bad-version]: `1.2.3alpha` is no version of cargo's form: unexpected character 'a' after patch version number
     --> plugin/Cargo.toml:3:11
      |
    3 | version = "1.2.3alpha"
      |           ^^^^^^^^^^^^
      |
      = help: write `X.Y.Z` or `X.Y.Z-label`, here and in plugin-manifest.yaml
    "#);
}

#[test]
fn nested_workspace() {
    assert_snapshot!(refused_lines("[workspace]\nmembers = []"), @r"
    error[crate-nested-workspace]: a plugin's Cargo.toml must not have `[workspace]`
     --> plugin/Cargo.toml:9:2
      |
    9 | [workspace]
      |  ^^^^^^^^^
      |
      = help: remove the table: a plugin is a dependency of a generated workspace
    ");
}

#[test]
fn named_workspace() {
    assert_snapshot!(refused_instead("edition", "workspace = \"..\"\nedition"), @r#"
    error[crate-nested-workspace]: a plugin must not name a workspace
     --> plugin/Cargo.toml:4:1
      |
    4 | workspace = ".."
      | ^^^^^^^^^
      |
      = help: remove the key
    "#);
}

#[test]
fn inherited_keys() {
    assert_snapshot!(refused_lines("serde = { workspace = true }\n[lints]\nworkspace = true"), @r"
    error[crate-workspace-inheritance]: a plugin cannot inherit from a workspace: it is built outside of the one it is written in
     --> plugin/Cargo.toml:9:11
      |
    9 | serde = { workspace = true }
      |           ^^^^^^^^^
      |
      = help: write the value itself

    error[crate-workspace-inheritance]: a plugin cannot inherit from a workspace: it is built outside of the one it is written in
      --> plugin/Cargo.toml:11:1
       |
    11 | workspace = true
       | ^^^^^^^^^
       |
       = help: write the value itself
    ");
}

#[test]
fn inherited_edition() {
    assert_snapshot!(refused_instead("edition = \"2024\"", "edition.workspace = true"), @r"
    error[crate-workspace-inheritance]: a plugin cannot inherit from a workspace: it is built outside of the one it is written in
     --> plugin/Cargo.toml:4:9
      |
    4 | edition.workspace = true
      |         ^^^^^^^^^
      |
      = help: write the value itself
    ");
}

#[test]
fn patch() {
    assert_snapshot!(refused_lines("[patch.crates-io]\nserde = { path = \"serde\" }"), @r"
    error[crate-patch]: a plugin's Cargo.toml must not have `[patch]`
     --> plugin/Cargo.toml:9:2
      |
    9 | [patch.crates-io]
      |  ^^^^^
      |
      = help: depend on the replacement itself, under `[dependencies]`
    ");
}

#[test]
fn replace() {
    assert_snapshot!(refused_lines("[replace]\n\"serde:1.0.0\" = { path = \"serde\" }"), @r"
    error[crate-patch]: a plugin's Cargo.toml must not have `[replace]`
     --> plugin/Cargo.toml:9:2
      |
    9 | [replace]
      |  ^^^^^^^
      |
      = help: depend on the replacement itself, under `[dependencies]`
    ");
}

#[test]
fn profile() {
    assert_snapshot!(refused_lines("[profile.release]\nlto = true"), @r"
    error[crate-profile]: a plugin's Cargo.toml must not have `[profile]`
     --> plugin/Cargo.toml:9:2
      |
    9 | [profile.release]
      |  ^^^^^^^
      |
      = help: remove the table: cargo ignores it in a dependency; `racetrack.toml` has the profile
    ");
}

#[test]
fn dynamic_library() {
    assert_snapshot!(refused_lines("[lib]\ncrate-type = [\"cdylib\", \"rlib\"]"), @r#"
    error[crate-library-kind]: a plugin must be a plain Rust library
      --> plugin/Cargo.toml:10:1
       |
    10 | crate-type = ["cdylib", "rlib"]
       | ^^^^^^^^^^
       |
       = help: remove the key
    "#);
}

#[test]
fn procedural_macro() {
    assert_snapshot!(refused_lines("[lib]\nproc-macro = true"), @r"
    error[crate-library-kind]: a procedural macro cannot be a plugin
      --> plugin/Cargo.toml:10:1
       |
    10 | proc-macro = true
       | ^^^^^^^^^^
       |
       = help: remove the key
    ");
}

#[test]
fn no_library() {
    assert_snapshot!(PluginFolder::new().without("src/lib.rs").with("src/main.rs", "fn main() {}").refused(), @r"
    error[crate-no-library]: the crate has no library
     --> plugin/Cargo.toml:1:2
      |
    1 | [package]
      |  ^^^^^^^
      |
      = help: write the plugin in `src/lib.rs`
    ");
}

#[test]
fn missing_library_file() {
    assert_snapshot!(refused_lines("[lib]\npath = \"src/plugin.rs\""), @r#"
    error[crate-no-library]: the library's file `src/plugin.rs` is not in the source
      --> plugin/Cargo.toml:10:8
       |
    10 | path = "src/plugin.rs"
       |        ^^^^^^^^^^^^^^^
       |
       = help: name a file of the plugin, or remove `path` and write `src/lib.rs`
    "#);
}

#[test]
fn library_outside() {
    assert_snapshot!(refused_lines("[lib]\npath = \"../lib.rs\""), @r#"
    error[crate-no-library]: the library's file `../lib.rs` is not in the source
      --> plugin/Cargo.toml:10:8
       |
    10 | path = "../lib.rs"
       |        ^^^^^^^^^^^
       |
       = help: name a file of the plugin, or remove `path` and write `src/lib.rs`
    "#);
}

#[test]
fn build_script() {
    assert_snapshot!(PluginFolder::new().with("build.rs", "fn main() {}").refused(), @r"
    error[crate-build-script]: the crate has a build script, which runs while building
    --> plugin/build.rs
     = help: write `allow-build-script = true` in its `[[plugin]]` table, if you trust the plugin
    ");
}

#[test]
fn named_build_script() {
    assert_snapshot!(refused_instead("edition", "build = \"tools/make.rs\"\nedition"), @r#"
    error[crate-build-script]: the crate has a build script, which runs while building
     --> plugin/Cargo.toml:4:1
      |
    4 | build = "tools/make.rs"
      | ^^^^^
      |
      = help: write `allow-build-script = true` in its `[[plugin]]` table, if you trust the plugin
    "#);
}

#[test]
fn native_library() {
    assert_snapshot!(refused_instead("edition", "links = \"z\"\nedition"), @r#"
    error[crate-links]: a plugin must not have `links`: two versions of it could not be linked together
     --> plugin/Cargo.toml:4:1
      |
    4 | links = "z"
      | ^^^^^
      |
      = help: move the native library into a crate of its own
    "#);
}

#[test]
fn no_core() {
    assert_snapshot!(refused_instead("racetrack-core = \"0.1\"", "serde = \"1\""), @r#"
    error[crate-no-core-dependency]: the crate does not depend on `racetrack-core`
     --> plugin/Cargo.toml:6:2
      |
    6 | [dependencies]
      |  ^^^^^^^^^^^^
      |
      = help: write `racetrack-core = "0.1"` under `[dependencies]`
    "#);
}

#[test]
fn core_by_path() {
    assert_snapshot!(refused_instead("\"0.1\"", "{ path = \"../core\" }"), @r#"
    error[crate-core-source]: `racetrack-core` must have a plain version, no `path`: the build supplies its own
     --> plugin/Cargo.toml:7:1
      |
    7 | racetrack-core = { path = "../core" }
      | ^^^^^^^^^^^^^^
      |
      = help: write `racetrack-core = "0.1"` under `[dependencies]`
    "#);
}

#[test]
fn core_from_git() {
    assert_snapshot!(refused_instead("\"0.1\"", "{ version = \"0.1\", git = \"https://example.org/core\" }"), @r#"
    error[crate-core-source]: `racetrack-core` must have a plain version, no `git`: the build supplies its own
     --> plugin/Cargo.toml:7:1
      |
    7 | racetrack-core = { version = "0.1", git = "https://example.org/core" }
      | ^^^^^^^^^^^^^^
      |
      = help: write `racetrack-core = "0.1"` under `[dependencies]`
    "#);
}

#[test]
fn core_renamed_and_optional() {
    assert_snapshot!(refused_instead("racetrack-core = \"0.1\"", "sdk = { package = \"racetrack-core\", version = \"0.1\", optional = true }"), @r#"
    error[crate-core-source]: `racetrack-core` must not be renamed: the code that `#[plugin]` writes uses its name
     --> plugin/Cargo.toml:7:1
      |
    7 | sdk = { package = "racetrack-core", version = "0.1", optional = true }
      | ^^^
      |
      = help: write `racetrack-core = "0.1"` under `[dependencies]`

    error[crate-core-source]: `racetrack-core` must not be optional
     --> plugin/Cargo.toml:7:1
      |
    7 | sdk = { package = "racetrack-core", version = "0.1", optional = true }
      | ^^^
      |
      = help: write `racetrack-core = "0.1"` under `[dependencies]`
    "#);
}

#[test]
fn core_with_a_bad_version() {
    assert_snapshot!(refused_instead("\"0.1\"", "\"latest\""), @r#"
    error[crate-core-source]: `racetrack-core` has no version requirement of cargo's form: unexpected character 'l' while parsing major version number
     --> plugin/Cargo.toml:7:1
      |
    7 | racetrack-core = "latest"
      | ^^^^^^^^^^^^^^
      |
      = help: write `racetrack-core = "0.1"` under `[dependencies]`
    "#);
}

#[test]
fn other_parts_of_racetrack() {
    assert_snapshot!(refused_lines("racetrack-lifecycle = \"0.1\"\n[dev-dependencies]\nracetrack-service = { path = \"../service\" }"), @r#"
    error[crate-forbidden-dependency]: a plugin depends on `racetrack-core` alone, not on `racetrack-lifecycle`
     --> plugin/Cargo.toml:9:1
      |
    9 | racetrack-lifecycle = "0.1"
      | ^^^^^^^^^^^^^^^^^^^
      |
      = help: remove it; what plugins need is in `racetrack-core`

    error[crate-forbidden-dependency]: a plugin depends on `racetrack-core` alone, not on `racetrack-service`
      --> plugin/Cargo.toml:11:1
       |
    11 | racetrack-service = { path = "../service" }
       | ^^^^^^^^^^^^^^^^^
       |
       = help: remove it; what plugins need is in `racetrack-core`
    "#);
}

#[test]
fn path_that_leaves_the_plugin() {
    assert_snapshot!(refused_lines("shared = { path = \"../shared\" }\n[target.'cfg(unix)'.dependencies]\nother = { path = \"/other\" }"), @r#"
    error[crate-path-dependency]: the path dependency `shared` leaves the plugin's folder
     --> plugin/Cargo.toml:9:19
      |
    9 | shared = { path = "../shared" }
      |                   ^^^^^^^^^^^
      |
      = help: put the crate inside the plugin's folder, or depend on a published version

    error[crate-path-dependency]: the path dependency `other` leaves the plugin's folder
      --> plugin/Cargo.toml:11:18
       |
    11 | other = { path = "/other" }
       |                  ^^^^^^^^
       |
       = help: put the crate inside the plugin's folder, or depend on a published version
    "#);
}

#[test]
fn path_that_leads_nowhere() {
    assert_snapshot!(refused_lines("shared = { path = \"shared\" }"), @r#"
    error[crate-path-dependency]: the path dependency `shared` leads to no Cargo.toml
     --> plugin/Cargo.toml:9:19
      |
    9 | shared = { path = "shared" }
      |                   ^^^^^^^^
      |
      = help: put the crate inside the plugin's folder, or depend on a published version
    "#);
}

#[test]
fn mistakes_in_a_crate_inside() {
    assert_snapshot!(PluginFolder::new()
        .with("Cargo.toml", format!("{CRATE}macros = {{ path = \"macros\" }}\n"))
        .with("macros/Cargo.toml", "[package]\nname = \"macros\"\n[lib]\nproc-macro = true\n[dependencies]\nup = { path = \"../..\" }\nself = { path = \"..\" }\n")
        .with("macros/src/lib.rs", "")
        .refused(), @r#"
    error[crate-build-script]: the crate is a procedural macro, which runs while building
     --> plugin/macros/Cargo.toml:4:1
      |
    4 | proc-macro = true
      | ^^^^^^^^^^
      |
      = help: write `allow-build-script = true` in its `[[plugin]]` table, if you trust the plugin

    error[crate-path-dependency]: the path dependency `up` leaves the plugin's folder
     --> plugin/macros/Cargo.toml:6:15
      |
    6 | up = { path = "../.." }
      |               ^^^^^^^
      |
      = help: put the crate inside the plugin's folder, or depend on a published version
    "#);
}

#[test]
fn several_mistakes_are_reported_together() {
    assert_snapshot!(PluginFolder::new().with("plugin-manifest.yaml", "name: my-plugin\nversion: 1.3.0\npriority: x\n").with("Cargo.toml", format!("{CRATE}\n[profile.dev]\n[workspace]\n")).with("build.rs", "").refused(), @r#"
    error[manifest-wrong-type]: `priority` must be an integer, this is a text
     --> plugin/plugin-manifest.yaml:3:11
      |
    3 | priority: x
      |           ^
      |
      = help: write an integer; plugins run by ascending priority, the default is 0

    error[crate-build-script]: the crate has a build script, which runs while building
    --> plugin/build.rs
     = help: write `allow-build-script = true` in its `[[plugin]]` table, if you trust the plugin

    error[crate-version-mismatch]: the crate has version 1.2.3, the plugin 1.3.0
     --> plugin/Cargo.toml:3:11
      |
    3 | version = "1.2.3"
      |           ^^^^^^^
      |
      = help: write `version = "1.3.0"`, or change `version` in plugin-manifest.yaml

    error[crate-profile]: a plugin's Cargo.toml must not have `[profile]`
     --> plugin/Cargo.toml:9:2
      |
    9 | [profile.dev]
      |  ^^^^^^^
      |
      = help: remove the table: cargo ignores it in a dependency; `racetrack.toml` has the profile

    error[crate-nested-workspace]: a plugin's Cargo.toml must not have `[workspace]`
      --> plugin/Cargo.toml:10:2
       |
    10 | [workspace]
       |  ^^^^^^^^^
       |
       = help: remove the table: a plugin is a dependency of a generated workspace
    "#);
}

#[test]
fn other_tables_and_crates_inside_are_accepted() {
    let more = "
helper = { path = \"./helper\" }
[features]
default = []
[package.metadata.tool]
workspace = true
[lib]
crate-type = [\"rlib\"]
path = \"src/lib.rs\"
[dev-dependencies]
insta = \"1\"
[lints.rust]
unsafe_code = \"forbid\"
";
    let helper = "[package]\nname = \"helper\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let source = PluginFolder::new()
        .with("Cargo.toml", format!("{CRATE}{more}"))
        .with("helper/Cargo.toml", helper)
        .with("helper/src/lib.rs", "")
        .with("resources/template/Cargo.toml", "{{ not toml }}")
        .with(".cargo/config.toml", "[build]")
        .load();
    assert_eq!(source.map(|source| source.crate_name).as_deref(), Ok("my-plugin"));
}

#[test]
fn another_core() {
    assert_snapshot!(refused_instead("racetrack-core = \"0.1\"", "racetrack-core = \"0.2\""), @r#"
    error[crate-core-version]: plugin `my-plugin` 1.2.3 wants `racetrack-core` 0.2, this checkout has 0.1.4
     --> plugin/Cargo.toml:7:18
      |
    7 | racetrack-core = "0.2"
      |                  ^^^^^
      |
      = help: use a release of the plugin for racetrack-core 0.1; or write `racetrack-core = "0.1"` and port the plugin
    "#);
}

#[test]
fn another_core_in_any_table_that_cargo_resolves() {
    let lines = "[target.'cfg(windows)'.dependencies]\nracetrack-core = { version = \"=0.1.3\" }\n\
                 [build-dependencies.racetrack-core]\nversion = \"0.1.5\"\n\
                 [dev-dependencies]\nracetrack-core = \"7\"";
    assert_snapshot!(refused_lines(lines), @r#"
    error[crate-core-version]: plugin `my-plugin` 1.2.3 wants `racetrack-core` =0.1.3, this checkout has 0.1.4
      --> plugin/Cargo.toml:10:30
       |
    10 | racetrack-core = { version = "=0.1.3" }
       |                              ^^^^^^^^
       |
       = help: use a release of the plugin for racetrack-core 0.1; or write `racetrack-core = "0.1"` and port the plugin

    error[crate-core-version]: plugin `my-plugin` 1.2.3 wants `racetrack-core` 0.1.5, this checkout has 0.1.4
      --> plugin/Cargo.toml:12:11
       |
    12 | version = "0.1.5"
       |           ^^^^^^^
       |
       = help: use a release of the plugin for racetrack-core 0.1; or write `racetrack-core = "0.1"` and port the plugin
    "#);
}

#[test]
fn another_core_of_a_crate_inside() {
    let inner = "[package]\nname = \"inner\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[dependencies]\nracetrack-core = \"1\"\n";
    let folder = PluginFolder::new()
        .with("Cargo.toml", format!("{CRATE}inner = {{ path = \"inner\" }}\n"))
        .with("inner/Cargo.toml", inner)
        .with("inner/src/lib.rs", "");
    assert_snapshot!(folder.refused(), @r#"
    error[crate-core-version]: crate `inner` of plugin `my-plugin` 1.2.3 wants `racetrack-core` 1, this checkout has 0.1.4
     --> plugin/inner/Cargo.toml:7:18
      |
    7 | racetrack-core = "1"
      |                  ^^^
      |
      = help: use a release of the plugin for racetrack-core 0.1; or write `racetrack-core = "0.1"` and port the plugin
    "#);
}

#[test]
fn cores_that_fit() {
    for requirement in ["0", "0.1", "0.1.4", "^0.1.2", "=0.1.4", ">=0.1, <0.3", "*"] {
        let cargo_toml = CRATE.replace("\"0.1\"", &format!("\"{requirement}\""));
        assert!(PluginFolder::new().with("Cargo.toml", cargo_toml).load().is_ok(), "{requirement}");
    }
}

#[test]
fn newer_rust() {
    assert_snapshot!(refused_instead("edition", "rust-version = \"1.96\"\nedition"), @r#"
    error[crate-rust-version]: plugin `my-plugin` 1.2.3 wants Rust 1.96, this checkout has 1.95.0
     --> plugin/Cargo.toml:4:16
      |
    4 | rust-version = "1.96"
      |                ^^^^^^
      |
      = help: use an older release of the plugin, or a newer toolchain in rust-toolchain.toml
    "#);
}

#[test]
fn rust_version_that_is_none() {
    assert_snapshot!(refused_instead("edition", "rust-version = \"^1.9\"\nedition"), @r#"
    error[crate-rust-version]: `^1.9` is no Rust version
     --> plugin/Cargo.toml:4:16
      |
    4 | rust-version = "^1.9"
      |                ^^^^^^
      |
      = help: write `X.Y` or `X.Y.Z`
    "#);
}

#[test]
fn rust_that_fits() {
    for version in ["1", "1.95", "1.95.0", "1.60"] {
        let cargo_toml = CRATE.replace("edition", &format!("rust-version = \"{version}\"\nedition"));
        assert!(PluginFolder::new().with("Cargo.toml", cargo_toml).load().is_ok(), "{version}");
    }
}
