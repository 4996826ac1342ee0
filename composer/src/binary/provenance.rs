//! Where a component binary is from: an in-toto statement with a SLSA provenance predicate.
//!
//! It says what went in, by digest, and how it was built. No time, no host, no path of the machine: who wants these adds
//! them when signing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::binary::sbom::{package_url, pretty};
use crate::cargo::CompileOptions;
use crate::cargo::crates::{Crate, CrateSet, CrateSource};
use crate::cargo::environment::{RENAMED, SOURCE_DATE_EPOCH};
use crate::checkout::{HOST_TRIPLE, TOOLCHAIN};
use crate::description::ProfileView;
use crate::plan::PlannedComponent;

/// What this build system is called in statements.
const BUILDER: &str = "urn:racetrack:xtask";

/// What the parameters mean.
const BUILD_TYPE: &str = "urn:racetrack:build:v1";

/// What went into a binary and can be told by digest.
pub struct Materials<'a> {
    /// The crates.
    pub crates: &'a CrateSet,
    /// BLAKE3 of the crates of the checkout, hexadecimal, by folder.
    pub checkout_digests: BTreeMap<String, String>,
    /// The name of the component's lock and its SHA-256, hexadecimal.
    pub lock: (String, String),
}

/// The text of the statement for a component whose binary has this SHA-256.
pub fn generate(
    component: &PlannedComponent,
    options: &CompileOptions,
    locked: bool,
    materials: &Materials<'_>,
    binary_digest: &str,
) -> String {
    let crates = materials.crates.0.iter().filter(|one| !one.is_root());
    let crates = crates.map(|one| crate_material(one, component, materials));
    let (lock, lock_digest) = &materials.lock;
    let lock = json!({ "name": lock, "digest": { "sha256": lock_digest } });
    pretty(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": component.declaration.name, "digest": { "sha256": binary_digest } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "component": component.declaration.name,
                    "package": component.declaration.package,
                    "plugins": component.plugins.iter().map(|plugin| json!(plugin.source)).collect::<Vec<_>>(),
                    "profile": ProfileView::of(options),
                    "target": options.target(),
                    "locked": locked,
                },
                "internalParameters": {
                    "toolchain": TOOLCHAIN,
                    "host": HOST_TRIPLE,
                    "renamedPaths": RENAMED,
                    "sourceDateEpoch": SOURCE_DATE_EPOCH,
                },
                "resolvedDependencies": crates.chain([lock]).collect::<Vec<_>>(),
            },
            "runDetails": {
                "builder": { "id": BUILDER, "version": { "xtask": env!("CARGO_PKG_VERSION") } },
            },
        },
    }))
}

fn crate_material(one: &Crate, component: &PlannedComponent, materials: &Materials<'_>) -> Value {
    let mut material = json!({
        "name": format!("{} {}", one.name, one.version),
        "annotations": { "use": if one.is_linked { "linked" } else { "build" } },
    });
    if let Some(url) = package_url(one) {
        material["uri"] = json!(url);
    }
    if let Some(checksum) = &one.checksum {
        material["digest"] = json!({ "sha256": checksum });
    }
    match &one.source {
        CrateSource::Checkout(folder) => {
            material["annotations"]["checkout"] = json!(folder);
            material["digest"] = json!({ "blake3": materials.checkout_digests[folder] });
        }
        CrateSource::Plugin(folder) => {
            let plugin = component.plugins.iter().find(|plugin| plugin.folder == *folder);
            let plugin = plugin.expect("the crate of a plugin is that of a planned one");
            material["annotations"]["plugin"] = json!(plugin.source);
            material["digest"] = json!({ "blake3": plugin.digest });
        }
        CrateSource::Git(address) => {
            if let Some((_, commit)) = address.rsplit_once('#') {
                material["digest"] = json!({ "gitCommit": commit });
            }
        }
        _ => {}
    }
    material
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::crates::tests::crate_set;
    use crate::description::tests::options;
    use crate::plan::view::tests::component;

    #[test]
    fn the_statement_names_everything_that_went_in() {
        let materials = Materials {
            crates: &crate_set(),
            checkout_digests: ["core", "core/macros"]
                .map(|folder| (folder.to_owned(), "ef".repeat(32)))
                .into(),
            lock: ("locks/a.lock".to_owned(), "01".repeat(32)),
        };
        let statement = || generate(&component(), &options(), false, &materials, &"cd".repeat(32));
        insta::with_settings!({filters => [("rustc 1[^\"]*", "RUSTC"), (HOST_TRIPLE, "HOST")]}, {
            insta::assert_snapshot!("statement", statement());
        });
        assert_eq!(statement(), statement());
    }
}
