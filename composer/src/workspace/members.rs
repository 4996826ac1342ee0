//! Which crates of the checkout a component needs: its own and whatever path dependencies lead to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use toml::{Table, Value};

use crate::checkout::CORE;

/// Every folder with a crate that the crate in `component` needs, relative to the checkout and sorted. Dependencies
/// for tests count, because cargo reads the manifests of all of them.
pub fn needed_members(root: &Path, component: &str) -> Result<BTreeSet<String>> {
    let workspace = read_manifest(root, "")?;
    let shared = workspace.get("workspace").and_then(|workspace| workspace.get("dependencies")?.as_table());
    let shared = shared.context("the checkout's Cargo.toml has no [workspace.dependencies]")?;
    let mut members = BTreeSet::new();
    let mut queue = vec![CORE.to_owned(), component.to_owned()];
    while let Some(member) = queue.pop() {
        if !members.insert(member.clone()) {
            continue;
        }
        let manifest = read_manifest(root, &member)?;
        for (name, dependency) in dependencies(&manifest) {
            if let Some(path) = dependency.get("path").and_then(Value::as_str) {
                queue.push(join(&member, path)?);
            } else if dependency.get("workspace").and_then(Value::as_bool) == Some(true) {
                let path = shared.get(name).and_then(|shared| shared.get("path")?.as_str());
                queue.extend(path.map(|path| join("", path)).transpose()?);
            }
        }
    }
    Ok(members)
}

/// The outermost folders of `members`: those that are not inside another one.
pub fn outermost(members: &BTreeSet<String>) -> Vec<&str> {
    let inside =
        |member: &str, other: &str| member.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
    members
        .iter()
        .filter(|member| !members.iter().any(|other| inside(member, other)))
        .map(String::as_str)
        .collect()
}

/// The name of the package in `member`, a folder of the checkout.
pub fn package_name(root: &Path, member: &str) -> Result<String> {
    let manifest = read_manifest(root, member)?;
    let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
    name.map(str::to_owned).with_context(|| format!("{member}/Cargo.toml does not name its package"))
}

fn read_manifest(root: &Path, member: &str) -> Result<Table> {
    let path: PathBuf = root.join(member).join("Cargo.toml");
    let text = fs::read_to_string(&path)?;
    text.parse().with_context(|| format!("cannot parse {}", path.display()))
}

fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let holders = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    let tables = holders.flat_map(|holder| {
        ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|kind| holder.get(kind)?.as_table())
    });
    tables.flat_map(|table| table.iter().map(|(name, dependency)| (name.as_str(), dependency)))
}

fn join(member: &str, path: &str) -> Result<String> {
    ensure!(Path::new(path).is_relative(), "the path dependency `{path}` of `{member}` is absolute");
    let mut parts: Vec<_> = member.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().with_context(|| {
                    format!("the path dependency `{path}` of `{member}` leads out of the checkout")
                })?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn path_dependencies_are_followed_however_they_are_written() {
        let root = checkout(&[
            (
                "Cargo.toml",
                "[workspace.dependencies]\ncore = { path = \"core\" }\nservice = { path = \"./components/service\" }",
            ),
            ("core/Cargo.toml", "[dependencies]\nmacros = { path = \"macros\" }"),
            ("core/macros/Cargo.toml", ""),
            (
                "components/service/Cargo.toml",
                "[target.'cfg(unix)'.dependencies]\nextra = { path = \"../../extra\" }",
            ),
            ("components/a/Cargo.toml", "[dependencies]\nservice.workspace = true\nserde = \"1\""),
            ("extra/Cargo.toml", "[dev-dependencies]\ncore.workspace = true"),
        ]);
        let members = needed_members(root.path(), "components/a").unwrap();
        let found: Vec<_> = members.iter().map(String::as_str).collect();
        assert_eq!(found, ["components/a", "components/service", "core", "core/macros", "extra"]);
        assert_eq!(outermost(&members), ["components/a", "components/service", "core", "extra"]);
    }

    #[test]
    fn leaving_the_checkout_is_refused() {
        let root = checkout(&[
            ("Cargo.toml", "[workspace.dependencies]"),
            ("core/Cargo.toml", "[dependencies]\nx = { path = \"../../x\" }"),
        ]);
        let error = needed_members(root.path(), "core").unwrap_err();
        assert_eq!(error.to_string(), "the path dependency `../../x` of `core` leads out of the checkout");
    }

    #[test]
    fn names_that_merely_begin_alike_are_not_inside_each_other() {
        let members = BTreeSet::from(["a".to_owned(), "a/b".to_owned(), "ab".to_owned()]);
        assert_eq!(outermost(&members), ["a", "ab"]);
    }
}
