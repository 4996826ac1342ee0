//! Which crates depend on which, by the lock of a generated workspace.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::plan::PlannedPlugin;

/// A crate of the lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LockedCrate {
    /// The package.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Where it is from; nothing for crates of the checkout and of plugins.
    pub(crate) source: Option<String>,
}

/// The crates of a workspace and their dependencies.
#[derive(Debug, Default)]
pub(crate) struct Graph(BTreeMap<LockedCrate, Vec<LockedCrate>>);

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Graph {
    /// The graph of a `Cargo.lock`; empty if it is none, because a build that fails may leave no lock.
    pub(crate) fn of_lock(text: &str) -> Self {
        let packages = toml::from_str::<Lock>(text).map(|lock| lock.package).unwrap_or_default();
        let locked = |package: &Package| LockedCrate {
            name: package.name.clone(),
            version: package.version.clone(),
            source: package.source.clone(),
        };
        let crates: Vec<_> = packages.iter().map(locked).collect();
        // Cargo writes as much as is needed to tell crates apart: `name`, `name version` or `name version (source)`.
        let find = |written: &String| {
            let mut parts = written.splitn(3, ' ');
            let (name, version) = (parts.next()?, parts.next());
            let source = parts.next().map(|source| source.trim_matches(['(', ')']));
            let fits = |found: &&LockedCrate| {
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
    pub(crate) fn external(&self) -> impl Iterator<Item = &LockedCrate> {
        self.0.keys().filter(|locked| locked.source.is_some())
    }

    /// Whether the crate of the plugin leads to that crate.
    pub(crate) fn plugin_leads_to(&self, plugin: &PlannedPlugin, wanted: &LockedCrate) -> bool {
        let is_start = |found: &LockedCrate| {
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
