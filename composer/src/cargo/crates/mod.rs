//! The crates that a component binary is made of: those linked into it, and those that only ran while it was built.
//!
//! Cargo's metadata joins the features that hosts, tests and targets want, and so lists crates that are never built; its
//! dependency tree resolves features as a build does. So the tree is read, once per change of a lock or a manifest, and
//! every build compares it with what cargo then built.

pub mod audit;
mod cache;
mod lock;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

pub use cache::{key, load, store};
pub use lock::{LockedCrate, LockedCrates};
pub use tree::{FORMAT, Tree};

/// The crates of a component, sorted by name and version; the numbers in it are places in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrateSet(pub(crate) Vec<Crate>);

/// One crate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crate {
    /// The name of its package.
    pub name: String,
    /// The version of its package.
    pub version: String,
    /// Where it is from.
    pub source: CrateSource,
    /// SHA-256 of its archive, hexadecimal, as the lock has it.
    pub checksum: Option<String>,
    /// The licence as its manifest writes it.
    pub licence: Option<String>,
    /// Whether it is in the binary.
    pub is_linked: bool,
    /// The linked crates it depends on, ascending; none for crates that are not linked.
    pub linked_dependencies: Vec<usize>,
    /// All it depends on, ascending: the linked crates, procedural macros, what its build script needs.
    pub dependencies: Vec<usize>,
}

/// Where a crate is from, the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrateSource {
    /// The generated package itself: the root.
    Binary,
    /// A folder of the checkout, relative, with `/` between its parts.
    Checkout(String),
    /// A plugin, by the name of its folder in the store.
    Plugin(String),
    /// Cargo's default registry.
    DefaultRegistry,
    /// Another registry, by its index as the lock writes it.
    Registry(String),
    /// A git repository, with the commit, as the lock writes it.
    Git(String),
}

impl CrateSet {
    /// Puts together what cargo tells: the tree of linked crates, the tree of all crates, and the lock. `workspace` is
    /// the canonical folder they are from.
    pub fn new(linked: &Tree, all: &Tree, lock: &LockedCrates, workspace: &Path) -> Result<Self> {
        let mut found = BTreeMap::new();
        for package in all.packages.iter().chain(&linked.packages) {
            let locked = lock.find(package)?;
            let source = source(package, locked.source.as_deref(), workspace)
                .with_context(|| format!("cannot tell where {} {} is from", package.name, package.version))?;
            found.insert((package, source), locked.checksum.clone());
        }
        let places: BTreeMap<_, _> =
            found.keys().enumerate().map(|(place, (package, _))| (*package, place)).collect();
        ensure!(places.len() == found.len(), "cargo lists a crate with two sources");
        let place = |package: &tree::TreePackage| places[package];
        let followed = |tree: &Tree, of: usize| {
            let edges = tree.edges.iter().map(|(from, to)| [*from, *to].map(|at| place(&tree.packages[at])));
            edges.filter(|[from, _]| *from == of).map(|[_, to]| to).collect::<BTreeSet<_>>()
        };
        let is_linked: BTreeSet<_> = linked.packages.iter().map(place).collect();
        let crates = found.into_iter().enumerate().map(|(at, ((package, source), checksum))| {
            let linked_dependencies = followed(linked, at);
            let dependencies = followed(all, at).union(&linked_dependencies).copied().collect();
            Crate {
                name: package.name.clone(),
                version: package.version.clone(),
                source,
                checksum,
                licence: package.licence.clone(),
                is_linked: is_linked.contains(&at),
                linked_dependencies: linked_dependencies.into_iter().collect(),
                dependencies,
            }
        });
        Ok(Self(crates.collect()))
    }

    /// The linked crates.
    pub fn linked(&self) -> impl Iterator<Item = &Crate> {
        self.0.iter().filter(|one| one.is_linked)
    }

    /// The crates that only ran while the binary was built.
    pub fn build_time(&self) -> impl Iterator<Item = &Crate> {
        self.0.iter().filter(|one| !one.is_linked)
    }

    /// Refuses a list that is not what cargo has built: `built` are name and version of the package of every artefact.
    pub fn check(&self, built: &BTreeSet<(String, String)>) -> Result<()> {
        let listed = |one: &Crate| (one.name.clone(), one.version.clone());
        let missing = self.linked().map(listed).find(|title| !built.contains(title));
        if let Some((name, version)) = missing {
            bail!("the crate {name} {version} is listed as linked, but cargo did not build it");
        }
        let known: BTreeSet<_> = self.0.iter().map(listed).collect();
        if let Some((name, version)) = built.difference(&known).next() {
            bail!("cargo built the crate {name} {version}, which is not among the crates of the component");
        }
        Ok(())
    }
}

impl Crate {
    /// Whether it is what `main.rs` was generated into.
    pub fn is_root(&self) -> bool {
        self.source == CrateSource::Binary
    }
}

