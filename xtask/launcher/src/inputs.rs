//! Everything that decides what the build system is compiled to, by content.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, io};

/// Variables that choose or configure compilers.
const VARIABLES: [&str; 8] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// Files of the checkout that every crate in it depends on.
const SHARED: [&str; 4] = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo/config.toml"];

/// A digest of each input, by its path or its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs(pub(crate) BTreeMap<String, u64>);

impl Inputs {
    /// Reads what `binary` was compiled from: the files that cargo lists beside it, the manifests of their crates, and what all
    /// crates share. Nothing when it was not compiled yet, or when a file is gone.
    pub(crate) fn read(binary: &Path, root: &Path, cargo: &OsStr) -> Option<Self> {
        let listed = fs::read_to_string(binary.with_extension("d")).ok()?;
        let mut files: BTreeSet<PathBuf> = paths(&listed).into_iter().collect();
        files.extend(
            files
                .iter()
                .filter_map(|file| crate_of(file))
                .map(|folder| folder.join("Cargo.toml"))
                .collect::<Vec<_>>(),
        );
        let mut inputs = BTreeMap::new();
        for file in &files {
            inputs.insert(file.to_str()?.to_owned(), digest(&fs::read(file).ok()?));
        }
        let optional = SHARED.iter().map(|name| root.join(name)).chain(configuration(root));
        // A build script that was not there before is nothing that cargo lists.
        let scripts = files.iter().filter_map(|file| crate_of(file)).map(|folder| folder.join("build.rs"));
        for file in optional.chain(scripts).collect::<BTreeSet<_>>() {
            let content = match fs::read(&file) {
                Ok(content) => content,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(_) => return None,
            };
            inputs.insert(file.to_str()?.to_owned(), digest(&content));
        }
        for name in VARIABLES {
            inputs.insert(name.to_owned(), digest(env::var_os(name).unwrap_or_default().as_encoded_bytes()));
        }
        inputs.insert("cargo".to_owned(), digest(cargo.as_encoded_bytes()));
        let rustc = Path::new(cargo).with_file_name("rustc").with_extension(env::consts::EXE_EXTENSION);
        for program in [binary, &rustc] {
            inputs.insert(format!("the program {}", program.display()), identity(program));
        }
        Some(Self(inputs))
    }

    /// Whether both have the same value for what both have.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        let is_same = |(name, value): (&String, &u64)| {
            // The binary itself is what a build changes.
            name.starts_with("the program ") || other.0.get(name).is_none_or(|found| found == value)
        };
        self.0.iter().all(is_same)
    }

    /// The folders of the crates whose files are other ones than `known`, and none of them newer than `time`, the time of `known`.
    pub(crate) fn hidden_changes(&self, known: &Self, time: Option<SystemTime>) -> BTreeSet<PathBuf> {
        let is_other = |name: &&String| self.0.get(*name) != known.0.get(*name);
        let changed: BTreeSet<_> = self.0.keys().chain(known.0.keys()).filter(is_other).collect();
        let is_newer = |name: &&String| {
            let modified = fs::metadata(name).and_then(|found| found.modified()).ok();
            modified.zip(time).is_some_and(|(modified, time)| modified > time)
        };
        let folders = |names: &mut dyn Iterator<Item = &String>| {
            names.filter_map(|name| crate_of(Path::new(name))).collect::<BTreeSet<_>>()
        };
        let seen = folders(&mut changed.iter().copied().filter(|name| is_newer(name)));
        folders(&mut changed.iter().copied()).into_iter().filter(|folder| !seen.contains(folder)).collect()
    }
}

/// The name that the manifest in `folder` gives its package.
pub(crate) fn package_name(folder: &Path) -> Result<String, String> {
    let path = folder.join("Cargo.toml");
    let text =
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    line.map(str::to_owned).ok_or_else(|| format!("{} does not name its package", path.display()))
}

