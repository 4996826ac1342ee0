//! The package itself: what it is called, what it builds, and the tables only a workspace root may have.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::compatibility;
use super::report::CrateReport;
use crate::{Code, codes};

/// Tables and keys that no plugin's `Cargo.toml` may have, and what to do instead.
const REFUSED_TABLES: [(&str, Code, &str); 4] = [
    (
        "workspace",
        codes::CRATE_NESTED_WORKSPACE,
        "remove the table: a plugin is a dependency of a generated workspace",
    ),
    ("patch", codes::CRATE_PATCH, "depend on the replacement itself, under `[dependencies]`"),
    ("replace", codes::CRATE_PATCH, "depend on the replacement itself, under `[dependencies]`"),
    (
        "profile",
        codes::CRATE_PROFILE,
        "remove the table: cargo ignores it in a dependency; `racetrack.toml` has the profile",
    ),
];

/// Library kinds that can be linked into a component.
const LIBRARY_KINDS: [&str; 2] = ["lib", "rlib"];

/// Checks everything but the dependencies.
pub(super) fn check(report: &mut CrateReport<'_>, manifest: &DeTable<'_>) {
    for (name, code, help) in REFUSED_TABLES {
        if let Some((key, _)) = manifest.get_key_value(name) {
            report.report(code, key.span(), format!("a plugin's Cargo.toml must not have `[{name}]`"), help);
        }
    }
    check_inheritance(report, manifest);
    let Some((key, package)) = manifest.get_key_value("package") else {
        let help = "write `[package]` with `name`, `version` and `edition`";
        return report.report(codes::CRATE_MISSING_KEY, 0..0, "the Cargo.toml has no `[package]`", help);
    };
    let Some(package) = package.get_ref().as_table() else {
        let help = "write `[package]` on a line of its own";
        return report.report(codes::CRATE_WRONG_TYPE, package.span(), "`package` must be a table", help);
    };
    if let Some((key, _)) = package.get_key_value("workspace") {
        let message = "a plugin must not name a workspace";
        report.report(codes::CRATE_NESTED_WORKSPACE, key.span(), message, "remove the key");
    }
    if report.is_plugin() {
        check_identity(report, key.span(), package);
    }
    if let Some((key, _)) = package.get_key_value("links") {
        let message = "a plugin must not have `links`: two versions of it could not be linked together";
        report.report(
            codes::CRATE_LINKS,
            key.span(),
            message,
            "move the native library into a crate of its own",
        );
    }
    compatibility::check_rust(report, package);
    check_build_script(report, package);
    check_library(report, key.span(), package, manifest.get("lib"));
}

fn check_identity(report: &mut CrateReport<'_>, header: Range<usize>, package: &DeTable<'_>) {
    let plugin =
        report.rules.manifest.map(|manifest| (manifest.name.to_string(), manifest.version.to_string()));
    let (plugin_name, plugin_version) = plugin.unzip();
    if let Some((range, name)) = required_text(report, &header, package, "name", plugin_name.as_deref())
        && let Some(plugin_name) = plugin_name
        && name != plugin_name
    {
        let message = format!("the crate is called `{}`, the plugin `{plugin_name}`", name.escape_debug());
        let help = format!("write `name = \"{plugin_name}\"`, or change `name` in plugin-manifest.yaml");
        report.report(codes::CRATE_NAME_MISMATCH, range, message, help);
    }
    if let Some((range, version)) =
        required_text(report, &header, package, "version", plugin_version.as_deref())
    {
        if let Err(error) = semver::Version::parse(&version) {
            let message = format!("`{}` is no version of cargo's form: {error}", version.escape_debug());
            let help = "write `X.Y.Z` or `X.Y.Z-label`, here and in plugin-manifest.yaml";
            report.report(codes::CRATE_BAD_VERSION, range, message, help);
        } else if let Some(plugin_version) = plugin_version
            && version != plugin_version
        {
            let message = format!("the crate has version {version}, the plugin {plugin_version}");
            let help = format!(
                "write `version = \"{plugin_version}\"`, or change `version` in plugin-manifest.yaml"
            );
            report.report(codes::CRATE_VERSION_MISMATCH, range, message, help);
        }
    }
    required_text(report, &header, package, "edition", Some("2024"));
}

/// The value of a key that must be there; nothing where something was reported, or the key inherits.
fn required_text(
    report: &mut CrateReport<'_>,
    header: &Range<usize>,
    package: &DeTable<'_>,
    key: &str,
    example: Option<&str>,
) -> Option<(Range<usize>, String)> {
    let help = format!("write `{key} = \"{}\"`", example.unwrap_or("…"));
    let Some(value) = package.get(key) else {
        let message = format!("the `[package]` has no `{key}`");
        report.report(codes::CRATE_MISSING_KEY, header.clone(), message, help);
        return None;
    };
    if let Some(text) = value.get_ref().as_str() {
        return Some((value.span(), text.to_owned()));
    }
    if !inherits(value) {
        let message = format!("`{key}` must be a text, this is a TOML {}", value.get_ref().type_str());
        report.report(codes::CRATE_WRONG_TYPE, value.span(), message, help);
    }
    None
}

