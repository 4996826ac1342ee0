//! The files of a checkout that decide what a vendor folder must hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::checkout::Checkout;
use crate::lockfile;
use crate::workspace::cargo_lock as lock;

/// A lock of a checkout, of which a vendor folder has a copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lock {
    /// Where vendor folders have it.
    pub(crate) name: String,
    /// Where the checkout has it.
    pub(crate) path: PathBuf,
}

/// The locks of a checkout that a vendor folder for the declaration in the file `declaration` has. Not all of them need
/// exist.
pub(crate) fn locks<'a>(
    components: impl IntoIterator<Item = &'a str>,
    declaration: &Path,
    checkout: &Checkout,
) -> BTreeSet<Lock> {
    let found =
        |folder: &Path, name: PathBuf| Lock { path: folder.join(&name), name: name.display().to_string() };
    let folder = declaration.parent().unwrap_or(Path::new(""));
    let component = |component| found(folder, lock::committed_path(Path::new(""), component));
    let mut locks: BTreeSet<_> = components.into_iter().map(component).collect();
    // That of the hand-written workspace, to which xtask belongs.
    locks.insert(found(&checkout.root, "Cargo.lock".into()));
    let declaration = Path::new(declaration.file_name().unwrap_or_default());
    locks.insert(found(folder, lockfile::file_name(declaration)));
    locks
}

/// The components whose locks a vendor folder has.
pub(crate) fn components(vendor: &Path) -> Result<Vec<String>> {
    let mut components = Vec::new();
    for entry in fs::read_dir(vendor.join(lock::FOLDER))? {
        let name = entry?.file_name();
        components.extend(name.to_str().and_then(|name| name.strip_suffix(".lock")).map(str::to_owned));
    }
    Ok(components)
}

/// The content of a file, or nothing if there is none.
pub(crate) fn content(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_that_of_the_declaration() {
        let checkout = Checkout {
            root: "/a".into(),
            cargo: "cargo".into(),
            cargo_home: "/h".into(),
            homes: Vec::new(),
            offline: false,
            vendor: None,
        };
        let found = locks(["one"], Path::new("/a/b/edge.toml"), &checkout);
        let found: Vec<_> = found.iter().map(|lock| (lock.name.as_str(), lock.path.as_path())).collect();
        let expected = [
            ("Cargo.lock", "/a/Cargo.lock"),
            ("edge.lock", "/a/b/edge.lock"),
            ("locks/one.lock", "/a/b/locks/one.lock"),
        ];
        assert_eq!(found, expected.map(|(name, path)| (name, Path::new(path))));
    }
}
