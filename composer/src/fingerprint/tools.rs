//! The programs that a build runs as part of its fingerprint: the toolchain, the C compiler and linker, and whatever a variable or
//! a setting of cargo names.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use super::identity::identity;

/// Programs that are looked up by name.
const LOOKED_UP: [&str; 6] = ["rustc", "cc", "c++", "ar", "as", "ld"];

/// Finds programs as cargo would.
pub(super) struct Tools<'a> {
    /// The folders that are searched.
    folders: Vec<PathBuf>,
    variables: &'a BTreeMap<OsString, OsString>,
}

impl<'a> Tools<'a> {
    /// Searches the folders that `PATH` of these variables names.
    pub(super) fn new(variables: &'a BTreeMap<OsString, OsString>) -> Self {
        let path = variables.get(OsStr::new("PATH"));
        let folders = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
        Self { folders, variables }
    }

    /// The file that a word means: a path relative to `base`, or a program in the search path; nothing if it is neither.
    pub(super) fn find(&self, word: &OsStr, base: &Path) -> Option<PathBuf> {
        let is_file = |path: PathBuf| path.is_file().then_some(path);
        let bytes = word.as_encoded_bytes();
        if bytes.is_empty() || bytes.contains(&b'\n') || bytes.len() > 4096 {
            return None;
        }
        if Path::new(word).components().count() > 1 {
            return is_file(base.join(word));
        }
        self.folders.iter().find_map(|folder| is_file(folder.join(word)))
    }

    /// A line of the fingerprint for each program, except those that settings of cargo name; nothing when the toolchain is
    /// not one folder with all its parts.
    pub(super) fn lines(&self, cargo: &OsStr, targets: &[&str]) -> Result<Option<BTreeMap<String, String>>> {
        let Some(mut files) = self.toolchain(cargo, targets)? else {
            return Ok(None);
        };
        files.extend(LOOKED_UP.iter().filter_map(|name| self.find(OsStr::new(name), Path::new(""))));
        let named = self.variables.values().filter(|value| value.len() < 4096);
        files.extend(named.filter_map(|value| self.find(value, Path::new("/"))));
        files.into_iter().map(|file| line(&file)).collect::<Result<_>>().map(Some)
    }

    /// The parts of the toolchain that decide the bytes: its programs, the compiler, and the standard library of each target.
    fn toolchain(&self, cargo: &OsStr, targets: &[&str]) -> Result<Option<BTreeSet<PathBuf>>> {
        let Some(cargo) = self.find(cargo, Path::new("")) else {
            return Ok(None);
        };
        let cargo = fs::canonicalize(cargo)?;
        let rustc = cargo.with_file_name("rustc").with_extension(std::env::consts::EXE_EXTENSION);
        let Some(sysroot) = cargo.parent().and_then(Path::parent).filter(|_| rustc.is_file()) else {
            // The compiler is elsewhere.
            return Ok(None);
        };
        let mut files = BTreeSet::from([cargo.clone(), rustc]);
        let libraries = sysroot.join("lib");
        let mut folders = vec![libraries.clone()];
        for target in targets {
            let parts = ["lib", "bin"].map(|part| libraries.join("rustlib").join(target).join(part));
            if !parts[0].is_dir() {
                // A proxy that chooses a toolchain, beside the proxies of its other programs.
                return Ok(None);
            }
            folders.extend(parts);
        }
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                // `lib` of a system's own toolchain holds everything that is installed.
                let is_compiler = |name: &OsStr| {
                    let name = name.to_string_lossy();
                    ["librustc_driver", "libstd", "libLLVM"].iter().any(|prefix| name.starts_with(prefix))
                };
                if path.is_file() && (*folder != libraries || path.file_name().is_some_and(is_compiler)) {
                    files.insert(path);
                }
            }
        }
        Ok(Some(files))
    }
}

/// What distinguishes a program from another one in its place.
pub(super) fn line(file: &Path) -> Result<(String, String)> {
    let found = identity(file).with_context(|| format!("cannot look at {}", file.display()))?;
    Ok((format!("program {}", file.display()), found.unwrap_or_default()))
}