fn check_build_script(report: &mut CrateReport<'_>, package: &DeTable<'_>) {
    if report.rules.allow_build_script {
        return;
    }
    let help = "write `allow-build-script = true` in its `[[plugin]]` table, if you trust the plugin";
    match package.get_key_value("build") {
        Some((_, value)) if value.get_ref().as_bool() == Some(false) => {}
        Some((key, _)) => {
            let message = "the crate has a build script, which runs while building";
            report.report(codes::CRATE_BUILD_SCRIPT, key.span(), message, help);
        }
        None if report.has_file("build.rs") => {
            let message = "the crate has a build script, which runs while building";
            report.report_file(codes::CRATE_BUILD_SCRIPT, "build.rs", message, help);
        }
        None => {}
    }
}

fn check_library(
    report: &mut CrateReport<'_>,
    header: Range<usize>,
    package: &DeTable<'_>,
    library: Option<&Spanned<DeValue<'_>>>,
) {
    let table = library.and_then(|library| library.get_ref().as_table());
    if let (Some(library), None) = (library, table) {
        return report.report(
            codes::CRATE_WRONG_TYPE,
            library.span(),
            "`lib` must be a table",
            "write `[lib]`",
        );
    }
    if let Some(table) = table {
        check_library_kind(report, table);
        if let Some(path) = table.get("path").filter(|path| path.get_ref().is_str()) {
            let text = path.get_ref().as_str().unwrap_or_default();
            if !report.has_file(text.trim_start_matches("./")) {
                let message = format!("the library's file `{}` is not in the source", text.escape_debug());
                let help = "name a file of the plugin, or remove `path` and write `src/lib.rs`";
                report.report(codes::CRATE_NO_LIBRARY, path.span(), message, help);
            }
            return;
        }
    }
    let is_off = package.get("autolib").is_some_and(|value| value.get_ref().as_bool() == Some(false));
    if !report.has_file("src/lib.rs") || (is_off && table.is_none()) {
        let message = "the crate has no library";
        report.report(codes::CRATE_NO_LIBRARY, header, message, "write the plugin in `src/lib.rs`");
    }
}

fn check_library_kind(report: &mut CrateReport<'_>, library: &DeTable<'_>) {
    for name in ["crate-type", "crate_type"] {
        let Some((key, value)) = library.get_key_value(name) else {
            continue;
        };
        let kinds = value.get_ref().as_array().into_iter().flat_map(|kinds| kinds.iter());
        let is_linkable = |kind: &Spanned<DeValue<'_>>| {
            kind.get_ref().as_str().is_some_and(|kind| LIBRARY_KINDS.contains(&kind))
        };
        if !value.get_ref().is_array() || !kinds.into_iter().all(is_linkable) {
            let message = "a plugin must be a plain Rust library";
            report.report(codes::CRATE_LIBRARY_KIND, key.span(), message, "remove the key");
        }
    }
    for name in ["proc-macro", "proc_macro"] {
        let Some((key, value)) = library.get_key_value(name) else {
            continue;
        };
        if value.get_ref().as_bool() == Some(false) {
            continue;
        }
        if report.is_plugin() {
            let message = "a procedural macro cannot be a plugin";
            report.report(codes::CRATE_LIBRARY_KIND, key.span(), message, "remove the key");
        } else if !report.rules.allow_build_script {
            let message = "the crate is a procedural macro, which runs while building";
            let help = "write `allow-build-script = true` in its `[[plugin]]` table, if you trust the plugin";
            report.report(codes::CRATE_BUILD_SCRIPT, key.span(), message, help);
        }
    }
}

/// Reports `workspace = true` in every table that may inherit.
fn check_inheritance(report: &mut CrateReport<'_>, manifest: &DeTable<'_>) {
    let mut tables: Vec<&DeTable<'_>> = vec![manifest];
    while let Some(table) = tables.pop() {
        for (key, value) in table {
            // Free text for other tools; a workspace root's own tables are refused as a whole.
            let is_foreign = matches!(&**key.get_ref(), "metadata" | "badges")
                || (std::ptr::eq(table, manifest) && key.get_ref() == "workspace");
            if is_foreign {
                continue;
            }
            if key.get_ref() == "workspace" && value.get_ref().is_bool() {
                let message = "a plugin cannot inherit from a workspace: it is built outside of the one it is written in";
                let help = "write the value itself";
                report.report(codes::CRATE_WORKSPACE_INHERITANCE, key.span(), message, help);
            }
            tables.extend(value.get_ref().as_table());
        }
    }
}

fn inherits(value: &Spanned<DeValue<'_>>) -> bool {
    value.get_ref().as_table().is_some_and(|table| table.contains_key("workspace"))
}