fn source(package: &tree::TreePackage, locked: Option<&str>, workspace: &Path) -> Result<CrateSource> {
    match (&package.place, locked) {
        (None, _) => Ok(CrateSource::DefaultRegistry),
        (Some(_), Some(source)) if source.starts_with("git+") => Ok(CrateSource::Git(source.to_owned())),
        (Some(_), Some(source)) => Ok(CrateSource::Registry(source.to_owned())),
        (Some(place), None) => {
            let inside = Path::new(place).strip_prefix(workspace);
            let inside = inside.with_context(|| format!("{place} is outside of the generated workspace"))?;
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            Ok(match &parts[..] {
                [] => CrateSource::Binary,
                // A plugin may bring crates of its own, in folders of its folder.
                [plugins, folder, ..] if plugins == "plugins" => CrateSource::Plugin(folder.to_string()),
                parts => CrateSource::Checkout(parts.join("/")),
            })
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const LINKED: &str = "0\tracetrack-a-binary v0.0.0 (/w)\t\n\
                          1\tone v1.0.0 (/w/plugins/one-1.0.0-abc)\tMIT\n\
                          2\tcore v0.1.0 (/w/core)\tApache-2.0\n\
                          3\tserde v1.0.2\tMIT OR Apache-2.0\n\
                          1\tcore v0.1.0 (/w/core)\tApache-2.0 (*)\n\
                          1\tforked v2.0.0 (https://host.invalid/x?rev=1#12345678)\tMIT/Apache-2.0\n";
    const ALL: &str = "0\tracetrack-a-binary v0.0.0 (/w)\t\n\
                       1\tone v1.0.0 (/w/plugins/one-1.0.0-abc)\tMIT\n\
                       2\tcore v0.1.0 (/w/core)\tApache-2.0\n\
                       3\tmacros v0.1.0 (proc-macro) (/w/core/macros)\tApache-2.0\n\
                       4\tquote v1.0.0\tMIT\n\
                       3\tserde v1.0.2\tMIT OR Apache-2.0\n\
                       1\tcore v0.1.0 (/w/core)\tApache-2.0 (*)\n\
                       1\tforked v2.0.0 (https://host.invalid/x?rev=1#12345678)\tMIT/Apache-2.0\n\
                       2\tquote v1.0.0\tMIT\n";
    const LOCK: &str = "version = 4\n\
        [[package]]\nname = \"core\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"forked\"\nversion = \"2.0.0\"\nsource = \"git+https://host.invalid/x?rev=1#1234567890\"\n\
        [[package]]\nname = \"macros\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"one\"\nversion = \"1.0.0\"\n\
        [[package]]\nname = \"quote\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\nchecksum = \"aa\"\n\
        [[package]]\nname = \"racetrack-a-binary\"\nversion = \"0.0.0\"\n\
        [[package]]\nname = \"serde\"\nversion = \"1.0.2\"\nsource = \"registry+x\"\nchecksum = \"bb\"\n";

    /// A plugin, a crate of the checkout, one of a registry, one from git; a procedural macro and what it needs.
    pub fn crate_set() -> CrateSet {
        let [linked, all] = [LINKED, ALL].map(|text| Tree::parse(text).unwrap());
        CrateSet::new(&linked, &all, &LockedCrates::parse(LOCK).unwrap(), Path::new("/w")).unwrap()
    }

    #[test]
    fn sources_do_not_depend_on_the_machine() {
        let set = crate_set();
        let sources: Vec<_> = set.0.iter().map(|one| (one.name.as_str(), one.source.clone())).collect();
        assert_eq!(
            sources,
            [
                ("core", CrateSource::Checkout("core".to_owned())),
                ("forked", CrateSource::Git("git+https://host.invalid/x?rev=1#1234567890".to_owned())),
                ("macros", CrateSource::Checkout("core/macros".to_owned())),
                ("one", CrateSource::Plugin("one-1.0.0-abc".to_owned())),
                ("quote", CrateSource::DefaultRegistry),
                ("racetrack-a-binary", CrateSource::Binary),
                ("serde", CrateSource::DefaultRegistry),
            ]
        );
        assert!(!serde_json::to_string(&set).unwrap().contains("/w"));
    }

    #[test]
    fn what_only_runs_during_the_build_is_told_apart() {
        let set = crate_set();
        assert_eq!(
            set.linked().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["core", "forked", "one", "racetrack-a-binary", "serde"]
        );
        assert_eq!(set.build_time().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["macros", "quote"]);
        let core = &set.0[0];
        assert_eq!((&core.linked_dependencies[..], &core.dependencies[..]), (&[6][..], &[2, 6][..]));
        assert_eq!(core.checksum, None);
        assert_eq!(set.0[6].checksum.as_deref(), Some("bb"));
        assert_eq!(set.0.iter().filter(|one| one.is_root()).count(), 1);
    }

    #[test]
    fn a_list_that_is_not_what_was_built_is_refused() {
        let set = crate_set();
        let mut built: BTreeSet<_> =
            set.0.iter().map(|one| (one.name.clone(), one.version.clone())).collect();
        set.check(&built).unwrap();
        built.insert(("extra".to_owned(), "1.0.0".to_owned()));
        let message = set.check(&built).unwrap_err().to_string();
        assert!(message.contains("cargo built the crate extra 1.0.0"), "{message}");
        built.remove(&("serde".to_owned(), "1.0.2".to_owned()));
        let message = set.check(&built).unwrap_err().to_string();
        assert!(message.contains("serde 1.0.2 is listed as linked, but"), "{message}");
    }
}
