//! What is put beside a finished binary: its software bill of materials, and where it is from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::binary::provenance::{self, Materials};
use crate::binary::sbom;
use crate::cargo::crates::{CrateSet, CrateSource};
use crate::files::write_if_changed;
use crate::remote::Sha256;
use crate::workspace::cargo_lock as lock;
use crate::workspace::prepare::{BuildContext, Described, Prepared};

/// Writes both beside the binary, which has that digest, unless they are there. `digests` are those of the crates of the checkout, by
/// their folders.
pub fn write(
    binary: &Path,
    digest: &Sha256,
    digests: &BTreeMap<String, String>,
    prepared: &Prepared<'_>,
    described: &Described,
    context: &BuildContext<'_>,
) -> Result<()> {
    let component = prepared.component;
    let name = &component.declaration.name;
    let folder = binary.parent().context("a binary is in a folder")?;
    let digest = digest.as_str();
    let bill = sbom::generate(component, &described.crates, digest);
    let [bill_path, statement_path] = paths(folder, name);
    write_if_changed(&bill_path, bill.as_bytes())?;
    let committed = lock::committed_path(&context.declaration().folder, name);
    let materials = Materials {
        crates: &described.crates,
        checkout_digests: checkout_digests(&described.crates, digests)?,
        lock: (format!("locks/{name}.lock"), Sha256::of(&fs::read(committed)?).to_string()),
    };
    let statement = provenance::generate(component, context.options, prepared.locked, &materials, digest);
    write_if_changed(&statement_path, statement.as_bytes())?;
    Ok(())
}

/// Removes what is beside the binary of a component, if it is there.
pub fn remove(folder: &Path, component: &str) -> Result<()> {
    for path in paths(folder, component) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// The bill of materials, and the statement about the origin.
pub fn paths(folder: &Path, component: &str) -> [PathBuf; 2] {
    ["cdx.json", "provenance.json"].map(|ending| folder.join(format!("{component}.{ending}")))
}

fn checkout_digests(
    crates: &CrateSet,
    digests: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let folders = crates.0.iter().filter_map(|one| match &one.source {
        CrateSource::Checkout(folder) => Some(folder),
        _ => None,
    });
    let digest = |folder: &String| {
        let digest = digests.get(folder);
        let digest =
            digest.with_context(|| format!("the build does not know that it needs the crate in {folder}"))?;
        Ok((folder.clone(), digest.clone()))
    };
    folders.map(digest).collect()
}
