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
//! from; and nothing of the machine or of plugins for other components. Where a plugin comes from was accepted all the same:
//! a component is *locked* if its own entry and those of its plugins are what the lock has.

mod admission;
#[cfg(test)]
mod arbitrary;
mod capture;
mod changes;
mod difference;
mod line_endings;
mod order;
mod pairs;
mod read;
mod update;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use admission::{Admitted, admit, admit_for_measurement, advise, line_ending_changes, required};
pub use order::OrderDifference;
pub use pairs::Pairs;
pub use read::read;
pub use update::update;

use crate::checkout::TOOLCHAIN;
use crate::declaration::Declaration;
use crate::plan::Loaded;

/// The version of the format.
const FORMAT: i64 = 1;

/// The content of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What compiles the components.
    pub toolchain: Toolchain,
    /// The plugins, in the order of the declaration.
    pub plugins: Vec<LockedPlugin>,
    /// The components, sorted by name.
    pub components: Vec<LockedComponent>,
}

/// A compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// What `rustc --version` says, which names the commit.
    pub rustc: String,
}

/// A plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPlugin {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The kind of source and the source as the declaration writes it: `path:plugins/one`.
    pub source: String,
    /// BLAKE3 over its files, hexadecimal.
    pub digest: String,
    /// SHA-256 of the ZIP file, hexadecimal, for bundles.
    pub sha256: Option<String>,
    /// Its priority.
    pub priority: i64,
    /// The components it is meant for, as manifest and declaration agree on; empty for all.
    pub components: Vec<String>,
    /// The hooks it implements, sorted by name.
    pub hooks: Vec<String>,
    /// Whether the declaration allows it a build script.
    pub allow_build_script: bool,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedComponent {
    /// Its name.
    pub name: String,
    /// The package of its crate.
    pub package: String,
    /// The folder of that crate, relative to the checkout.
    pub path: String,
    /// The plan digest, hexadecimal.
    pub plan: String,
    /// The titles of its plugins, in hook order.
    pub plugins: Vec<String>,
    /// The titles of the plugins that implement each hook, in hook order.
    pub hooks: BTreeMap<String, Vec<String>>,
}

/// The names of the components that are what the lock says: built by the locked toolchain from the locked plugins, in the
/// locked order. None if there is no lock.
pub fn locked_components(loaded: &Loaded, lock: Option<&Lock>) -> BTreeSet<String> {
    let Some(lock) = lock else {
        return BTreeSet::new();
    };
    let overridden = |name: &str| {
        let mut components = loaded.plan.components.iter();
        let component = components.find(|component| component.declaration.name == name);
        component.is_some_and(|component| component.plugins.iter().any(|plugin| plugin.overridden))
    };
    let actual = Lock::of(loaded);
    let names = actual.components.iter().map(|component| component.name.clone());
    names.filter(|name| lock.agrees(&actual, name) && !overridden(name)).collect()
}

/// Where the lock of a declaration is: beside it, with another extension.
pub fn path(declaration: &Declaration) -> PathBuf {
    declaration.folder.join(file_name(&declaration.document.file))
}

/// The name of the lock of a declaration, as shown to people.
pub fn shown(declaration: &Declaration) -> String {
    file_name(&declaration.document.file).display().to_string()
}

/// `racetrack.lock` for `racetrack.toml`.
pub fn file_name(declaration: &Path) -> PathBuf {
    let is_taken = declaration.extension().is_some_and(|extension| extension == "lock");
    declaration.with_extension(if is_taken { "lock.lock" } else { "lock" })
}

impl Toolchain {
    /// The one that built this xtask, and that will build the components.
    pub fn current() -> Self {
        Self { rustc: TOOLCHAIN.to_owned() }
    }
}

impl Lock {
    /// Whether `actual` has what this lock says about a component and everything it is made of.
    fn agrees(&self, actual: &Self, component: &str) -> bool {
        let (Some(locked), Some(component)) = (self.component(component), actual.component(component)) else {
            return false;
        };
        let mut held = actual.plugins.iter().filter(|plugin| component.plugins.contains(&plugin.title()));
        self.toolchain == actual.toolchain
            && locked == component
            && held.all(|plugin| self.plugins.contains(plugin))
    }
}

impl LockedPlugin {
    /// `name version`, as orders list it.
    pub fn title(&self) -> String {
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

    /// Two components, `a` with plugin `one` and `b` with plugin `two`.
    fn lock() -> Lock {
        let plugin = |name: &str| LockedPlugin {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            source: format!("zip:bundles/{name}.zip"),
            digest: "ab".to_owned(),
            sha256: Some("cd".to_owned()),
            priority: 0,
            components: Vec::new(),
            hooks: Vec::new(),
            allow_build_script: false,
        };
        let component = |name: &str, plugin: &str| LockedComponent {
            name: name.to_owned(),
            package: name.to_owned(),
            path: name.to_owned(),
            plan: "ef".to_owned(),
            plugins: vec![plugin.to_owned()],
            hooks: BTreeMap::new(),
        };
        Lock {
            toolchain: Toolchain { rustc: "rustc".to_owned() },
            plugins: vec![plugin("one"), plugin("two")],
            components: vec![component("a", "one 1.0.0"), component("b", "two 1.0.0")],
        }
    }

    #[test]
    fn a_component_agrees_only_with_all_that_was_accepted_of_its_plugins() {
        let agreeing = |edit: fn(&mut Lock)| {
            let mut actual = lock();
            edit(&mut actual);
            ["a", "b"].map(|component| lock().agrees(&actual, component))
        };
        assert_eq!(agreeing(|_| {}), [true, true]);
        assert_eq!(agreeing(|lock| lock.plugins[0].source.push('x')), [false, true]);
        assert_eq!(agreeing(|lock| lock.plugins[0].sha256 = None), [false, true]);
        assert_eq!(agreeing(|lock| lock.plugins[1].allow_build_script = true), [true, false]);
        assert_eq!(agreeing(|lock| lock.components[0].plan.push('x')), [false, true]);
        assert_eq!(agreeing(|lock| lock.plugins.reverse()), [true, true]);
        assert_eq!(agreeing(|lock| drop(lock.components.remove(0))), [false, true]);
        assert_eq!(agreeing(|lock| lock.toolchain.rustc.push('x')), [false, false]);
    }
}
