//! A build does nothing exactly when nothing has changed, by content: file times decide nothing.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use racetrack_tests::checkout_copy::copy_tree;
use racetrack_tests::{DocsPlugin, Finished, Sandbox, checkout};

/// What the copy of the tiny component prints besides its listing: something of each input.
const SAYS: &str = r#"
fn says() -> String {
    let said = [
        "first",
        env!("CARGO_PKG_VERSION"),
        include_str!("../../outside.txt"),
        option_env!("SAID_BY_CARGO").unwrap_or("nothing"),
        env!("SAID_BY_SCRIPT"),
        include_str!("../resources/inside.txt"),
        include_str!("../tests/test.txt"),
        include_str!("../.hidden"),
        tiny_helper::SAID,
    ];
    said.join(" ")
}
"#;

/// What it prints at first.
const FIRST: &str = "first 0.1.0 outside nothing watched-nothing inside test hidden helper";

const SCRIPT: &str = r#"fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../watched.txt");
    println!("cargo::rerun-if-env-changed=ASKED_BY_SCRIPT");
    let watched = std::fs::read_to_string("../watched.txt").unwrap();
    let asked = std::env::var("ASKED_BY_SCRIPT").unwrap_or("nothing".to_owned());
    println!("cargo::rustc-env=SAID_BY_SCRIPT={watched}-{asked}");
}
"#;

/// A sandbox with a copy of the tiny component, and one plugin.
struct Site {
    sandbox: Sandbox,
    plugin: DocsPlugin<'static>,
}

impl Site {
    fn new(name: &str) -> Self {
        let sandbox = Sandbox::new(name);
        copy_tree(&checkout().join("tests/fixtures/tiny-component"), &sandbox.path("tiny"));
        let library = fs_err::read_to_string(sandbox.path("tiny/src/lib.rs")).expect("a library");
        let says = "    if std::env::args().nth(1).as_deref() == Some(\"says\") {\n        println!(\"{}\", says());\n        \
                    return ExitCode::SUCCESS;\n    }\n    let limit";
        assert!(library.contains("    let limit"), "{library}");
        sandbox.write("tiny/src/lib.rs", &format!("{}{SAYS}", library.replacen("    let limit", says, 1)));
        sandbox.write("tiny/build.rs", SCRIPT);
        sandbox.write("outside.txt", "outside");
        sandbox.write("watched.txt", "watched");
        for (path, text) in
            [("resources/inside.txt", "inside"), ("tests/test.txt", "test"), (".hidden", "hidden")]
        {
            sandbox.write(&format!("tiny/{path}"), text);
        }
        // Another crate of the checkout, as core is one.
        let package = "[package]\nname = \"tiny-helper\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        sandbox.write("helper/Cargo.toml", package);
        sandbox.write("helper/src/lib.rs", "pub const SAID: &str = \"helper\";\n");
        let manifest = fs_err::read_to_string(sandbox.path("tiny/Cargo.toml")).expect("a manifest");
        let dependency = "[dependencies]\ntiny-helper = { path = \"../helper\" }\n";
        sandbox.write("tiny/Cargo.toml", &manifest.replacen("[dependencies]\n", dependency, 1));
        let site = Self { sandbox, plugin: DocsPlugin::default() };
        site.declare("");
        site
    }

    fn declare(&self, rest: &str) {
        let component = "[components.tiny]\npackage = \"racetrack-tiny\"\npath = \"tiny\"\n\n";
        let plugin = self.plugin.declared(&self.sandbox);
        self.sandbox.write("racetrack.toml", &format!("{component}{plugin}{rest}"));
    }

    fn build(&self, variables: &[(&str, &str)]) -> Finished {
        self.sandbox.xtask_with(&["build", "--profile", "dev"], variables).succeeded()
    }

    /// A build that must do something. Returns what the binary prints.
    fn compiled(&self, variables: &[(&str, &str)]) -> String {
        let built = self.build(variables);
        assert!(calls_cargo(&built), "{}", built.stderr);
        self.says()
    }

