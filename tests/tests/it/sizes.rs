//! `cargo xtask sizes`: what a plugin adds to a binary is what leaves with it.

use racetrack_tests::{DocsPlugin, Sandbox};
use serde_json::Value;

/// The length of the text that only one of the plugins embeds.
const BALLAST: i64 = 100_000;

#[test]
fn what_leaves_with_a_plugin_is_its_size() {
    let sandbox = Sandbox::new("sizes");
    // Names of one length, so that nothing but the text makes a difference between the two.
    let plugins = ["alpha", "omega"].map(|name| DocsPlugin {
        name,
        manifest: "unicode-ident = \"1\"\n",
        expression: "format!(\"{:?}\", self as *const Self).chars().filter(|c| unicode_ident::is_xid_start(*c)).collect()",
        ..DocsPlugin::default()
    });
    sandbox.declare_tiny(&plugins.map(|plugin| plugin.declared(&sandbox)).concat());
    let ballast = |length: i64| {
        let text = "x".repeat(usize::try_from(length).expect("a length"));
        sandbox.write("plugins/omega/resources/ballast.txt", &text);
    };
    ballast(BALLAST);
    let _ = sandbox.xtask(&["build"]).succeeded();
    let kept =
        || ["dist/tiny", "locks/tiny.lock"].map(|path| fs_err::read(sandbox.path(path)).expect("a file"));
    let before = kept();

    let saved = sandbox.path("sizes.json");
    let saved = saved.to_string_lossy();
    let measured = sandbox.xtask(&["sizes", "--format", "json", "--save", &saved]).succeeded();
    assert_eq!(fs_err::read_to_string(&*saved).expect("it was saved"), measured.stdout);
    let measured: Value = serde_json::from_str(&measured.stdout).expect("JSON");
    let tiny = &measured["components"]["tiny"];
    let [alpha, omega] = [0, 1].map(|place| total(&tiny["plugins"][place]["bytes"]));
    assert!((BALLAST..BALLAST + 600).contains(&(omega - alpha)), "{measured:#}");
    let [shared, alone, loaded] = ["shared", "alone", "loaded"].map(|part| total(&tiny[part]));
    assert!(shared > 5_000, "the tables of the crate that both use leave with neither: {measured:#}");
    assert_eq!(alone + shared + alpha + omega, loaded);
    assert_eq!(tiny["file"].as_u64(), Some(before[0].len() as u64));

    assert_eq!(kept(), before, "measuring leaves the output folder and the lock alone");
    let again = sandbox.xtask(&["build"]).succeeded();
    assert_eq!(again.compiled_crates(), [""; 0], "the build is as it was left");

    ballast(BALLAST + 50_000);
    let compared = sandbox.xtask(&["sizes", "--compare", &saved]).succeeded();
    let change = |row: &str| {
        let line = compared.stdout.lines().find(|line| line.trim_start().starts_with(row)).expect("a row");
        line.rsplit("  ").next().expect("a column").replace(',', "").parse::<i64>().expect("a number")
    };
    // Digests are embedded too, in a list that is compressed, and compresses by some bytes more or less.
    assert!((49_800..50_200).contains(&change("omega 1.0.0")), "{}", compared.stdout);
    assert!(change("alpha 1.0.0").abs() < 200, "{}", compared.stdout);
    assert_eq!(change("(without plugins)"), 0, "{}", compared.stdout);
    assert!(!compared.stderr.contains("warning"), "{}", compared.stderr);
}

fn total(bytes: &Value) -> i64 {
    ["code", "data"].map(|kind| bytes[kind].as_i64().expect("a number")).iter().sum()
}
