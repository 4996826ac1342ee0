//! The paths of an archive, which are not trusted.

use std::path::PathBuf;

/// The longest path in an archive, in bytes.
const MAX_PATH: usize = 1024;

/// The path, if it is plain and stays inside; empty for the root of the archive.
pub(super) fn inside(bytes: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.starts_with('/') || text.len() > MAX_PATH || text.contains(|c: char| c.is_control() || c == '\\')
    {
        return None;
    }
    let mut path = PathBuf::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            _ if part.len() > 255 => return None,
            _ => path.push(part),
        }
    }
    Some(path)
}

/// A path as far as it can be shown.
pub(super) fn escaped(path: &str) -> String {
    path.chars().take(200).collect::<String>().escape_debug().to_string()
}
