//! Lifecycle and image-builder compile the crates that they share with the same features, so that cargo compiles them once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use racetrack_tests::{Finished, Sandbox};
use serde_json::Value;

use super::first_party;

/// What is compiled, as far as two components may share it: package, kind of target and mode.
type Unit = (String, String, String);

/// Each set of features that a unit is compiled with. One may be compiled for build scripts and another to be linked.
type FeatureSets = BTreeMap<Unit, BTreeSet<String>>;

#[test]
fn both_components_compile_shared_crates_with_the_same_features() {
    let sandbox = first_party::built();
    let [lifecycle, image_builder] = ["lifecycle", "image-builder"].map(|name| feature_sets(&sandbox, name));
    let shared: Vec<_> = image_builder.iter().filter(|(unit, _)| lifecycle.contains_key(*unit)).collect();
    assert!(shared.len() > 100, "only {} crates are shared", shared.len());
    let differences: Vec<_> = shared
        .into_iter()
        .flat_map(|(unit, sets)| {
            let known = &lifecycle[unit];
            sets.difference(known).map(move |set| difference(unit, set, known))
        })
        .collect();
    assert!(
        differences.is_empty(),
        "cargo compiles these crates twice, and what depends on them as well:\n{}\n\
         components/shared-features/Cargo.toml has to name the features that only one component asks for",
        differences.join("\n")
    );
}

fn difference(
    (package, kind, mode): &Unit,
    of_image_builder: &str,
    of_lifecycle: &BTreeSet<String>,
) -> String {
    let of_lifecycle: Vec<_> = of_lifecycle.iter().map(|set| format!("[{set}]")).collect();
    format!(
        "{package} ({kind}, {mode}): image-builder has [{of_image_builder}], lifecycle has {}",
        of_lifecycle.join(" and ")
    )
}

/// The features of all that cargo compiles for a component that was built.
fn feature_sets(sandbox: &Sandbox, component: &str) -> FeatureSets {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--locked", "--offline", "--unit-graph", "-Z", "unstable-options"]);
    // The graph of units is shown to nightly toolchains, or on this word; nothing is built.
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(sandbox.path(format!(".racetrack/{component}")));
    let graph = Finished::run(&mut command).succeeded().stdout;
    let graph: Value = serde_json::from_str(&graph).expect("JSON");
    let mut sets = FeatureSets::new();
    for unit in graph["units"].as_array().expect("a list") {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let list = |value: &Value| value.as_array().expect("a list").iter().map(text).collect::<Vec<_>>();
        let kind = list(&unit["target"]["kind"]).join(" and ");
        let key = (text(&unit["pkg_id"]), kind, text(&unit["mode"]));
        sets.entry(key).or_default().insert(list(&unit["features"]).join(", "));
    }
    sets
}
