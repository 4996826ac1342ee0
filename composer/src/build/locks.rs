//! The locks that a build holds.

use std::fs::File;

use anyhow::Result;
use fs_err as fs;

use crate::declaration::Declaration;
use crate::file_lock;
use crate::session::Session;
use crate::sources::store_use;

/// Held while something is built from a declaration: `gc` stays away from the store, and concurrent builds of the
/// declaration, which would overwrite each other, wait.
#[derive(Debug)]
pub struct BuildLocks {
    _store: File,
    _declaration: File,
}

impl BuildLocks {
    /// Takes the locks, and waits for whoever has them.
    pub fn take(declaration: &Declaration, session: &Session) -> Result<Self> {
        let Session { checkout, shell } = session;
        let store = store_use::share(&checkout.store(), shell)?;
        fs::create_dir_all(declaration.state())?;
        let path = declaration.state().join(".lock");
        let declaration = file_lock::lock(&path, "another build of this declaration", shell)?;
        Ok(Self { _store: store, _declaration: declaration })
    }
}
