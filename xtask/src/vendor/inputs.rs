//! The files of a checkout that decide what a vendor folder must hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::checkout::Checkout;

/// The folder with the locks of components, beside the declaration and in vendor folders.
const LOCKS: &str = "locks";

/// A lock of a checkout, of which a vendor folder has a copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lock {
    /// Where vendor folders have it.
    pub(super) name: String,
    /// Where the checkout has it.
    pub(super) path: PathBuf,
}

/// The locks of a checkout; `folder` is that of the declaration. Not all of them need exist.
pub(super) fn locks<'a>(
    components: impl IntoIterator<Item = &'a str>,
    folder: &Path,
    checkout: &Checkout,
) -> BTreeSet<Lock> {
    let component = |component: &str| {
        let name = format!("{LOCKS}/{component}.lock");
        Lock { path: folder.join(&name), name }
    };
    let mut locks: BTreeSet<_> = components.into_iter().map(component).collect();
    // That of the hand-written workspace, to which xtask belongs.
    let name = "Cargo.lock".to_owned();
    locks.insert(Lock { path: checkout.root.join(&name), name });
    let name = "racetrack.lock".to_owned();
    locks.insert(Lock { path: folder.join(&name), name });
    locks
}

/// The components whose locks a vendor folder has.
pub(super) fn components(vendor: &Path) -> Result<Vec<String>> {
    let mut components = Vec::new();
    for entry in fs::read_dir(vendor.join(LOCKS))? {
        let name = entry?.file_name();
        components.extend(name.to_str().and_then(|name| name.strip_suffix(".lock")).map(str::to_owned));
    }
    Ok(components)
}

/// The content of a file, or nothing if there is none.
pub(super) fn content(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
