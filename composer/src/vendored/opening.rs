//! Opening a vendor folder to build from it.

use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;

use super::checksums::{Checksums, Differences};
use super::inputs;
use crate::checkout::{Checkout, TOOLCHAIN};
use crate::remote::Sha256;
use crate::session::Session;
use crate::vendor_folder::{CHECKSUMS, Record, VendorFolder};

/// Why nothing is built from a vendor folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It does not look like one.
    #[error("{folder} is no vendor folder: it has no `{CHECKSUMS}`")]
    NotVendored {
        /// The folder.
        folder: String,
    },
    /// Its files are not what was put there.
    #[error("{folder} is not as `cargo xtask vendor` has left it:\n{differences}")]
    Damaged {
        /// The folder.
        folder: String,
        /// What is different.
        differences: Differences,
    },
    /// It was made with another compiler.
    #[error(
        "{folder} was made for `{expected}`, and this is `{TOOLCHAIN}`; build with that toolchain, or make the folder \
         anew with `cargo xtask vendor`"
    )]
    Toolchain {
        /// The folder.
        folder: String,
        /// The compiler it was made for.
        expected: String,
    },
    /// The checkout is not the one it was made for.
    #[error(
        "{folder} was made for another checkout: {changed} changed since; make it anew with `cargo xtask vendor`"
    )]
    Outdated {
        /// The folder.
        folder: String,
        /// The files that are different, and a verb.
        changed: String,
    },
}

/// Opens a vendor folder that must be what was vendored, and for this checkout; `declaration` is that of the request.
pub fn open_for_build(path: &Path, declaration: Option<&Path>, session: &Session) -> Result<VendorFolder> {
    let vendor = open(path, session)?;
    check_inputs(&vendor, declaration, &session.checkout)?;
    Ok(vendor)
}

/// Opens a vendor folder after comparing all of its files with its checksums.
pub(super) fn open(path: &Path, session: &Session) -> Result<VendorFolder> {
    let Session { checkout, shell } = session;
    let path = fs::canonicalize(path)?;
    let folder = checkout.display(&path).to_string();
    let Some(expected) = inputs::content(&path.join(CHECKSUMS))? else {
        return Err(Refusal::NotVendored { folder }.into());
    };
    let expected = String::from_utf8(expected).map_err(anyhow::Error::from);
    let expected = expected.and_then(|text| Checksums::parse(&text));
    let expected = expected.with_context(|| format!("cannot read the `{CHECKSUMS}` of {folder}"))?;
    let found = Checksums::of(&path, |files| shell.progress("Verifying", files))?;
    if let Some(differences) = expected.differences(&found) {
        return Err(Refusal::Damaged { folder, differences }.into());
    }
    let record = Record::parse(&fs::read_to_string(path.join(Record::FILE_NAME))?)
        .with_context(|| format!("cannot build from {folder}"))?;
    if record.toolchain != TOOLCHAIN {
        return Err(Refusal::Toolchain { folder, expected: record.toolchain }.into());
    }
    Ok(VendorFolder::new(path, record))
}

/// Refuses a checkout whose declaration or locks are others than those the folder was made for; `declaration` is
/// that of the command line.
fn check_inputs(vendor: &VendorFolder, declaration: Option<&Path>, checkout: &Checkout) -> Result<()> {
    let file = checkout.declaration(declaration);
    let mut changed = Vec::new();
    // A declaration that is missing is for its reader to tell about.
    let text = inputs::content(&file)?;
    if text.is_some_and(|text| Sha256::of(&text).to_string() != vendor.record().declaration) {
        changed.push(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    let components = inputs::components(vendor.path())?;
    for lock in inputs::locks(components.iter().map(String::as_str), &file, checkout) {
        if inputs::content(&lock.path)? != inputs::content(&vendor.path().join(&lock.name))? {
            changed.push(lock.name);
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let verb = if changed.len() == 1 { "has" } else { "have" };
    let changed = format!("{} {verb}", changed.join(", "));
    Err(Refusal::Outdated { folder: checkout.display(vendor.path()).to_string(), changed }.into())
}
