//! The dependencies: racetrack-core in its portable form, and no way out of the plugin's folder.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::compatibility;
use super::report::CrateReport;
use super::rules::FILE_NAME;
use crate::codes;

/// The SDK: the one part of Racetrack that plugins depend on.
const CORE: &str = "racetrack-core";

/// The other parts, which are no business of plugins.
const FORBIDDEN: [&str; 7] = [
    "racetrack-bundle",
    "racetrack-client",
    "racetrack-image-builder",
    "racetrack-lifecycle",
    "racetrack-macros",
    "racetrack-service",
    "xtask",
];

/// The tables of dependencies, in each of cargo's spellings.
const TABLES: [&str; 5] =
    ["dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies"];

/// Keys that take a dependency from elsewhere than the default registry.
const SOURCE_KEYS: [&str; 7] = ["path", "git", "branch", "tag", "rev", "registry", "registry-index"];

/// Checks all dependencies; returns the folders, inside the source, of the crates they lead to.
pub(super) fn check(report: &mut CrateReport<'_>, manifest: &DeTable<'_>) -> Vec<String> {
    let mut crates_inside = Vec::new();
    for (name, table) in dependency_tables(manifest) {
        for (key, value) in table {
            let dependency = Dependency::new(key, value);
            check_racetrack_parts(report, &dependency, name);
            crates_inside.extend(check_path(report, &dependency));
        }
    }
    let has_core = manifest
        .get("dependencies")
        .and_then(|table| table.get_ref().as_table())
        .is_some_and(|table| table.iter().any(|(key, value)| Dependency::new(key, value).package == CORE));
    if report.is_plugin() && !has_core {
        let range = manifest.get_key_value("dependencies").map_or(0..0, |(key, _)| key.span());
        let message = format!("the crate does not depend on `{CORE}`");
        report.report(codes::CRATE_NO_CORE_DEPENDENCY, range, message, core_help());
    }
    crates_inside
}

struct Dependency<'t> {
    /// The name in the crate's code.
    key: &'t str,
    /// The name of the package.
    package: &'t str,
    range: Range<usize>,
    value: &'t Spanned<DeValue<'t>>,
    table: Option<&'t DeTable<'t>>,
}

impl<'t> Dependency<'t> {
    fn new(key: &'t Spanned<std::borrow::Cow<'t, str>>, value: &'t Spanned<DeValue<'t>>) -> Self {
        let table = value.get_ref().as_table();
        let renamed =
            table.and_then(|table| table.get("package")).and_then(|package| package.get_ref().as_str());
        let key_text: &str = key.get_ref();
        Self { key: key_text, package: renamed.unwrap_or(key_text), range: key.span(), value, table }
    }

    fn text(&self, key: &str) -> Option<(Range<usize>, &'t str)> {
        let value = self.table?.get(key)?;
        value.get_ref().as_str().map(|text| (value.span(), text))
    }
}

fn dependency_tables<'t>(manifest: &'t DeTable<'t>) -> Vec<(&'static str, &'t DeTable<'t>)> {
    let targets = manifest.get("target").and_then(|targets| targets.get_ref().as_table());
    let targets =
        targets.into_iter().flat_map(DeTable::values).filter_map(|target| target.get_ref().as_table());
    let roots = std::iter::once(manifest).chain(targets);
    roots
        .flat_map(|root| TABLES.map(|name| (name, root.get(name))))
        .filter_map(|(name, table)| Some((name, table?.get_ref().as_table()?)))
        .collect()
}