/// The folder of the crate that a file belongs to; nothing for the folder of a workspace without a crate.
fn crate_of(file: &Path) -> Option<PathBuf> {
    let folder = file.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file())?;
    package_name(folder).is_ok().then(|| folder.to_owned())
}

/// The other places where cargo looks for its configuration.
fn configuration(root: &Path) -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let folders = root.ancestors().map(|folder| folder.join(".cargo")).chain(home);
    folders.flat_map(|folder| ["config", "config.toml"].map(|name| folder.join(name))).collect()
}

/// The paths behind the colon of a dependency file in the format of `make`, where blanks in paths are escaped.
fn paths(text: &str) -> Vec<PathBuf> {
    let rest = text.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, rest)| rest);
    let marked = rest.replace("\\ ", "\0");
    marked.split(' ').filter(|path| !path.is_empty()).map(|path| path.replace('\0', " ").into()).collect()
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// What distinguishes a program from another one in its place.
fn identity(path: &Path) -> u64 {
    let found = fs::metadata(path).and_then(|found| Ok((found.len(), found.modified()?)));
    let mut hasher = DefaultHasher::new();
    found.ok().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Checkout(tempfile::TempDir);

    impl Checkout {
        fn new() -> Self {
            let checkout = Self(tempfile::tempdir().unwrap());
            checkout.write("Cargo.toml", "[workspace]");
            for name in ["a", "with blank"] {
                checkout.write(&format!("{name}/Cargo.toml"), &format!("[package]\nname = \"{name}\"\n"));
                checkout.write(&format!("{name}/src/lib.rs"), "1");
            }
            let listed =
                ["a/src/lib.rs", "with blank/src/lib.rs"].map(|path| checkout.path(path).replace(' ', "\\ "));
            checkout.write("target/xtask.d", &format!("target/xtask: {}\n", listed.join(" ")));
            checkout
        }

        fn path(&self, path: &str) -> String {
            self.0.path().join(path).to_str().unwrap().to_owned()
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn read(&self) -> Inputs {
            Inputs::read(&self.0.path().join("target/xtask"), self.0.path(), OsStr::new("/x/cargo")).unwrap()
        }
    }

    #[test]
    fn every_change_is_noticed() {
        let checkout = Checkout::new();
        let first = checkout.read();
        assert_eq!(checkout.read(), first);
        for path in [
            "a/src/lib.rs",
            "with blank/src/lib.rs",
            "a/Cargo.toml",
            "a/build.rs",
            "Cargo.lock",
            ".cargo/config.toml",
            "rust-toolchain.toml",
            "target/xtask",
        ] {
            let former = fs::read_to_string(checkout.path(path)).ok();
            checkout.write(path, "name = \"other\"\nother");
            assert_ne!(checkout.read(), first, "{path}");
            match former {
                Some(former) => checkout.write(path, &former),
                None => fs::remove_file(checkout.path(path)).unwrap(),
            }
            assert_eq!(checkout.read(), first, "{path}");
        }
    }

    #[test]
    fn changes_that_times_hide_are_found() {
        let checkout = Checkout::new();
        let known = checkout.read();
        let now = SystemTime::now() + Duration::from_mins(1);
        let hidden = || checkout.read().hidden_changes(&known, Some(now));
        assert!(hidden().is_empty());
        checkout.write("a/src/lib.rs", "2");
        assert_eq!(hidden(), BTreeSet::from([checkout.0.path().join("a")]));
        let file = fs::File::options().append(true).open(checkout.path("a/src/lib.rs")).unwrap();
        file.set_modified(now + Duration::from_secs(1)).unwrap();
        assert!(hidden().is_empty(), "cargo sees that one");
    }

    #[test]
    fn packages_are_named_by_their_manifests() {
        let checkout = Checkout::new();
        assert_eq!(package_name(&checkout.0.path().join("with blank")).unwrap(), "with blank");
        assert!(package_name(checkout.0.path()).unwrap_err().contains("does not name its package"));
    }
}
