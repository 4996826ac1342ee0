//! The crates of several workspaces in one folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{MetadataCommand, Package};

use crate::checkout::{Checkout, HOST_TRIPLE};

/// How locks name the registry whose crates can be vendored.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A crate that cannot be vendored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{lock}` has crate `{name}` from {origin}, and only crates of the registry crates.io can be vendored"
)]
pub(super) struct ForeignCrate {
    /// The lock that names it.
    lock: String,
    /// The crate.
    name: String,
    /// Where it comes from, as the lock writes it.
    origin: String,
}

/// Refuses a lock with crates of other registries or of repositories: binaries name where such crates are kept in a way
/// that a folder cannot imitate for all of them.
///
/// Cargo writes one key per line.
pub(super) fn check_origins(lock: &str, text: &str) -> Result<(), ForeignCrate> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    for package in text.split("[[package]]").skip(1) {
        if let Some(origin) = value(package, "source").filter(|origin| origin != REGISTRY) {
            let name = value(package, "name").unwrap_or_default();
            return Err(ForeignCrate { lock: lock.to_owned(), name, origin });
        }
    }
    Ok(())
}

/// Puts the crates of the workspaces with these manifests into `folder`, each into a folder of name and version. Their
/// locks must be complete.
pub(super) fn vendor(manifests: &[PathBuf], folder: &Path, checkout: &Checkout) -> Result<()> {
    let (first, rest) = manifests.split_first().expect("the checkout is a workspace");
    let mut command = Command::new(&checkout.cargo);
    command.args(["vendor", "--quiet", "--locked", "--versioned-dirs", "--respect-source-config"]);
    command.args(checkout.offline.then_some("--offline"));
    command.arg("--manifest-path").arg(first);
    for manifest in rest {
        command.arg("--sync").arg(manifest);
    }
    // It prints the settings that we write ourselves.
    command.arg(folder).env("CARGO_HOME", &checkout.cargo_home).stdout(Stdio::null()).stdin(Stdio::null());
    let status = command.status().with_context(|| format!("cannot start {}", checkout.cargo.display()))?;
    if !status.success() {
        bail!("cargo could not vendor the crates");
    }
    Ok(())
}

/// The folder below `registry/src/` of cargo's home that the crates of a workspace are unpacked into. Its name holds a
/// hash of the registry's address that only cargo knows.
pub(super) fn registry_folder(manifest: &Path, checkout: &Checkout) -> Result<String> {
    let mut options = vec!["--locked", "--filter-platform", HOST_TRIPLE];
    options.extend(checkout.offline.then_some("--offline"));
    let mut command = MetadataCommand::new();
    command.cargo_path(&checkout.cargo).manifest_path(manifest).env("CARGO_HOME", &checkout.cargo_home);
    command.other_options(options.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let metadata = command.exec().context("cannot ask cargo where it keeps crates")?;
    let sources = checkout.cargo_home.join("registry/src");
    let mut found = BTreeSet::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let Some(folder) = folder_of(package, &sources) else {
            bail!(
                "crate `{}` is at {}, not in a registry below {}; vendor without the source replacement of \
                 cargo's configuration",
                package.name,
                package.manifest_path,
                sources.display()
            );
        };
        found.insert(folder);
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(folder), None) => Ok(folder),
        (None, _) => bail!("{} has no crates of a registry", manifest.display()),
        (Some(one), Some(other)) => bail!("the crates come from two registries: {one} and {other}"),
    }
}

fn folder_of(package: &Package, sources: &Path) -> Option<String> {
    let relative = package.manifest_path.as_std_path().strip_prefix(sources).ok()?;
    Some(relative.components().next()?.as_os_str().to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_of_repositories_and_other_registries_are_named() {
        let lock = |origin: &str| {
            format!(
                "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n\n[[package]]\n\
                 name = \"theirs\"\nversion = \"1.0.0\"\nsource = \"{origin}\"\n"
            )
        };
        assert_eq!(check_origins("locks/a.lock", &lock(REGISTRY)), Ok(()));
        for origin in ["git+https://host.invalid/x#0", "sparse+https://host.invalid/index/"] {
            let refused = check_origins("locks/a.lock", &lock(origin)).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "`locks/a.lock` has crate `theirs` from {origin}, and only crates of the registry crates.io \
                     can be vendored"
                )
            );
        }
    }
}
