//! A plugin source as it is given on the command line, and the keys that declare it.

use std::path::{Path, PathBuf};

use toml_edit::Value;

use crate::declaration::edit::Entry;
use crate::declaration::normal;
use crate::files::relative;

/// Why a source cannot be declared.
#[derive(Debug, thiserror::Error)]
pub enum SourceArgumentError {
    /// The path is to be written into a text.
    #[error("the path {path:?} is no text")]
    NotText {
        /// The path.
        path: PathBuf,
    },
}

/// The keys that declare a source in the declaration of `folder`; a path is relative to the folder `current`. Both are
/// canonical. Whether there is such a source is for the check of the declaration to say.
pub fn entries(argument: &str, folder: &Path, current: &Path) -> Result<Vec<Entry>, SourceArgumentError> {
    let path = normal(&current.join(argument));
    let is_bundle =
        path.is_file() || !path.exists() && path.extension().is_some_and(|extension| extension == "zip");
    let key = if is_bundle { "zip" } else { "path" };
    Ok(vec![(key, quoted(&declared_path(folder, &path)?))])
}

/// Whether a source is an address rather than a path.
pub fn is_elsewhere(argument: &str) -> bool {
    argument.contains("://") || argument.contains("==")
}

/// A text as TOML.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A path as a declaration writes it, with `/` on every system.
fn declared_path(folder: &Path, path: &Path) -> Result<String, SourceArgumentError> {
    let relative = relative(folder, path);
    let not_text = || SourceArgumentError::NotText { path: relative.clone() };
    let parts = relative.components().map(|part| part.as_os_str().to_str().ok_or_else(not_text));
    let parts: Vec<_> = parts.collect::<Result<_, _>>()?;
    Ok(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_declared_relative_to_the_declaration() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs_err::create_dir_all(root.join("sub/plugins/o\"ne.zip")).unwrap();
        fs_err::write(root.join("sub/bundle"), "").unwrap();
        let entries = |argument: &str, current: &str| {
            let found = entries(argument, &root.join("sub"), &root.join(current)).unwrap();
            let (key, value) = &found[0];
            format!("{key} = {value}")
        };
        assert_eq!(entries("plugins/x", "sub"), "path = \"plugins/x\"");
        assert_eq!(entries("./plugins/../x/", "sub"), "path = \"x\"");
        assert_eq!(entries("x.zip", "."), "zip = \"../x.zip\"");
        assert_eq!(entries("bundle", "sub"), "zip = \"bundle\"");
        assert_eq!(entries("..", "sub/plugins"), "path = \".\"");
        assert_eq!(entries("o\"ne.zip", "sub/plugins"), "path = 'plugins/o\"ne.zip'");
        let absolute = root.join("sub/plugins/x");
        assert_eq!(entries(absolute.to_str().unwrap(), "."), "path = \"plugins/x\"");
    }
}
