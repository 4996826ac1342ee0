//! The lock of a component: a committed Cargo.lock, copied into the generated workspace and back.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use fs_err as fs;

use crate::files::write_if_changed;

/// The folder of the committed locks, beside the declaration.
pub const FOLDER: &str = "locks";

/// Where the lock of a component is committed.
pub fn committed_path(folder: &Path, component: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{component}.lock"))
}

/// Puts the committed lock into the generated workspace. Without one, the lock of the checkout is a start: cargo keeps
/// its versions and drops what is not needed. With `locked`, that is refused.
pub fn copy_in(committed: &Path, checkout_root: &Path, workspace: &Path, locked: bool) -> Result<()> {
    let source = if committed.exists() {
        committed.to_path_buf()
    } else if locked {
        bail!("there is no {}; build once without --locked and commit it", committed.display());
    } else {
        checkout_root.join("Cargo.lock")
    };
    if source.exists() {
        write_if_changed(&workspace.join("Cargo.lock"), &fs::read(source)?)?;
    }
    Ok(())
}

/// Checks the lock that cargo has left in the generated workspace: the plugins and the component agree on one
/// racetrack-core.
pub fn check(workspace: &Path) -> Result<()> {
    check_core(&fs::read_to_string(workspace.join("Cargo.lock"))?)
}

/// Takes the lock that cargo has left in the generated workspace. Returns whether the committed lock changed.
pub fn copy_out(committed: &Path, workspace: &Path) -> Result<bool> {
    write_if_changed(committed, &fs::read(workspace.join("Cargo.lock"))?)
}

/// Exactly one racetrack-core, and it is this checkout's: a plugin linked against another one would register with that
/// one, and be absent from the component without a word.
///
/// Cargo writes one key per line; reading lines is a hundred times faster than parsing, and this runs on every build.
fn check_core(lock: &str) -> Result<()> {
    let is_core = |package: &&str| package.lines().any(|line| line == "name = \"racetrack-core\"");
    let copies: Vec<_> = lock.split("[[package]]").filter(is_core).collect();
    let source = |package: &&str| {
        let line = package.lines().find_map(|line| line.strip_prefix("source = "));
        line.map(|source| source.trim_matches('"').to_owned())
    };
    match (copies.len(), copies.iter().find_map(source)) {
        (1, None) => Ok(()),
        (0, _) => bail!("the component does not depend on racetrack-core"),
        (_, Some(source)) => bail!(
            "a plugin depends on another racetrack-core than this checkout's, from {source}; \
             let its Cargo.toml ask for the version of this checkout's core"
        ),
        (count, None) => bail!("the component would hold {count} copies of racetrack-core"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(rest: &str) -> String {
        format!("[[package]]\nname = \"racetrack-core\"\nversion = \"0.1.0\"\n{rest}")
    }

    #[test]
    fn one_core_of_this_checkout_is_required() {
        assert!(check_core(&core("")).is_ok());
        let message = |lock: &str| check_core(lock).unwrap_err().to_string();
        assert!(message("").contains("does not depend"));
        assert!(message(&core("source = \"elsewhere\"")).contains("from elsewhere"));
        assert!(
            message(&format!("{}{}", core(""), core("source = \"elsewhere\""))).contains("from elsewhere")
        );
        assert!(message(&format!("{}{}", core(""), core(""))).contains("2 copies"));
    }

    #[test]
    fn the_checkout_lock_is_a_start_unless_locked() {
        let root = tempfile::tempdir().unwrap();
        let workspace = root.path().join("w");
        fs::write(root.path().join("Cargo.lock"), "start").unwrap();
        let committed = committed_path(root.path(), "lifecycle");
        assert!(copy_in(&committed, root.path(), &workspace, true).is_err());
        copy_in(&committed, root.path(), &workspace, false).unwrap();
        assert_eq!(fs::read_to_string(workspace.join("Cargo.lock")).unwrap(), "start");
        fs::create_dir_all(committed.parent().unwrap()).unwrap();
        fs::write(&committed, core("")).unwrap();
        copy_in(&committed, root.path(), &workspace, true).unwrap();
        assert!(!copy_out(&committed, &workspace).unwrap());
    }
}
