//! What a plugin's crate may be: an ordinary package that builds the same in every generated workspace.
//!
//! Configuration beside the crate (`.cargo/config.toml`, `rust-toolchain.toml`, `Cargo.lock`) is not refused: cargo
//! does not read it in a dependency.

mod compatibility;
mod dependencies;
mod package;
mod platform;
mod report;
mod rules;

use std::collections::{BTreeSet, VecDeque};

use crate::{Diagnostic, Diagnostics, Location, codes};
pub use platform::Platform;
use report::CrateReport;
pub(crate) use rules::{CrateRules, FILE_NAME};

/// Checks the plugin's crate, and each crate inside the source that it reaches by path dependencies.
pub(crate) fn check(rules: CrateRules<'_>) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if rules.files.get(FILE_NAME).is_none() {
        diagnostics.push(missing_crate(rules));
        return diagnostics;
    }
    // Folders of crates, each empty or ending with a slash.
    let mut reached = BTreeSet::from([String::new()]);
    let mut waiting = VecDeque::from([String::new()]);
    while let Some(folder) = waiting.pop_front() {
        let (found, crates_inside) = match CrateReport::open(rules, &folder) {
            Ok(report) => check_crate(report),
            Err(diagnostic) => (diagnostic.into(), Vec::new()),
        };
        diagnostics.append(found);
        waiting.extend(crates_inside.into_iter().filter(|folder| reached.insert(folder.clone())));
    }
    diagnostics
}

/// The mistakes of one crate, and the folders of the crates inside the source that it depends on.
fn check_crate(mut report: CrateReport<'_>) -> (Diagnostics, Vec<String>) {
    let text = report.text();
    let crates_inside = match report.parse(&text) {
        Some(table) => {
            package::check(&mut report, &table);
            dependencies::check(&mut report, &table)
        }
        None => Vec::new(),
    };
    (report.into_diagnostics(), crates_inside)
}

fn missing_crate(rules: CrateRules<'_>) -> Diagnostic {
    let location = Location::file(rules.shown.root());
    if rules.files.get("plugin.py").is_some() {
        let message = "this is a Python plugin of upstream Racetrack: it has a `plugin.py` and no crate";
        return Diagnostic::new(codes::UPSTREAM_PLUGIN, location, message)
            .with_help("port its hooks to Rust: `cargo xtask plugin new NAME` writes a crate to start from");
    }
    Diagnostic::new(codes::CRATE_MISSING, location, "the plugin has no `Cargo.toml`")
        .with_help("put `Cargo.toml` and `src/lib.rs` beside `plugin-manifest.yaml`")
}
