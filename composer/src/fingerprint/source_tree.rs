//! The files of a crate of the checkout that a build may read.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use fs_err as fs;

/// Folders of a crate that never get into a binary.
const NOT_BUILT: [&str; 4] = ["benches", "examples", "target", "tests"];

/// The files of one crate by their path in it, with `/` between its parts. A crate in a folder of another one is not part of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTree(BTreeMap<String, SourceFile>);

/// A file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its content.
    pub content: Vec<u8>,
    /// When its content was last changed, as the file says.
    pub modified: SystemTime,
    /// When the file was last touched in any way, where the system knows.
    pub touched: Option<SystemTime>,
}

impl SourceTree {
    /// Reads every file in `folder` from which cargo may build the crate.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut waiting = vec![(folder.to_path_buf(), String::new())];
        while let Some((folder, prefix)) = waiting.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let (path, shown) = (entry.path(), format!("{prefix}{name}"));
                if name.starts_with('.') || NOT_BUILT.contains(&shown.as_str()) {
                    continue;
                }
                if path.is_file() {
                    files.insert(shown, SourceFile::read(&path)?);
                } else if path.is_dir() && !path.join("Cargo.toml").exists() {
                    waiting.push((path, format!("{shown}/")));
                }
            }
        }
        Ok(Self(files))
    }

    /// Adds a file that is outside of the crate under its absolute path; nothing when it is not there.
    pub fn add(&mut self, path: &Path) -> Result<Option<&SourceFile>> {
        if !path.is_file() {
            return Ok(None);
        }
        let name = path.to_string_lossy().into_owned();
        let file = SourceFile::read(path)?;
        Ok(Some(self.0.entry(name).insert_entry(file).into_mut()))
    }

    /// Whether there is a file of that path.
    pub fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// All files, sorted by their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &SourceFile)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// BLAKE3 over the path and the content of every file, hexadecimal.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, file) in &self.0 {
            for part in [path.as_bytes(), &file.content] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

impl SourceFile {
    /// Whether it was, or may have been, touched at that time or later.
    pub fn is_touched_since(&self, time: SystemTime) -> bool {
        self.touched.is_none_or(|touched| touched >= time)
    }

    fn read(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path)?;
        let modified =
            metadata.modified().with_context(|| format!("cannot see when {} was changed", path.display()))?;
        Ok(Self { content: fs::read(path)?, modified, touched: touched(&metadata) })
    }
}

#[cfg(unix)]
fn touched(metadata: &std::fs::Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

#[cfg(not(unix))]
fn touched(_: &std::fs::Metadata) -> Option<SystemTime> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_built_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let digest = || SourceTree::read(root.path()).unwrap().digest();
        write("Cargo.toml", "[package]");
        write("src/tests/mod.rs", "1");
        let first = digest();
        for path in ["tests/it.rs", "target/x", ".hidden", "macros/Cargo.toml", "macros/src/lib.rs"] {
            write(path, "other");
            assert_eq!(digest(), first, "{path}");
        }
        write("src/tests/mod.rs", "2");
        let second = digest();
        assert_ne!(second, first);
        write("resources/page.html", "");
        assert_ne!(digest(), second);
    }
}
