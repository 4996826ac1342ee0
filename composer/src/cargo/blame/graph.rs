//! Which crates depend on which, by the lock of a generated workspace.

use std::collections::{BTreeMap, BTreeSet};

use crate::cargo::crates::LockedCrate;
use crate::plan::PlannedPlugin;

/// What tells a crate of the lock from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrateId {
    /// The package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it is from; nothing for crates of the checkout and of plugins.
    pub source: Option<String>,
}

/// The crates of a workspace and their dependencies.
#[derive(Debug, Default)]
pub struct Graph(BTreeMap<CrateId, Vec<CrateId>>);

impl Graph {
    /// The graph of a `Cargo.lock`; empty if it is none, because a build that fails may leave no lock.
    pub fn of_lock(text: &str) -> Self {
        let packages = LockedCrate::parse_all(text).unwrap_or_default();
        let id = |package: &LockedCrate| CrateId {
            name: package.name.clone(),
            version: package.version.clone(),
            source: package.source.clone(),
        };
        let crates: Vec<_> = packages.iter().map(id).collect();
        let find = |written: &String| {
            let mut parts = written.splitn(3, ' ');
            let (name, version) = (parts.next()?, parts.next());
            let source = parts.next().map(|source| source.trim_matches(['(', ')']));
            let fits = |found: &&CrateId| {
                found.name == name
                    && version.is_none_or(|version| found.version == version)
                    && source.is_none_or(|source| found.source.as_deref() == Some(source))
            };
            crates.iter().find(fits).cloned()
        };
        let edges = packages.iter().map(|package| package.dependencies.iter().filter_map(find).collect());
        Self(crates.iter().cloned().zip(edges).collect())
    }

    /// The crates that come from a registry or a repository.
    pub fn external(&self) -> impl Iterator<Item = &CrateId> {
        self.0.keys().filter(|locked| locked.source.is_some())
    }

    /// Whether the crate of the plugin leads to that crate.
    pub fn plugin_leads_to(&self, plugin: &PlannedPlugin, wanted: &CrateId) -> bool {
        let is_start = |found: &CrateId| {
            found.source.is_none()
                && found.name == plugin.package
                && found.version == plugin.manifest.version.as_str()
        };
        let mut waiting: Vec<_> = self.0.keys().filter(|found| is_start(found)).collect();
        let mut seen = BTreeSet::new();
        while let Some(found) = waiting.pop() {
            if found == wanted {
                return true;
            }
            if seen.insert(found) {
                waiting.extend(self.0.get(found).into_iter().flatten());
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "bs58"
version = "0.5.1"
source = "registry+https://index"
dependencies = ["tinyvec 1.0.0"]

[[package]]
name = "tinyvec"
version = "0.9.0"
source = "registry+https://index"

[[package]]
name = "tinyvec"
version = "1.0.0"
source = "registry+https://index"

[[package]]
name = "circle"
version = "1.0.0"
dependencies = ["circle", "bs58"]
"#;

    #[test]
    fn edges_name_as_much_as_is_needed() {
        let graph = Graph::of_lock(LOCK);
        let versions = |name: &str| {
            let edges = graph.0.iter().filter(move |(from, _)| from.name == name).flat_map(|(_, to)| to);
            edges.map(|to| format!("{} {}", to.name, to.version)).collect::<Vec<_>>()
        };
        assert_eq!(versions("bs58"), ["tinyvec 1.0.0"]);
        assert_eq!(versions("circle"), ["circle 1.0.0", "bs58 0.5.1"]);
        assert_eq!(graph.external().count(), 3);
        assert_eq!(Graph::of_lock("what is this").external().count(), 0);
    }
}
