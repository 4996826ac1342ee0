//! How large a repository gets, while git works in it and before it is checked out.
//!
//! What comes over the network says little of it: a few kilobytes can unpack to any number of bytes and files. So the tree
//! is added up before it is checked out, and the folder is watched while git writes to it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use racetrack_service::source_archive::ArchiveLimits;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::process::ProcessError;

/// How often a folder is measured while git writes to it.
const MEASURING_INTERVAL: Duration = Duration::from_millis(200);

/// The longest line of a listing, in bytes: a path of git is shorter.
const MAX_LINE: usize = 64 * 1024;

/// Why a repository is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLarge {
    #[error(
        "the repository is larger than {0} bytes (max-unpacked-size of image-builder); keep large files elsewhere, or \
         put the job into a repository of its own"
    )]
    Size(u64),
    #[error(
        "the repository has more than {0} files and folders (max-unpacked-entries of image-builder); put the job into a \
         repository of its own"
    )]
    Entries(usize),
}

/// Why it is not known how large a repository is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("cannot measure the repository")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("git cannot list the files of the repository; is it empty?")]
    Listing,
}

/// What was found so far.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    bytes: u64,
    entries: usize,
}

impl Found {
    fn add(&mut self, bytes: u64, limits: ArchiveLimits) -> Result<(), TooLarge> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limits.size {
            Err(TooLarge::Size(limits.size))
        } else if self.entries > limits.entries {
            Err(TooLarge::Entries(limits.entries))
        } else {
            Ok(())
        }
    }
}

/// Adds up what a checkout would write. `git` is a call of git in the repository, without arguments. A listing is read as it
/// comes, and no further than the limits go: folders that hold each other many times make it endless.
pub(super) async fn check_tree(
    mut git: Command,
    limits: ArchiveLimits,
    time_limit: Duration,
) -> Result<(), MeasureError> {
    git.args(["ls-tree", "-r", "-t", "-l", "-z", "HEAD"]).env("GIT_NO_LAZY_FETCH", "1");
    git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let failed = |source| ProcessError::Run { program: "git".to_owned(), source };
    let mut child = git.spawn().map_err(failed)?;
    let mut listing = BufReader::new(child.stdout.take().expect("is piped"));
    let added_up = async {
        let (mut found, mut line) = (Found::default(), Vec::new());
        while read_line(&mut listing, &mut line).await? {
            found.add(size_in(&line), limits)?;
        }
        if child.wait().await?.success() { Ok(()) } else { Err(MeasureError::Listing) }
    };
    let timed_out = |_| ProcessError::TimedOut { program: "git".to_owned(), limit: time_limit };
    tokio::time::timeout(time_limit, added_up).await.map_err(timed_out)?
}

/// Reads an entry of a listing, up to the zero byte that ends it; false at the end.
async fn read_line(
    listing: &mut (impl tokio::io::AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    line.clear();
    loop {
        let chunk = listing.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = chunk.iter().position(|byte| *byte == 0);
        line.extend_from_slice(&chunk[..end.unwrap_or(chunk.len())]);
        let length = end.map_or(chunk.len(), |end| end + 1);
        listing.consume(length);
        if end.is_some() {
            return Ok(true);
        }
        if line.len() > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a path in the repository is too long"));
        }
    }
}

/// The size in a line such as `100644 blob <id>      42<tab>path`; nothing for a folder.
fn size_in(line: &[u8]) -> u64 {
    let head = line.split(|byte| *byte == b'\t').next().unwrap_or_default();
    let size = head.rsplit(|byte| *byte == b' ').next().and_then(|size| str::from_utf8(size).ok());
    size.and_then(|size| size.parse().ok()).unwrap_or(0)
}

/// Ends when the folder is larger than it may be, and not before.
pub(super) async fn outgrown(folder: PathBuf, limits: ArchiveLimits) -> TooLarge {
    loop {
        tokio::time::sleep(MEASURING_INTERVAL).await;
        let folder = folder.clone();
        let measured = tokio::task::spawn_blocking(move || measure(&folder, limits)).await;
        // What is written to and removed meanwhile cannot always be read. It is measured again, and at the end.
        if let Ok(Err(MeasureError::TooLarge(excess))) = measured {
            return excess;
        }
    }
}

/// Adds up a folder.
pub(super) fn measure(folder: &Path, limits: ArchiveLimits) -> Result<(), MeasureError> {
    let mut found = Found::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let is_folder = metadata.is_dir();
            found.add(if is_folder { 0 } else { metadata.len() }, limits)?;
            if is_folder {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_a_listing() {
        let id = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        assert_eq!(size_in(format!("100644 blob {id}      42\ta b\t7").as_bytes()), 42);
        assert_eq!(size_in(format!("100644 blob {id} 1610612736\tx").as_bytes()), 1_610_612_736);
        assert_eq!(size_in(format!("040000 tree {id}       -\tx 9").as_bytes()), 0);
        assert_eq!(size_in(b""), 0);
    }

    #[test]
    fn a_folder_is_measured_with_its_folders() {
        let folder = tempfile::tempdir().expect("can be made");
        fs_err::create_dir_all(folder.path().join("a/b")).expect("can be made");
        fs_err::write(folder.path().join("a/b/c"), "12345").expect("can be written");
        let limits = |size, entries| ArchiveLimits { size, entries };
        let measured = |limits| measure(folder.path(), limits).map_err(|error| error.to_string());
        assert_eq!(measured(limits(5, 3)), Ok(()));
        assert_eq!(measured(limits(4, 3)), Err(TooLarge::Size(4).to_string()));
        assert_eq!(measured(limits(5, 2)), Err(TooLarge::Entries(2).to_string()));
    }

    #[tokio::test]
    async fn lines_end_by_zero_bytes_and_are_not_endless() {
        let (mut listing, mut line) = (BufReader::with_capacity(3, &b"abcd\0\0ef"[..]), Vec::new());
        for expected in ["abcd", "", "ef"] {
            assert!(read_line(&mut listing, &mut line).await.expect("is read"));
            assert_eq!(line, expected.as_bytes());
        }
        assert!(!read_line(&mut listing, &mut line).await.expect("is at its end"));
        let long = vec![b'x'; 2 * MAX_LINE];
        read_line(&mut BufReader::new(&*long), &mut line).await.expect_err("is too long");
    }
}
