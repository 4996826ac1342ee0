//! The resource files of a plugin.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The files of a plugin's `resources/` folder, embedded in the component binary.
#[derive(Clone, Copy, Debug)]
pub struct Resources(&'static [ResourceFile]);

/// A file embedded in the component binary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResourceFile {
    /// The path below the plugin's `resources/` folder, with `/` between its parts.
    pub path: &'static str,
    /// The bytes of the file.
    pub content: &'static [u8],
}

/// The resource asked for is not in the binary.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no resource file `{path}`; there is {known}")]
pub struct ResourceNotFound {
    /// The path asked for.
    pub path: String,
    /// The paths there are.
    pub known: String,
}

impl Resources {
    pub(crate) const fn new(files: &'static [ResourceFile]) -> Self {
        Self(files)
    }

    /// The content of one file; `path` is relative to `resources/`.
    ///
    /// # Errors
    /// [`ResourceNotFound`], naming the files there are.
    pub fn get(&self, path: &str) -> Result<&'static [u8], ResourceNotFound> {
        let found = self.0.iter().find(|file| file.path == path).map(|file| file.content);
        found.ok_or_else(|| {
            let known: Vec<_> = self.0.iter().map(|file| format!("`{}`", file.path)).collect();
            let known = if known.is_empty() { "no file at all".to_owned() } else { known.join(", ") };
            ResourceNotFound { path: path.to_owned(), known }
        })
    }

    /// Every file.
    pub fn iter(&self) -> impl Iterator<Item = &'static ResourceFile> + use<> {
        self.0.iter()
    }

    /// Writes every file below `folder`, for tools that need real files. Files that are there with the same content
    /// are left alone, so their times do not change.
    ///
    /// # Errors
    /// Whatever the file system says, with the path.
    pub fn write_to(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.iter().map(|file| write_resource(folder, file)).collect()
    }
}

impl fmt::Debug for ResourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceFile({}, {} bytes)", self.path, self.content.len())
    }
}

fn write_resource(folder: &Path, file: &ResourceFile) -> io::Result<PathBuf> {
    let path = folder.join(file.path);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    if std::fs::read(&path).is_ok_and(|content| content == file.content) {
        return Ok(path);
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(named)?;
    }
    std::fs::write(&path, file.content).map_err(named)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use crate::PluginContext;

    #[test]
    fn resources_are_found_listed_and_written_out() {
        let context = PluginContext::builder("a", "1.0.0")
            .resource("a.txt", b"one")
            .resource("sub/b.txt", b"two")
            .build();
        assert_eq!(context.resources().get("sub/b.txt"), Ok(&b"two"[..]));
        let missing = context.resources().get("c.txt").expect_err("not there");
        assert_eq!(missing.to_string(), "no resource file `c.txt`; there is `a.txt`, `sub/b.txt`");

        let folder = std::env::temp_dir().join(format!("racetrack-resources-{}", std::process::id()));
        let written = context.resources().write_to(&folder).expect("can be written");
        assert_eq!(std::fs::read(&written[1]).expect("is there"), b"two");
        let before = std::fs::metadata(&written[0]).and_then(|meta| meta.modified()).expect("has a time");
        context.resources().write_to(&folder).expect("can be written again");
        let after = std::fs::metadata(&written[0]).and_then(|meta| meta.modified()).expect("has a time");
        assert_eq!(before, after);
        std::fs::remove_dir_all(folder).expect("can be removed");
    }
}
