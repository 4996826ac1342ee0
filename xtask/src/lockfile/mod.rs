//! `racetrack.lock`: what the declaration gave when somebody last accepted it. It lies beside the declaration, is
//! generated, and is committed.
//!
//! ```toml
//! version = 1
//!
//! [toolchain]
//! rustc = "rustc 1.95.0 (59807616e 2026-04-14)"
//!
//! [[plugin]]                     # in the order of the declaration's tables
//! name = "skynet-watcher"
//! version = "1.2.3"
//! source = "zip:bundles/skynet-watcher-1.2.3.zip"
//! digest = "…"                   # BLAKE3 of the plugin's files
//! sha256 = "…"                   # of the ZIP, for bundles
//! priority = 0
//! components = []                # empty: all
//! hooks = ["post_job_deploy"]
//! allow-build-script = true      # left out when it is not allowed
//!
//! [components.lifecycle]
//! package = "racetrack-lifecycle"
//! path = "components/lifecycle"
//! plan = "…"                     # the plan digest
//! plugins = ["skynet-watcher 1.2.3"]
//!
//! [components.lifecycle.hooks]
//! post_job_deploy = ["skynet-watcher 1.2.3"]
//! ```
//!
//! The *plan digest* of a component covers its name, its crate, and its plugins in hook order, each with name, version,
//! priority, rank, the components it is meant for and the digest of its files. It covers neither the profile and the
//! target, which are chosen for each build, nor the versions of crates, which `locks/` holds, nor where a plugin comes
//! from; and nothing of the machine or of plugins for other components.

mod admission;
#[cfg(test)]
mod arbitrary;
mod capture;
mod changes;
mod difference;
mod order;
mod pairs;
mod read;
mod update;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use admission::{admit, advise, required};
pub(crate) use pairs::Pairs;
pub(crate) use read::read;
pub(crate) use update::update;

use crate::checkout::TOOLCHAIN;
use crate::declaration::Declaration;
use crate::plan::PlannedComponent;

/// The version of the format.
const FORMAT: i64 = 1;

/// The content of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    /// What compiles the components.
    pub(crate) toolchain: Toolchain,
    /// The plugins, in the order of the declaration.
    pub(crate) plugins: Vec<LockedPlugin>,
    /// The components, sorted by name.
    pub(crate) components: Vec<LockedComponent>,
}

/// A compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// What `rustc --version` says, which names the commit.
    pub(crate) rustc: String,
}

/// A plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockedPlugin {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The kind of source and the source as the declaration writes it: `path:plugins/one`.
    pub(crate) source: String,
    /// BLAKE3 over its files, hexadecimal.
    pub(crate) digest: String,
    /// SHA-256 of the ZIP file, hexadecimal, for bundles.
    pub(crate) sha256: Option<String>,
    /// Its priority.
    pub(crate) priority: i64,
    /// The components it is meant for, as manifest and declaration agree on; empty for all.
    pub(crate) components: Vec<String>,
    /// The hooks it implements, sorted by name.
    pub(crate) hooks: Vec<String>,
    /// Whether the declaration allows it a build script.
    pub(crate) allow_build_script: bool,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockedComponent {
    /// Its name.
    pub(crate) name: String,
    /// The package of its crate.
    pub(crate) package: String,
    /// The folder of that crate, relative to the checkout.
    pub(crate) path: String,
    /// The plan digest, hexadecimal.
    pub(crate) plan: String,
    /// The titles of its plugins, in hook order.
    pub(crate) plugins: Vec<String>,
    /// The titles of the plugins that implement each hook, in hook order.
    pub(crate) hooks: BTreeMap<String, Vec<String>>,
}

/// Whether a component is what the lock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is built by the locked toolchain from the locked plugins, in the locked order.
    Locked,
    /// It is not, or there is no lock.
    Unlocked,
}

/// The state of a component that is about to be built.
pub(crate) fn state_of(component: &PlannedComponent, lock: Option<&Lock>) -> State {
    let is_locked = lock.is_some_and(|lock| {
        let locked = lock.components.iter().find(|locked| locked.name == component.declaration.name);
        lock.toolchain == Toolchain::current()
            && locked.is_some_and(|locked| locked.plan == capture::plan_digest(component, &BTreeMap::new()))
            && component.plugins.iter().all(|plugin| !plugin.overridden)
    });
    if is_locked { State::Locked } else { State::Unlocked }
}

/// Where the lock of a declaration is: beside it, with another extension.
pub(crate) fn path(declaration: &Declaration) -> PathBuf {
    declaration.folder.join(file_name(&declaration.document.file))
}

/// `racetrack.lock` for `racetrack.toml`.
fn file_name(declaration: &Path) -> PathBuf {
    let is_taken = declaration.extension().is_some_and(|extension| extension == "lock");
    declaration.with_extension(if is_taken { "lock.lock" } else { "lock" })
}

impl Toolchain {
    /// The one that built this xtask, and that will build the components.
    pub(crate) fn current() -> Self {
        Self { rustc: TOOLCHAIN.to_owned() }
    }
}

impl LockedPlugin {
    /// `name version`, as orders list it.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_never_the_declaration() {
        let name = |declaration: &str| file_name(Path::new(declaration)).display().to_string();
        assert_eq!(name("racetrack.toml"), "racetrack.lock");
        assert_eq!(name("edge"), "edge.lock");
        assert_eq!(name("odd.lock"), "odd.lock.lock");
    }
}
