//! The files of a plugin source as a whole: which may stand beside each other, and their digest.

use std::collections::HashMap;
use std::path::Path;

use unicode_normalization::UnicodeNormalization as _;

use crate::{Diagnostic, Diagnostics, Location, SourceFile, codes, limits};

/// Mistakes that only show when paths are compared: names that fold together, files that are also folders. Each
/// path was accepted by itself and comes with whether it is a file; `shown` is the source as shown to people.
pub(crate) fn compare_paths<'a>(
    paths: impl IntoIterator<Item = (&'a str, bool)>,
    shown: &Path,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    // Folded path -> (path as written, whether it is a file). Proper prefixes of paths are folders.
    let mut seen: HashMap<String, (&str, bool)> = HashMap::new();
    for (path, is_file) in paths {
        let ends = path.match_indices('/').map(|(end, _)| (end, false)).chain([(path.len(), is_file)]);
        for (end, is_file) in ends {
            let prefix = &path[..end];
            let (other, other_is_file) = *seen.entry(folded(prefix)).or_insert((prefix, is_file));
            if other != prefix {
                let message = collision(other, prefix);
                let help = "some file systems keep only one of the two: rename one";
                let location = Location::file(shown);
                diagnostics.push(Diagnostic::new(codes::CASE_COLLISION, location, message).with_help(help));
            } else if other_is_file != is_file {
                let message = format!("`{prefix}` is a file and also the folder of another file");
                let help = "rename one of the two";
                let location = Location::file(shown);
                diagnostics.push(Diagnostic::new(codes::FILE_IS_FOLDER, location, message).with_help(help));
            } else {
                continue;
            }
            // One mistake per path: its longer prefixes would repeat it.
            break;
        }
    }
    diagnostics
}

/// Refuses more files, or more bytes in all, than the limits allow.
pub(crate) fn check_total(count: usize, bytes: u64, shown: &Path) -> Result<(), Diagnostic> {
    let location = || Location::file(shown);
    if count > limits::FILES {
        let message = format!("the source has more than {} files", limits::FILES);
        let help = "leave files out by a `.racetrackignore`";
        return Err(Diagnostic::new(codes::TOO_MANY_FILES, location(), message).with_help(help));
    }
    if bytes > limits::TOTAL_BYTES {
        let message = format!("all files together have more than {} MiB", limits::TOTAL_BYTES >> 20);
        let help = "leave files out by a `.racetrackignore`";
        return Err(Diagnostic::new(codes::SOURCE_TOO_LARGE, location(), message).with_help(help));
    }
    Ok(())
}

/// Says that so many of `what` were refused that nobody would read more.
pub(crate) fn too_many_refusals(what: &str, shown: &Path) -> Diagnostic {
    let message = format!("{} {what} are refused; the rest was not looked at", limits::REFUSALS);
    Diagnostic::new(codes::TOO_MANY_REFUSALS, Location::file(shown), message).with_help("mend these first")
}

/// BLAKE3, in hex, over the length and bytes of each path and each content, in order. `files` are sorted by path.
pub(crate) fn digest(files: &[SourceFile]) -> String {
    digest_of(files.iter().map(|file| (file.path.as_str(), &file.content)))
}

/// The same of files that are not in memory as such: their paths and contents.
pub(crate) fn digest_of<'a>(files: impl IntoIterator<Item = (&'a str, impl AsRef<[u8]>)>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, content) in files {
        for part in [path.as_bytes(), content.as_ref()] {
            // Without the lengths, bytes could move from a content to the next path unnoticed.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().to_hex().to_string()
}

fn collision(one: &str, other: &str) -> String {
    if one.nfc().eq(other.nfc()) {
        // They look alike, so what differs is spelled out.
        let (one, other) = (one.escape_default(), other.escape_default());
        return format!("`{one}` and `{other}` are one name written in two forms of Unicode");
    }
    format!("`{one}` and `{other}` differ only in case")
}

/// What a file system that ignores case and normalizes Unicode takes a path for.
fn folded(path: &str) -> String {
    path.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Vec<String> {
        let files = paths.iter().map(|path| (*path, true));
        compare_paths(files, Path::new("x.zip")).0.into_iter().map(|one| one.message).collect()
    }

    fn file(path: &str, content: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), content: content.as_bytes().to_vec() }
    }

    #[test]
    fn names_that_fold_together_are_found_at_any_depth() {
        assert_eq!(found(&["a/B/c", "a/b/d"]), ["`a/B` and `a/b` differ only in case"]);
        assert_eq!(found(&["e\u{301}", "\u{e9}"]).len(), 1);
        assert_eq!(found(&["ÉA", "éa"]).len(), 1);
        assert_eq!(found(&["a/b", "a/c", "ab"]), [""; 0]);
    }

    #[test]
    fn a_file_that_is_a_folder_is_found_in_either_order() {
        assert_eq!(found(&["a", "a/b"]), ["`a` is a file and also the folder of another file"]);
        assert_eq!(found(&["a/b", "a"]), ["`a` is a file and also the folder of another file"]);
    }

    #[test]
    fn the_digest_keeps_paths_and_contents_apart() {
        let one = digest(&[file("a", "bc")]);
        assert_ne!(one, digest(&[file("ab", "c")]));
        assert_ne!(one, digest(&[file("a", "b"), file("c", "")]));
        assert_eq!(one, digest(&[file("a", "bc")]));
        assert_eq!(one.len(), 64);
    }
}