    /// A build that must have nothing to do.
    fn is_fresh(&self, variables: &[(&str, &str)]) {
        let built = self.build(variables);
        assert!(built.stderr.contains("Fresh component `tiny`"), "{}", built.stderr);
        assert!(!calls_cargo(&built), "{}", built.stderr);
    }

    fn says(&self) -> String {
        let said = Finished::run(Command::new(self.sandbox.binary("tiny")).arg("says")).succeeded();
        said.stdout.trim_end().to_owned()
    }

    /// Changes a text in a file. Returns what takes the change back, with the former time, as `cp -p` does.
    fn replace(&self, path: &str, from: &str, to: &str) -> Kept {
        let kept = Kept::of(&self.sandbox, path);
        let text = std::str::from_utf8(&kept.content).expect("a text");
        assert!(text.contains(from), "{text}");
        self.sandbox.write(path, &text.replacen(from, to, 1));
        kept
    }
}

/// A file as it was.
struct Kept {
    path: std::path::PathBuf,
    content: Vec<u8>,
    time: SystemTime,
}

impl Kept {
    fn of(sandbox: &Sandbox, path: &str) -> Self {
        let path = sandbox.path(path);
        let content = fs_err::read(&path).expect("a file");
        let time = fs_err::metadata(&path).and_then(|found| found.modified()).expect("a time");
        Self { path, content, time }
    }

    /// Gives what is there now the former time.
    fn restore_time(&self) {
        set_time(&self.path, self.time);
    }

    /// Restores the former content and its time.
    fn restore(&self) {
        fs_err::write(&self.path, &self.content).expect("a file can be written");
        self.restore_time();
    }
}

fn set_time(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("a file can be opened");
    file.set_modified(time).expect("a time can be set");
}

/// Cargo ends with `Finished … target(s) in …`.
fn calls_cargo(built: &Finished) -> bool {
    built.stderr.contains("target(s) in") || !built.compiled_crates().is_empty()
}

#[test]
fn stale_component_times_mislead_nobody() {
    let site = Site::new("fingerprint-times");
    let first = FIRST;
    let changed = |from: &str, to: &str| first.replace(from, to);
    assert_eq!(site.compiled(&[]), first);
    site.is_fresh(&[]);

    let former = site.replace("tiny/src/lib.rs", "\"first\"", "\"other\"");
    former.restore_time();
    assert_eq!(site.compiled(&[]), changed("first", "other"), "a change with the former time");
    site.is_fresh(&[]);
    set_time(&former.path, SystemTime::now());
    site.is_fresh(&[]);
    former.restore();
    assert_eq!(site.compiled(&[]), first, "the former content with the former time");

    let past = former.time - Duration::from_secs(1000);
    for (path, from, to) in [
        ("tiny/Cargo.toml", "0.1.0", "0.1.1"),
        ("tiny/build.rs", "{watched}", "{watched}!"),
        ("outside.txt", "outside", "outside!"),
        ("watched.txt", "watched", "watched!"),
        ("tiny/resources/inside.txt", "inside", "inside!"),
        ("tiny/tests/test.txt", "test", "test!"),
        ("tiny/.hidden", "hidden", "hidden!"),
        ("helper/src/lib.rs", "helper", "helper!"),
    ] {
        let former = site.replace(path, from, to);
        set_time(&former.path, past);
        let expected =
            if path == "tiny/build.rs" { changed("watched", "watched!") } else { changed(from, to) };
        assert_eq!(site.compiled(&[]), expected, "{path} with an old time");
        former.restore();
        set_time(&former.path, past);
        assert_eq!(site.compiled(&[]), first, "{path} as it was, with an old time");
    }
    site.is_fresh(&[]);
}

