//! The files of a commit, as the commit has them: no conversion of line endings, no attributes, no filters.

use std::io;
use std::path::Path;

use fs_err as fs;
use racetrack_bundle::limits;

use super::repository::{GitError, Repository};

const FILE: &str = "100644";
const EXECUTABLE: &str = "100755";
const LINK: &str = "120000";

/// Why the files of a commit were not written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Git did not give them.
    #[error("cannot read the commit")]
    Git(#[source] GitError),
    /// The folder is not there.
    #[error("the commit has no folder `{0}`")]
    MissingFolder(String),
    /// More than any plugin.
    #[error("the folder has more than {} files or {} MiB", limits::FILES, limits::TOTAL_BYTES >> 20)]
    TooLarge,
    /// A file that cannot be written where its path says.
    #[error("the commit has a file `{0}`, which cannot be written")]
    Path(String),
    /// Git's answer is not what was asked for.
    #[error("git answers in another way than expected")]
    Answer,
    /// The disk does not take them.
    #[error("cannot write the files")]
    Write(#[source] io::Error),
}

/// One line of a listing.
struct Entry {
    mode: String,
    object: String,
    size: u64,
    path: String,
}

/// Writes the files of the commit, or of a folder of it, into the new folder `into`. Submodules are left out, as in a
/// clone that does not ask for them; symbolic links are made, for the intake of folders to judge.
pub(super) fn export(
    repository: &Repository,
    commit: &str,
    subfolder: Option<&str>,
    into: &Path,
) -> Result<(), CommitError> {
    let tree = format!("{commit}:{}", subfolder.unwrap_or_default());
    if repository.kind(&tree).as_deref() != Some("tree") {
        return Err(CommitError::MissingFolder(subfolder.unwrap_or_default().to_owned()));
    }
    let listing = repository.output(&["ls-tree", "-r", "-l", "-z", &tree], None).map_err(CommitError::Git)?;
    let entries = parse(&listing)?;
    let total: u64 = entries.iter().map(|entry| entry.size).sum();
    if entries.len() > limits::FILES || total > limits::TOTAL_BYTES {
        return Err(CommitError::TooLarge);
    }
    fs::create_dir_all(into).map_err(CommitError::Write)?;
    let contents = contents(repository, &entries, into)?;
    // Links come last, so that no file is ever written through one.
    let (links, files): (Vec<_>, Vec<_>) =
        entries.iter().zip(contents).partition(|(entry, _)| entry.mode == LINK);
    for (entry, content) in files {
        let path = into.join(&entry.path);
        fs::create_dir_all(path.parent().unwrap_or(into)).map_err(CommitError::Write)?;
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|mut file| io::Write::write_all(&mut file, &content)).map_err(CommitError::Write)?;
    }
    for (entry, target) in links {
        link(&target, &into.join(&entry.path), into).map_err(CommitError::Write)?;
    }
    Ok(())
}

/// The entries that are files or links.
fn parse(listing: &[u8]) -> Result<Vec<Entry>, CommitError> {
    let mut entries = Vec::new();
    for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let Ok(line) = str::from_utf8(line) else {
            return Err(CommitError::Path(String::from_utf8_lossy(line).escape_debug().to_string()));
        };
        let (meta, path) = line.split_once('\t').ok_or(CommitError::Answer)?;
        let [mode, _, object, size] = meta.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(CommitError::Answer);
        };
        if ![FILE, EXECUTABLE, LINK].contains(&mode) {
            continue;
        }
        // Trees may say anything; what is written has to stay in its folder.
        if super::subfolder(path).is_err() || path.ends_with('/') {
            return Err(CommitError::Path(path.escape_debug().to_string()));
        }
        entries.push(Entry {
            mode: mode.to_owned(),
            object: object.to_owned(),
            size: size.parse().map_err(|_| CommitError::Answer)?,
            path: path.to_owned(),
        });
    }
    Ok(entries)
}

/// The content of each entry.
fn contents(repository: &Repository, entries: &[Entry], into: &Path) -> Result<Vec<Vec<u8>>, CommitError> {
    let wanted: Vec<_> = entries.iter().map(|entry| entry.object.as_str()).collect();
    // A file, because git answers while it is still being asked, and neither may wait for the other.
    let list = into.with_extension("objects");
    fs::write(&list, wanted.join("\n")).map_err(CommitError::Write)?;
    let list = fs::File::open(&list).map_err(CommitError::Write)?;
    let answer = repository.output(&["cat-file", "--batch"], Some(list)).map_err(CommitError::Git)?;
    let mut rest = answer.as_slice();
    let mut contents = Vec::with_capacity(entries.len());
    for entry in entries {
        let expected = format!("{} blob {}\n", entry.object, entry.size);
        let size = usize::try_from(entry.size).map_err(|_| CommitError::Answer)?;
        let after = rest.strip_prefix(expected.as_bytes()).ok_or(CommitError::Answer)?;
        let (content, after) = after.split_at_checked(size).ok_or(CommitError::Answer)?;
        rest = after.strip_prefix(b"\n").ok_or(CommitError::Answer)?;
        contents.push(content.to_owned());
    }
    Ok(contents)
}

#[cfg(unix)]
fn link(target: &[u8], path: &Path, root: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;

    fs::create_dir_all(path.parent().unwrap_or(root))?;
    fs_err::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), path)
}

/// Other systems have links only for those who may make them.
#[cfg(not(unix))]
fn link(_target: &[u8], path: &Path, _root: &Path) -> io::Result<()> {
    Err(io::Error::other(format!("{} is a symbolic link", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(listing: &[u8]) -> Result<Vec<String>, CommitError> {
        Ok(parse(listing)?.into_iter().map(|entry| entry.path).collect())
    }

    fn line(mode: &str, path: &str) -> String {
        let size = if mode == "160000" { "-" } else { "7" };
        format!("{mode} blob {} {size:>7}\t{path}\0", "0".repeat(40))
    }

    #[test]
    fn submodules_are_left_out() {
        let modes = [FILE, EXECUTABLE, "160000", LINK];
        let listing: String = modes.iter().map(|mode| line(mode, &format!("a b/{mode}"))).collect();
        assert_eq!(paths(listing.as_bytes()).unwrap(), ["a b/100644", "a b/100755", "a b/120000"]);
        assert_eq!(parse(listing.as_bytes()).unwrap()[0].size, 7);
        assert!(paths(b"").unwrap().is_empty());
    }

    #[test]
    fn paths_that_would_leave_the_folder_are_refused() {
        for path in ["../evil", "a/../../evil", "/evil", "a//b", "a\\b", "c:evil", "a\nb"] {
            let refused = paths(line(FILE, path).as_bytes());
            assert!(matches!(refused, Err(CommitError::Path(_))), "{path:?}");
        }
        let listing = [line(FILE, "").trim_end_matches('\0').as_bytes(), b"a\xff\0"].concat();
        assert!(matches!(paths(&listing), Err(CommitError::Path(_))));
    }

    #[test]
    fn other_answers_are_refused() {
        for answer in
            ["nonsense\0", "100644 blob 0 7 path\0", "100644 blob\tpath\0", "100644 blob 0 x\tpath\0"]
        {
            assert!(matches!(paths(answer.as_bytes()), Err(CommitError::Answer)), "{answer:?}");
        }
    }
}
