//! The arrows between the packages of the checkout, as ARCHITECTURE.md draws them.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, Package};
use racetrack_structure::packages::metadata;

/// Which packages of the checkout each one may depend on, besides what tests need.
const ARROWS: &[(&str, &[&str])] = &[
    ("racetrack-macros", &[]),
    ("racetrack-core", &["racetrack-macros"]),
    ("racetrack-bundle", &["racetrack-core"]),
    ("racetrack-client", &["racetrack-bundle", "racetrack-core"]),
    ("racetrack-launcher", &[]),
    ("racetrack-composer", &["racetrack-bundle", "racetrack-core", "racetrack-launcher"]),
    ("xtask", &["racetrack-bundle", "racetrack-client", "racetrack-composer", "racetrack-core"]),
    ("racetrack-shared-features", &[]),
    ("racetrack-service", &["racetrack-core", "racetrack-shared-features"]),
    ("racetrack-store", &["racetrack-core"]),
    ("racetrack-lifecycle", &["racetrack-core", "racetrack-service", "racetrack-store"]),
    ("racetrack-image-builder", &["racetrack-core", "racetrack-service"]),
    ("racetrack-tests", &[]),
    ("racetrack-structure", &[]),
];

/// A plugin depends on core alone.
const OF_A_PLUGIN: &[&str] = &["racetrack-core"];

#[test]
fn packages_depend_only_where_an_arrow_points() {
    let metadata = metadata().expect("the workspace has metadata");
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut violations = Vec::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().expect("a manifest is in a folder");
        let is_plugin = folder.join("plugin-manifest.yaml").exists();
        let Some(allowed) = arrows.get(package.name.as_str()).copied().or(is_plugin.then_some(OF_A_PLUGIN))
        else {
            violations.push(format!("{} has no row among the arrows", package.name));
            continue;
        };
        let ours = |name: &str| metadata.packages.iter().any(|package| package.name == name);
        for name in normal_dependencies(package).filter(|name| ours(name) && !allowed.contains(name)) {
            violations.push(format!("{} must not depend on {name}", package.name));
        }
        let manifest = fs_err::read_to_string(&package.manifest_path).expect("a manifest can be read");
        if !is_plugin && !manifest.contains("[lints]\nworkspace = true") {
            violations.push(format!("{} does not inherit the lints", package.name));
        }
    }
    assert_eq!(violations, [""; 0]);
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    let normal =
        package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    normal.map(|dependency| dependency.name.as_str())
}
