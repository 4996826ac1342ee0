//! What is put beside a finished binary: its software bill of materials, and where it is from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::crates::{CrateSet, CrateSource};
use crate::fingerprint::SourceTree;
use crate::output::write_if_changed;
use crate::prepare::{Described, Prepared, Site};
use crate::provenance::{self, Materials};
use crate::remote::Sha256;
use crate::{lock, sbom, workspace};

/// The digest of a binary, which is known by its size and time.
#[derive(Serialize, Deserialize)]
struct Measured {
    length: u64,
    nanoseconds: u128,
    sha256: String,
}

/// Writes both beside the binary, unless they are there.
pub(crate) fn write(
    binary: &Path,
    prepared: &Prepared<'_>,
    described: &Described,
    site: &Site<'_>,
) -> Result<()> {
    let component = prepared.component;
    let name = &component.declaration.name;
    let folder = binary.parent().context("a binary is in a folder")?;
    let measured = workspace::target_dir(site.declaration, name).join("racetrack-binary.json");
    let digest = binary_digest(binary, &measured)?;
    let bill = sbom::generate(component, &described.crates, &digest);
    let [bill_path, statement_path] = paths(folder, name);
    write_if_changed(&bill_path, bill.as_bytes())?;
    let committed = lock::committed_path(&site.declaration.folder, name);
    let materials = Materials {
        crates: &described.crates,
        checkout_digests: checkout_digests(&described.crates, &site.checkout.root)?,
        lock: (format!("locks/{name}.lock"), Sha256::of(&fs::read(committed)?).to_string()),
    };
    let statement = provenance::generate(component, site.options, prepared.locked, &materials, &digest);
    write_if_changed(&statement_path, statement.as_bytes())?;
    Ok(())
}

/// Removes what is beside the binary of a component, if it is there.
pub(crate) fn remove(folder: &Path, component: &str) -> Result<()> {
    for path in paths(folder, component) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// The bill of materials, and the statement about the origin.
pub(crate) fn paths(folder: &Path, component: &str) -> [PathBuf; 2] {
    ["cdx.json", "provenance.json"].map(|ending| folder.join(format!("{component}.{ending}")))
}

fn binary_digest(binary: &Path, measured: &Path) -> Result<String> {
    let metadata = fs::metadata(binary)?;
    let time = metadata.modified().context("cannot tell when the binary was made")?;
    let nanoseconds = time.duration_since(UNIX_EPOCH).context("the binary was made before 1970")?.as_nanos();
    let known = fs::read(measured).ok().and_then(|text| serde_json::from_slice::<Measured>(&text).ok());
    let length = metadata.len();
    if let Some(known) = known.filter(|known| (known.length, known.nanoseconds) == (length, nanoseconds)) {
        return Ok(known.sha256);
    }
    let sha256 = Sha256::of(&fs::read(binary)?).to_string();
    let now = Measured { length, nanoseconds, sha256: sha256.clone() };
    write_if_changed(measured, &serde_json::to_vec(&now).context("cannot write the digest as JSON")?)?;
    Ok(sha256)
}

fn checkout_digests(crates: &CrateSet, root: &Path) -> Result<BTreeMap<String, String>> {
    let folders = crates.0.iter().filter_map(|one| match &one.source {
        CrateSource::Checkout(folder) => Some(folder.clone()),
        _ => None,
    });
    folders.map(|folder| Ok((folder.clone(), SourceTree::read(&root.join(&folder))?.digest()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let [binary, measured] = ["a", "a.json"].map(|name| folder.path().join(name));
        fs::write(&binary, "").unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(binary_digest(&binary, &measured).unwrap(), empty);
        let text = fs::read_to_string(&measured).unwrap();
        fs::write(&measured, text.replace("e3b0", "ffff")).unwrap();
        assert!(
            binary_digest(&binary, &measured).unwrap().starts_with("ffff"),
            "it is known by size and time"
        );
        fs::write(&binary, "x").unwrap();
        assert!(binary_digest(&binary, &measured).unwrap().starts_with("2d711642"));
    }
}
