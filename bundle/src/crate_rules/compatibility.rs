//! Whether a plugin and the checkout that builds it fit: what the plugin asks for, and what there is.

use std::ops::Range;

use semver::{Version, VersionReq};
use toml::de::DeTable;

use super::report::CrateReport;
use crate::codes;

/// Refuses a requirement on racetrack-core that the core of the checkout does not meet. Cargo would take another core
/// from a registry, or say that there is none; either is hard to read.
pub(super) fn check_core(
    report: &mut CrateReport<'_>,
    requirement: &VersionReq,
    written: &str,
    range: Range<usize>,
) {
    let Some(platform) = report.rules.platform else { return };
    if requirement.matches(&platform.core) {
        return;
    }
    let available = &platform.core;
    let message = format!(
        "{} wants `racetrack-core` {}, this checkout has {available}",
        subject(report),
        written.escape_debug()
    );
    let portable = format!("{}.{}", available.major, available.minor);
    let help = format!(
        "use a release of the plugin for racetrack-core {portable}; or write `racetrack-core = \"{portable}\"` and \
         port the plugin"
    );
    report.report(codes::CRATE_CORE_VERSION, range, message, help);
}

/// Refuses a `rust-version` that is newer than the compiler of the checkout.
pub(super) fn check_rust(report: &mut CrateReport<'_>, package: &DeTable<'_>) {
    let Some(platform) = report.rules.platform else { return };
    let Some((range, written)) =
        package.get("rust-version").and_then(|value| Some((value.span(), value.get_ref().as_str()?)))
    else {
        return;
    };
    let Some(wanted) = rust_version(written) else {
        let message = format!("`{}` is no Rust version", written.escape_debug());
        let help = "write `X.Y` or `X.Y.Z`";
        return report.report(codes::CRATE_RUST_VERSION, range, message, help);
    };
    // A nightly counts as the release it becomes, as for cargo.
    let rust = &platform.rust;
    let available = Version::new(rust.major, rust.minor, rust.patch);
    if wanted > available {
        let message = format!("{} wants Rust {written}, this checkout has {rust}", subject(report));
        let help = "use an older release of the plugin, or a newer toolchain in rust-toolchain.toml";
        report.report(codes::CRATE_RUST_VERSION, range, message, help);
    }
}

fn subject(report: &CrateReport<'_>) -> String {
    let plugin = report.rules.manifest;
    let plugin = plugin.map_or_else(
        || "the plugin".to_owned(),
        |found| format!("plugin `{}` {}", found.name, found.version),
    );
    let folder = report.folder.trim_end_matches('/');
    if folder.is_empty() { plugin } else { format!("crate `{}` of {plugin}", folder.escape_debug()) }
}

/// One to three numbers; absent ones are 0.
fn rust_version(text: &str) -> Option<Version> {
    let numbers: Option<Vec<u64>> = text.split('.').map(|number| number.parse().ok()).collect();
    match numbers?[..] {
        [major] => Some(Version::new(major, 0, 0)),
        [major, minor] => Some(Version::new(major, minor, 0)),
        [major, minor, patch] => Some(Version::new(major, minor, patch)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_versions_may_be_short() {
        assert_eq!(rust_version("1.95"), Some(Version::new(1, 95, 0)));
        assert_eq!(rust_version("1.95.2"), Some(Version::new(1, 95, 2)));
        assert_eq!(rust_version("2"), Some(Version::new(2, 0, 0)));
        for wrong in ["", "1.", "^1.95", "1.95.0-nightly", "1.2.3.4"] {
            assert_eq!(rust_version(wrong), None, "{wrong}");
        }
    }
}
