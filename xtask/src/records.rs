//! What is put beside a finished binary: its software bill of materials, and where it is from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::crates::{CrateSet, CrateSource};
use crate::output::write_if_changed;
use crate::prepare::{Described, Prepared, Site};
use crate::provenance::{self, Materials};
use crate::remote::Sha256;
use crate::{lock, sbom, workspace};

/// Folders of a crate that never get into a binary.
const NOT_BUILT: [&str; 4] = ["benches", "examples", "target", "tests"];

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
fn paths(folder: &Path, component: &str) -> [PathBuf; 2] {
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
    folders.map(|folder| Ok((folder.clone(), content_digest(&root.join(&folder))?))).collect()
}

/// BLAKE3 over path and content of every file that cargo may build the crate from. A crate in a folder of another one is
/// not part of that.
fn content_digest(folder: &Path) -> Result<String> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![(folder.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = waiting.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let (path, shown) = (entry.path(), format!("{prefix}{name}"));
            if name.starts_with('.') || NOT_BUILT.contains(&shown.as_str()) {
                continue;
            }
            if path.is_file() {
                files.insert(shown, fs::read(path)?);
            } else if path.is_dir() && !path.join("Cargo.toml").exists() {
                waiting.push((path, format!("{shown}/")));
            }
        }
    }
    let mut hasher = blake3::Hasher::new();
    for (path, content) in files {
        for part in [path.as_bytes(), &content] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
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

    #[test]
    fn only_what_is_built_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let digest = || content_digest(root.path()).unwrap();
        write("Cargo.toml", "[package]");
        write("src/tests/mod.rs", "1");
        let first = digest();
        for path in ["tests/it.rs", "target/x", ".hidden", "macros/Cargo.toml", "macros/src/lib.rs"] {
            write(path, "other");
            assert_eq!(digest(), first, "{path}");
        }
        write("src/tests/mod.rs", "2");
        let second = digest();
        assert_ne!(second, first);
        write("resources/page.html", "");
        assert_ne!(digest(), second);
    }
}
