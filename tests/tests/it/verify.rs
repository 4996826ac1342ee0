//! `cargo xtask verify`: equal binaries are called equal, and what makes them differ is named.

use racetrack_tests::{DocsPlugin, Finished, Sandbox};

#[test]
fn ten_bundles_verify() {
    let sandbox = Sandbox::new("verified-bundles");
    let names: Vec<_> = (0..10).map(|number| format!("docs-{number}")).collect();
    let tables = names.iter().map(|name| {
        let expression = format!("{name:?}.repeat(2)");
        let _ = DocsPlugin { name, expression: &expression, ..DocsPlugin::default() }.declared(&sandbox);
        sandbox.pack(&format!("plugins/{name}"));
        format!("[[plugin]]\nzip = \"bundles/{name}-1.0.0.zip\"\n\n")
    });
    sandbox.declare_tiny(&tables.collect::<String>());
    let verified = sandbox.xtask_from_removed_file(&["verify"]).succeeded();
    assert!(verified.stderr.contains("Verified component `tiny`: "), "{}", verified.stderr);
}

#[test]
fn a_path_of_the_machine_is_refused_with_the_plugin_that_brings_it() {
    let sandbox = Sandbox::new("verified-path");
    let expression = "env!(\"CARGO_MANIFEST_DIR\").to_owned()";
    sandbox.declare_tiny(
        &DocsPlugin { name: "traveller", expression, ..DocsPlugin::default() }.declared(&sandbox),
    );
    let refused = sandbox.xtask(&["build"]).failed_with(1);
    insta::assert_snapshot!(said(&refused), @r"
    error: component `tiny` was not built
      caused by: the binary was not put into target/system-tests/verified-path/dist: a path of this machine, from plugin `traveller` 1.0.0 (plugins/traveller, declared at racetrack.toml:6)
      caused by: the binary holds `[checkout]/`, a path of this machine, in `[…]
    ");
}

#[test]
fn what_differs_from_build_to_build_is_named() {
    let sandbox = Sandbox::new("verified-moments");
    let timestamp = DocsPlugin {
        name: "timestamp",
        expression: "env!(\"BUILT_AT\").to_owned()",
        build_script: Some(
            "fn main() {\n    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);\n    \
             println!(\"cargo::rustc-env=BUILT_AT={}\", now.expect(\"after 1970\").as_nanos());\n}\n",
        ),
        ..DocsPlugin::default()
    };
    let dice = DocsPlugin {
        name: "dice",
        items: "dice_macro::constants!();",
        expression: "format!(\"{:?}\", [A, B, C, D, E, F, G, H])",
        manifest: "dice-macro = { path = \"dice-macro\" }\n",
        has_macro: true,
        ..DocsPlugin::default()
    };
    // The second build has another time zone, and what it is made of is asked for from here.
    let expression = "option_env!(\"TZ\").unwrap_or_default().to_owned()";
    let zone = DocsPlugin { name: "zone", expression, ..DocsPlugin::default() };
    let fair = DocsPlugin { name: "fair", ..DocsPlugin::default() };
    sandbox.declare_tiny(&[timestamp, fair, dice, zone].map(|plugin| plugin.declared(&sandbox)).concat());
    sandbox.write(
        "plugins/dice/dice-macro/Cargo.toml",
        "[package]\nname = \"dice-macro\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[lib]\nproc-macro = true\n",
    );
    sandbox.write(
        "plugins/dice/dice-macro/src/lib.rs",
        "use std::collections::HashMap;\n\nuse proc_macro::TokenStream;\n\n#[proc_macro]\n\
         pub fn constants(_: TokenStream) -> TokenStream {\n    \
         let names: HashMap<char, ()> = \"ABCDEFGH\".chars().map(|name| (name, ())).collect();\n    \
         let lines = names.keys().enumerate().map(|(value, name)| format!(\"const {name}: usize = {value};\"));\n    \
         lines.collect::<String>().parse().expect(\"Rust\")\n}\n",
    );
    let refused = sandbox.xtask(&["verify"]).failed_with(1);
    insta::assert_snapshot!(said(&refused), @r"
    error: component `tiny` differs from byte […]
      tiny: crate `dice 1.0.0 (plugins/dice-1.0.0-8979e628492d)`: a macro gives it other code each time, probably because of the order of a hash map: dice-macro 1.0.0 (plugins/dice-1.0.0-8979e628492d/dice-macro)
      tiny: crate `timestamp 1.0.0 (plugins/timestamp-1.0.0-b6478bd5d1c8)`: its build script puts out something else each time: `BUILT_AT`
      tiny: crate `zone 1.0.0 (plugins/zone-1.0.0-60bd7964b560)`: its sources use something of the machine or of the moment, such as a path, a time or an environment variable
    error: not reproducible: tiny; the copies are kept in target/system-tests/verified-moments/.racetrack/verify
    ");
}

/// The errors and their notes, without what is different in each run.
fn said(finished: &Finished) -> String {
    let start = finished.stderr.find("error: ").expect("an error");
    let lines = finished.stderr[start..].lines().map(|line| {
        let cut = [" from byte ", ", in `"]
            .into_iter()
            .find_map(|cut| line.split_once(cut).map(|(kept, _)| (kept, cut)));
        cut.map_or_else(|| format!("{line}\n"), |(kept, cut)| format!("{kept}{cut}[…]\n"))
    });
    let checkout = racetrack_tests::checkout();
    lines.collect::<String>().replace(&*checkout.to_string_lossy(), "[checkout]")
}
