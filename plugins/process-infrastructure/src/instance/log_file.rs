//! A file that processes append to while its beginning is taken away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use racetrack_core::text::LeftOut;
use rustix::fs::{FallocateFlags, fallocate};

/// The beginning of a file is cut out in multiples of this.
pub(crate) const BLOCK: u64 = 4096;

/// A file that others append to.
#[derive(Debug)]
pub(crate) struct LogFile(File);

/// How many of the first bytes of a file of this size can be cut out: whole blocks, and never all of it.
pub(crate) const fn removable(size: u64) -> u64 {
    size.saturating_sub(1) / BLOCK * BLOCK
}

impl LogFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).open(path).map(Self)
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    /// Cuts out the first bytes, of which nothing is copied and nothing is lost that is written meanwhile. False where the
    /// file system cannot do that.
    pub(crate) fn cut_beginning(&self, bytes: u64) -> bool {
        // Whatever the reason is, a full disk for example, the other way is left.
        bytes == 0 || fallocate(&self.0, FallocateFlags::COLLAPSE_RANGE, 0, bytes).is_ok()
    }

    /// Takes away all there is.
    pub(crate) fn empty(&self) -> io::Result<()> {
        self.0.set_len(0)
    }

    /// Copies a part into a new file.
    pub(crate) fn copy_to(&self, path: &Path, part: Range<u64>) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        self.copy(part, &mut file).map(drop)
    }

    /// Moves what there is from a position on to the end of another file, up to a limit, and takes away all there is. Says there how
    /// much is lost: what is beyond the limit, and what is written meanwhile, as far as that can be seen.
    pub(crate) fn move_rest_to(&self, path: &Path, begin: u64, limit: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(path)?;
        let copied = self.copy(begin..begin.saturating_add(limit), &mut file);
        let lost = self.size()?.saturating_sub(begin + *copied.as_ref().unwrap_or(&0));
        // Whether it could be copied or not: it must not be there twice, nor grow.
        self.empty()?;
        copied?;
        if lost > 0 { writeln!(file, "\n{}", LeftOut(lost)) } else { Ok(()) }
    }

    /// Copies a part, as much as there is of it, and tells how much that was.
    fn copy(&self, part: Range<u64>, to: &mut impl Write) -> io::Result<u64> {
        let mut buffer = vec![0; 256 * 1024];
        let mut position = part.start;
        while position < part.end {
            let room = usize::try_from(part.end - position).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.0.read_at(&mut buffer[..room], position)?;
            if count == 0 {
                break;
            }
            to.write_all(&buffer[..count])?;
            position += count as u64;
        }
        Ok(position - part.start)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_lost_while_a_file_is_emptied_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let moved = |text: &str, limit| {
            fs::write(&from, text).unwrap();
            fs::write(&to, "before ").unwrap();
            LogFile::open(&from).unwrap().move_rest_to(&to, 3, limit).unwrap();
            assert_eq!(fs::read_to_string(&from).unwrap(), "");
            fs::read_to_string(&to).unwrap()
        };
        assert_eq!(moved("one two three", 100), "before  two three");
        assert_eq!(moved("one two three", 4), format!("before  two\n{}\n", LeftOut(6)));
    }
}
