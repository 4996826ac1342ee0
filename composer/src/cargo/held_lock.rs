//! The lock that cargo has on the folder of the intermediate artefacts while it compiles.
//!
//! It keeps two cargos from compiling the same crate in one folder. When a cargo is at the binary of a component, which no other
//! workspace has, every other crate is there, and a second cargo can begin; but cargo has the lock to its end. So the file with the
//! lock is put aside, and the next cargo finds one in its place that we have locked until it may begin. Where that cannot be done,
//! the next cargo waits for the end of the first one, as it would by itself.
//!
//! When this process is killed, its lock goes, and the cargo that it holds back with it: it ends at its first word, which nobody
//! hears. So a cargo that is quiet must not be held back. And a cargo that somebody else has started may wait for the file that is put
//! aside; so nothing but the build system builds in that folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::file_lock;
use crate::shell::Shell;

/// In the folder with the artefacts of a profile.
const FILE: &str = ".cargo-lock";

/// Where the locks of running cargos are put, in the folder of the intermediate artefacts.
const ASIDE: &str = "racetrack-locks";

/// Holds a cargo back that is started now, until this is dropped.
#[derive(Debug)]
pub(super) struct HeldLock {
    _file: File,
}

/// Puts the lock aside that a cargo has on the artefacts of a profile. Returns nothing where that cannot be done: where that lock is
/// not seen, or files cannot have two names.
pub(super) fn hold(build_dir: &Path, profile: &str) -> Option<HeldLock> {
    try_hold(build_dir, profile).ok().flatten()
}

fn try_hold(build_dir: &Path, profile: &str) -> io::Result<Option<HeldLock>> {
    let place = build_dir.join(profile).join(FILE);
    match File::open(&place)?.try_lock() {
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
        // Then cargo does not lock this file, or not here.
        Ok(()) => return Ok(None),
    }
    let folder = build_dir.join(ASIDE);
    std::fs::create_dir_all(&folder)?;
    let new = folder.join("new");
    let file = File::create(&new)?;
    file.lock()?;
    std::fs::hard_link(&place, unused(&folder))?;
    std::fs::rename(&new, &place)?;
    Ok(Some(HeldLock { _file: file }))
}

fn unused(folder: &Path) -> PathBuf {
    let names = (1_u32..).map(|number| folder.join(number.to_string()));
    names.into_iter().find(|path| !path.exists()).expect("there are more numbers than cargos")
}

/// Waits for cargos whose locks were put aside, and that go on after the build which started them was killed. Nobody else may put
/// locks aside meanwhile.
pub fn wait_for_orphans(build_dir: &Path, shell: &Shell) -> Result<()> {
    let folder = build_dir.join(ASIDE);
    let locks = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        locks => locks?,
    };
    for entry in locks {
        let path = entry?.path();
        let file = fs::File::open(&path)?.into_file();
        file_lock::lock_file(&file, &path, "a cargo of a build that was killed", shell)?;
        fs::remove_file(&path)?;
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// A folder of artefacts, and the lock file of a profile in it as cargo opens it.
    fn folder() -> (tempfile::TempDir, impl Fn() -> File) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("debug")).expect("a folder in it");
        let path = folder.path().join("debug").join(FILE);
        let open = move || File::options().create(true).append(true).open(&path).expect("a lock file");
        (folder, open)
    }

    #[test]
    fn a_second_cargo_begins_when_it_is_let_go_and_not_before() {
        let (folder, open) = folder();
        let put_aside = || hold(folder.path(), "debug");
        assert!(put_aside().is_none(), "the lock file is missing");
        let first = open();
        assert!(put_aside().is_none(), "the lock is free");
        first.lock().unwrap();
        let held = put_aside().unwrap();
        let second = open();
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)), "we hold it back");
        drop(held);
        second.try_lock().unwrap();
        let held = put_aside().unwrap();
        let third = open();
        assert!(matches!(third.try_lock(), Err(TryLockError::WouldBlock)));
        drop((first, second, held));
        wait_for_orphans(folder.path(), &Shell::new(true)).unwrap();
        assert_eq!(fs::read_dir(folder.path().join(ASIDE)).unwrap().count(), 0);
        third.try_lock().unwrap();
    }

    #[test]
    fn a_cargo_that_outlives_its_build_is_waited_for() {
        let (folder, open) = folder();
        let first = open();
        first.lock().unwrap();
        drop(hold(folder.path(), "debug").unwrap());
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                wait_for_orphans(folder.path(), &Shell::new(true)).unwrap();
                sender.send(()).unwrap();
            });
            assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err(), "it has the lock still");
            drop(first);
            receiver.recv().unwrap();
        });
    }
}