fn check_racetrack_parts(report: &mut CrateReport<'_>, dependency: &Dependency<'_>, table: &str) {
    if FORBIDDEN.contains(&dependency.package) {
        let message = format!("a plugin depends on `{CORE}` alone, not on `{}`", dependency.package);
        let help = format!("remove it; what plugins need is in `{CORE}`");
        return report.report(codes::CRATE_FORBIDDEN_DEPENDENCY, dependency.range.clone(), message, help);
    }
    if dependency.package != CORE {
        return;
    }
    let mut refuse = |message: String| {
        report.report(codes::CRATE_CORE_SOURCE, dependency.range.clone(), message, core_help());
    };
    if dependency.key != CORE {
        refuse(format!("`{CORE}` must not be renamed: the code that `#[plugin]` writes uses its name"));
    }
    let elsewhere =
        SOURCE_KEYS.into_iter().find(|key| dependency.table.is_some_and(|table| table.contains_key(*key)));
    let comes_from_elsewhere = elsewhere.is_some();
    if let Some(key) = elsewhere {
        refuse(format!("`{CORE}` must have a plain version, no `{key}`: the build supplies its own"));
    }
    let is_set = |key| dependency.table.and_then(|table| table.get(key)?.get_ref().as_bool()) == Some(true);
    if table == "dependencies" && is_set("optional") {
        refuse(format!("`{CORE}` must not be optional"));
    }
    let plain = dependency.value.get_ref().as_str().map(|version| (dependency.value.span(), version));
    let version = plain.or_else(|| dependency.text("version"));
    match version.map(|(range, version)| (range, version, semver::VersionReq::parse(version))) {
        // Nobody resolves what the tests of a dependency need.
        Some((_, _, Ok(_))) if table.starts_with("dev") => {}
        Some((range, version, Ok(requirement))) => {
            compatibility::check_core(report, &requirement, version, range);
        }
        Some((_, _, Err(error))) => {
            refuse(format!("`{CORE}` has no version requirement of cargo's form: {error}"));
        }
        // Reported already: what comes from elsewhere needs no version, and inheriting is refused for every key.
        None if comes_from_elsewhere || is_set("workspace") => {}
        None => refuse(format!("`{CORE}` has no version")),
    }
}

/// The folder of the crate that a path dependency leads to.
fn check_path(report: &mut CrateReport<'_>, dependency: &Dependency<'_>) -> Option<String> {
    let (range, path) = dependency.text("path")?;
    // Already refused for having a path at all.
    if dependency.package == CORE || FORBIDDEN.contains(&dependency.package) {
        return None;
    }
    let help = "put the crate inside the plugin's folder, or depend on a published version";
    let Some(folder) = resolved(&report.folder, path) else {
        let message =
            format!("the path dependency `{}` leaves the plugin's folder", dependency.key.escape_debug());
        report.report(codes::CRATE_PATH_DEPENDENCY, range, message, help);
        return None;
    };
    if report.rules.files.get(&format!("{folder}{FILE_NAME}")).is_none() {
        let message =
            format!("the path dependency `{}` leads to no Cargo.toml", dependency.key.escape_debug());
        report.report(codes::CRATE_PATH_DEPENDENCY, range, message, help);
        return None;
    }
    Some(folder)
}

/// `path` seen from `folder`, empty or ending with a slash; nothing if it leaves the source.
fn resolved(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains(['\\', ':']) {
        return None;
    }
    let mut components: Vec<_> = folder.split('/').filter(|component| !component.is_empty()).collect();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop()?;
            }
            _ => components.push(component),
        }
    }
    let mut folder = components.join("/");
    if !folder.is_empty() {
        folder.push('/');
    }
    Some(folder)
}

fn core_help() -> String {
    format!("write `{CORE} = \"{}.{}\"` under `[dependencies]`", core_version(0), core_version(1))
}

/// A number of the version of racetrack-core; all packages of the checkout share one version.
fn core_version(part: usize) -> &'static str {
    env!("CARGO_PKG_VERSION").split('.').nth(part).unwrap_or("0")
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn paths_stay_inside_or_are_refused() {
        assert_eq!(resolved("", "macros").as_deref(), Some("macros/"));
        assert_eq!(resolved("a/b/", "../c/./d/").as_deref(), Some("a/c/d/"));
        assert_eq!(resolved("a/", "..").as_deref(), Some(""));
        assert_eq!(resolved("a/", "../.."), None);
        assert_eq!(resolved("", "/etc"), None);
        assert_eq!(resolved("", "C:\\x"), None);
    }
}