#[test]
fn every_input_counts() {
    let site = Site::new("fingerprint-inputs");
    let sandbox = &site.sandbox;
    let first = FIRST;
    assert_eq!(site.compiled(&[]), first);

    assert_eq!(site.compiled(&[("READ_BY_NOBODY", "1")]), first);
    site.is_fresh(&[("READ_BY_NOBODY", "1")]);
    let asked = [("ASKED_BY_SCRIPT", "asked")];
    assert_eq!(site.compiled(&asked), first.replace("watched-nothing", "watched-asked"));
    assert_eq!(site.compiled(&[]), first);

    sandbox.write(".cargo/config.toml", "[env]\nSAID_BY_CARGO = \"something\"\n");
    assert_eq!(site.compiled(&[]), first.replace("nothing watched", "something watched"));
    fs_err::remove_file(sandbox.path(".cargo/config.toml")).expect("a file can be removed");
    assert_eq!(site.compiled(&[]), first);

    let said = || fs_err::read(sandbox.binary("tiny")).expect("a binary");
    let holds = |text: &str| said().windows(text.len()).any(|window| window == text.as_bytes());
    sandbox.write("plugins/docs/resources/said.txt", "the resource of a plugin");
    assert_eq!(site.compiled(&[]), first);
    assert!(holds("the resource of a plugin"));
    sandbox.write("plugins/docs/resources/said.txt", "its other resource");
    assert_eq!(site.compiled(&[]), first);
    assert!(holds("its other resource") && !holds("the resource of a plugin"));

    let lock = Kept::of(sandbox, "locks/tiny.lock");
    fs_err::remove_file(&lock.path).expect("a file can be removed");
    assert_eq!(site.compiled(&[]), first);
    assert_eq!(fs_err::read(&lock.path).expect("a lock"), lock.content);

    let length = said().len();
    site.declare("[profile.dev]\nstrip = \"symbols\"\n");
    assert_eq!(site.compiled(&[]), first);
    assert!(said().len() < length, "the symbols are gone");
    site.is_fresh(&[]);
}

#[test]
fn what_a_build_left_behind_is_restored() {
    let site = Site::new("fingerprint-outputs");
    let first = site.compiled(&[]);
    let outputs = ["dist/tiny", "dist/tiny.provenance.json", "dist/tiny.cdx.json"];
    let outputs = outputs.map(|path| Kept::of(&site.sandbox, path));
    for output in &outputs {
        fs_err::remove_file(&output.path).expect("a file can be removed");
        assert_eq!(site.compiled(&[]), first, "{} was removed", output.path.display());
        assert_eq!(fs_err::read(&output.path).expect("it is there"), output.content);
        // As long as the former content, so that neither its length nor its time tells.
        let mut other = output.content.clone();
        other.reverse();
        fs_err::write(&output.path, other).expect("a file can be written");
        output.restore_time();
        assert_eq!(site.compiled(&[]), first, "{} was overwritten", output.path.display());
        assert_eq!(fs_err::read(&output.path).expect("it is there"), output.content);
        site.is_fresh(&[]);
    }
}

#[test]
fn a_binary_of_sources_that_were_touched_meanwhile_has_no_records() {
    let site = Site::new("fingerprint-touched");
    let records = ["dist/tiny.provenance.json", "dist/tiny.cdx.json"].map(|path| site.sandbox.path(path));
    let first = site.compiled(&[]);
    assert!(records.iter().all(|record| record.exists()));

    // The build script touches a file of its crate, when cargo was given it already.
    let touching = "fn main() {\n    let source = std::fs::File::options().append(true).open(\"src/lib.rs\").unwrap();\n    \
                    source.set_modified(std::time::SystemTime::now()).unwrap();\n";
    let former = site.replace("tiny/build.rs", "fn main() {\n", touching);
    let built = site.build(&[]);
    let warning =
        "files of target/system-tests/fingerprint-touched/tiny were touched while cargo compiled them";
    assert!(built.stderr.contains(warning), "{}", built.stderr);
    assert!(site.sandbox.binary("tiny").exists() && records.iter().all(|record| !record.exists()));

    former.restore();
    assert_eq!(site.compiled(&[]), first);
    assert!(records.iter().all(|record| record.exists()));
    site.is_fresh(&[]);
}
