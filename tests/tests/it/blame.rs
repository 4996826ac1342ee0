//! A build that fails names the plugin it fails for, and the line that declares it.

use racetrack_tests::Sandbox;

/// A plugin with a hook that calls `f`.
const LIBRARY: &str = "use racetrack_core::{HookResult, JobTypes, Plugin};

#[derive(Default)]
pub struct Failing;

#[racetrack_core::plugin]
impl Plugin for Failing {
    async fn job_types(&self) -> HookResult<JobTypes> {
        f();
        Ok(JobTypes::new())
    }
}

";

struct Case<'a> {
    name: &'a str,
    dependencies: &'a str,
    /// Has the function `f`.
    body: &'a str,
    build_script: Option<&'a str>,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self { name: "failing", dependencies: "", body: "fn f() {}\n", build_script: None }
    }
}

/// Builds the tiny component with a plugin that is in order and these, and returns the last two lines of the answer.
fn refused(sandbox: &Sandbox, cases: &[Case<'_>]) -> String {
    let fine = Case { name: "fine", ..Case::default() };
    let mut tables = String::new();
    for case in std::iter::once(&fine).chain(cases) {
        let folder = format!("plugins/{}", case.name);
        if sandbox.path(&folder).exists() {
            fs_err::remove_dir_all(sandbox.path(&folder)).expect("a plugin can be removed");
        }
        let write = |path: &str, content: &str| sandbox.write(&format!("{folder}/{path}"), content);
        write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"{}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
                 racetrack-core = \"0.1\"\n{}\n",
                case.name, case.dependencies
            ),
        );
        write("plugin-manifest.yaml", &format!("name: {}\nversion: 1.0.0\n", case.name));
        write("src/lib.rs", &format!("{LIBRARY}{}", case.body));
        if let Some(script) = case.build_script {
            write("build.rs", script);
        }
        tables.extend(["[[plugin]]\npath = \"", &folder, "\"\nallow-build-script = true\n\n"]);
    }
    sandbox.declare_tiny(&tables);
    let finished = sandbox.xtask(&["build", "--profile", "dev", "--offline"]).failed_with(1);
    let lines: Vec<_> = finished.stderr.lines().collect();
    lines[lines.len() - 2..].join("\n")
}

#[test]
fn a_failed_build_names_the_plugin_it_fails_for() {
    let sandbox = Sandbox::new("blame");

    let mistake = Case { body: "fn f() -> u8 { \"\" }\n", ..Case::default() };
    insta::assert_snapshot!("a_mistake", refused(&sandbox, &[mistake]));

    let script =
        Some("fn main() {\n    eprintln!(\"warning: no such tool\");\n    std::process::exit(3);\n}\n");
    let scripted = Case { build_script: script, ..Case::default() };
    insta::assert_snapshot!("a_build_script", refused(&sandbox, &[scripted]));

    let body = "unsafe extern \"C\" {\n    fn missing_native();\n}\n\nfn f() {\n    unsafe { missing_native() }\n}\n";
    insta::assert_snapshot!("a_symbol", refused(&sandbox, &[Case { body, ..Case::default() }]));

    let script = Some("fn main() {\n    println!(\"cargo::rustc-link-lib=rt_no_such_library\");\n}\n");
    insta::assert_snapshot!(
        "a_library",
        refused(&sandbox, &[Case { build_script: script, ..Case::default() }])
    );

    // It does not compile unless one of its features is chosen.
    let dependencies = "flate2 = { version = \"1\", default-features = false }";
    let answer = refused(&sandbox, &[Case { dependencies, ..Case::default() }]);
    insta::with_settings!({ filters => [(r"`flate2` [0-9.]+", "`flate2` [version]")] }, {
        insta::assert_snapshot!("a_dependency", answer);
    });

    write_registry(&sandbox);
    let needs = |version: &str| format!("needed = {{ version = \"{version}\", registry = \"sandbox\" }}");
    insta::assert_snapshot!(
        "no_such_version",
        refused(&sandbox, &[Case { dependencies: &needs("99"), ..Case::default() }])
    );

    let [one, other] = ["=1.0.0", "=1.0.1"].map(needs);
    let first = Case { name: "first", dependencies: &one, ..Case::default() };
    let second = Case { name: "second", dependencies: &other, ..Case::default() };
    insta::assert_snapshot!("incompatible_versions", refused(&sandbox, &[first, second]));
}

/// Makes a folder that cargo takes for a registry with two versions of a crate, so that what cargo finds, and so what it
/// says, depends neither on a network nor on what it has downloaded before.
fn write_registry(sandbox: &Sandbox) {
    for version in ["1.0.0", "1.0.1"] {
        let folder = format!("registry/needed-{version}");
        sandbox.write(
            &format!("{folder}/Cargo.toml"),
            &format!("[package]\nname = \"needed\"\nversion = \"{version}\"\nedition = \"2024\"\n"),
        );
        sandbox.write(&format!("{folder}/src/lib.rs"), "");
        sandbox.write(&format!("{folder}/.cargo-checksum.json"), "{\"files\": {}}");
    }
    sandbox.write(
        ".cargo/config.toml",
        "[registries.sandbox]\nindex = \"sparse+https://registry.invalid/\"\n\n\
         [source.sandbox]\nregistry = \"sparse+https://registry.invalid/\"\nreplace-with = \"folder\"\n\n\
         [source.folder]\ndirectory = \"registry\"\n",
    );
}
