//! What a build is asked for.

use std::path::PathBuf;

use anyhow::Result;

use super::selection::Selection;
use crate::declaration::QUICK;
use crate::session::Session;
use crate::sources::overrides::Override;
use crate::vendored::open_for_build;

/// What the caller of a build wants: which components, from which sources, into which folder.
#[derive(Clone, Debug, Default)]
pub struct BuildRequest {
    /// The file of the declaration; without one, that of the checkout.
    pub declaration: Option<PathBuf>,
    /// Which components, and how they are compiled.
    pub selection: Selection,
    /// Build exactly what the lock says, or fail.
    pub locked: bool,
    /// Like `locked`, and without a network.
    pub frozen: bool,
    /// The folder that takes the place of registries and of plugin sources that are elsewhere.
    pub vendor: Option<PathBuf>,
    /// The folder of the binaries; without one, the purpose decides.
    pub out_dir: Option<PathBuf>,
    /// Other sources for declared plugins.
    pub overrides: Vec<Override>,
    /// What the binaries are for.
    pub purpose: Purpose,
}

/// What binaries are for, where the request leaves profile and output folder open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be taken elsewhere: with the profile of the declaration, into its output folder.
    #[default]
    Distribution,
    /// To be run here at once: compiled in little time, into a folder of the build system, so that the output folder
    /// retains what was built to be taken elsewhere.
    FirstLook,
}

/// A request that contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A locked build of something that is not locked.
    #[error(
        "`--locked` builds what the lock says, `--override` builds something else; leave one of the two out"
    )]
    LockedOverride,
}

impl BuildRequest {
    /// Whether nothing may change that is locked.
    pub const fn is_locked(&self) -> bool {
        self.locked || self.frozen
    }

    /// Refuses a request that contradicts itself.
    pub fn check(&self) -> Result<(), RequestError> {
        if self.is_locked() && !self.overrides.is_empty() {
            return Err(RequestError::LockedOverride);
        }
        Ok(())
    }

    /// What is selected, with the profile of the purpose where the request names none.
    pub fn selection(&self) -> Selection {
        let default = || (self.purpose == Purpose::FirstLook).then(|| QUICK.to_owned());
        Selection { profile: self.selection.profile.clone().or_else(default), ..self.selection.clone() }
    }

    /// The session as the request has it: without a network if frozen, and with the vendor folder if one is given, which
    /// must be what was vendored, and for this checkout. A folder that is open already is not compared again.
    pub fn session(&self, session: &Session) -> Result<Session> {
        let mut session = session.clone();
        session.checkout.offline |= self.frozen;
        let Some(folder) = self.vendor.as_ref().filter(|_| session.checkout.vendor.is_none()) else {
            return Ok(session);
        };
        session.shell.status("Verifying", folder.display());
        let vendor = open_for_build(folder, self.declaration.as_deref(), &session)?;
        session.checkout.vendor = Some(vendor);
        Ok(session)
    }
}
