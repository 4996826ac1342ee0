//! The log of one replica: files that its processes write themselves, so that they need no lifecycle to go on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};

use crate::state_folder::{self, StateError};

/// Parts of a file are moved in multiples of this.
const BLOCK: u64 = 4096;

/// The log of one replica, across its rotated files. A position counts the bytes since the log began, so that it stays
/// right when files are rotated.
#[derive(Debug)]
pub(crate) struct ReplicaLog {
    path: PathBuf,
    file_bytes: u64,
    files: u32,
    /// The position of the oldest byte that is kept. Held during every reading and rotating.
    start: Mutex<u64>,
}

/// A piece of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LogPiece {
    pub(crate) bytes: Vec<u8>,
    /// Where the next piece begins.
    pub(crate) next: u64,
    /// How many bytes before this piece had been asked for, and are no longer kept.
    pub(crate) lost: u64,
}

impl ReplicaLog {
    /// The log that is written to `path`, and to `path.1`, `path.2` and so on when rotated.
    pub(crate) const fn new(path: PathBuf, file_bytes: u64, files: u32) -> Self {
        Self { path, file_bytes, files, start: Mutex::new(0) }
    }

    /// The file for a process to write to. Several may: each write goes to the end.
    pub(crate) fn open_for_writing(&self) -> Result<File, StateError> {
        if let Some(parent) = self.path.parent() {
            state_folder::create_folder(parent)?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(&self.path);
        file.map_err(StateError::because("open", &self.path))
    }

    /// Reads at most `length` bytes from a position on.
    pub(crate) fn read(&self, position: u64, length: usize) -> Result<LogPiece, StateError> {
        let start = self.start();
        let files = self.kept_files(*start)?;
        let begin = position.max(*start);
        let mut bytes = Vec::new();
        for (path, first, size) in files {
            let wanted = begin + bytes.len() as u64;
            let room = (length - bytes.len()) as u64;
            if room > 0 && (first..first + size).contains(&wanted) {
                let count = room.min(first + size - wanted);
                read_part(&path, wanted - first, count, &mut bytes)
                    .map_err(StateError::because("read", &path))?;
            }
        }
        Ok(LogPiece { next: begin + bytes.len() as u64, bytes, lost: begin - position })
    }

    /// Where the last lines begin; 0 means all the lines that are kept.
    pub(crate) fn tail_position(&self, lines: usize) -> Result<u64, StateError> {
        const CHUNK: u64 = 64 * 1024;
        let (oldest, end) = self.bounds()?;
        if lines == 0 {
            return Ok(oldest);
        }
        let mut found = 0;
        let mut position = end;
        while position > oldest {
            let begin = position.saturating_sub(CHUNK).max(oldest);
            let length = usize::try_from(position - begin).expect("a chunk is small");
            let piece = self.read(begin, length)?;
            for (offset, byte) in piece.bytes.iter().enumerate().rev() {
                let at = begin + piece.lost + offset as u64;
                // The last line break ends the last line.
                if *byte == b'\n' && at + 1 < end {
                    found += 1;
                    if found == lines {
                        return Ok(at + 1);
                    }
                }
            }
            position = begin;
        }
        Ok(oldest)
    }

    /// The last lines; 0 means all that are kept. What is not UTF-8 is shown as replacement characters.
    pub(crate) fn tail(&self, lines: usize) -> Result<String, StateError> {
        let begin = self.tail_position(lines)?;
        let piece = self.read(begin, usize::MAX)?;
        Ok(String::from_utf8_lossy(&piece.bytes).into_owned())
    }

    /// The position after the last byte written.
    pub(crate) fn end(&self) -> Result<u64, StateError> {
        self.bounds().map(|(_, end)| end)
    }

    /// Puts the content of the file being written aside if it has grown too large.
    pub(crate) fn rotate(&self) -> Result<(), StateError> {
        let mut start = self.start();
        if file_size(&self.path)? < self.file_bytes {
            return Ok(());
        }
        let oldest = self.rotated(self.files - 1);
        let failed = |path: &Path| StateError::because("rotate", path);
        if self.files == 1 {
            let dropped = take_away(&self.path, &mut io::sink()).map_err(failed(&self.path))?;
            *start += dropped;
            return Ok(());
        }
        let dropped = file_size(&oldest)?;
        for number in (1..self.files - 1).rev() {
            let from = self.rotated(number);
            match fs::rename(&from, self.rotated(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&from)(error)),
                _ => {}
            }
        }
        *start += dropped;
        let first = self.rotated(1);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&first);
        let mut file = file.map_err(failed(&first))?;
        take_away(&self.path, &mut file).map_err(failed(&self.path))?;
        Ok(())
    }

    fn bounds(&self) -> Result<(u64, u64), StateError> {
        let start = self.start();
        let files = self.kept_files(*start)?;
        Ok((*start, files.last().map_or(*start, |(_, first, size)| first + size)))
    }

    /// The files from the oldest to the newest, each with the position of its first byte and its size.
    fn kept_files(&self, start: u64) -> Result<Vec<(PathBuf, u64, u64)>, StateError> {
        let mut position = start;
        let paths = (0..self.files).rev().map(|number| self.rotated(number));
        let files = paths.map(|path| {
            let (first, size) = (position, file_size(&path)?);
            position += size;
            Ok((path, first, size))
        });
        files.collect()
    }

    fn rotated(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }

    fn start(&self) -> MutexGuard<'_, u64> {
        self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_size(path: &Path) -> Result<u64, StateError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(StateError::because("look at", path)(error)),
    }
}

fn read_part(path: &Path, offset: u64, count: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.take(count).read_to_end(bytes)?;
    Ok(())
}

/// Moves the content of a file that others are appending to, and tells how much it was.
fn take_away(path: &Path, to: &mut impl Write) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    // Where the file system can cut out the beginning of a file, nothing written meanwhile is lost. It does so for
    // whole blocks, and never up to the end.
    let whole_blocks = file.metadata()?.len().saturating_sub(1) / BLOCK * BLOCK;
    let mut taken = copy_from(&file, 0, whole_blocks, to)?;
    to.flush()?;
    if whole_blocks > 0 && fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, whole_blocks).is_ok() {
        return Ok(taken);
    }
    // Elsewhere a line written between these two steps is lost.
    taken += copy_from(&file, taken, u64::MAX, to)?;
    file.set_len(0)?;
    Ok(taken)
}

fn copy_from(file: &File, offset: u64, limit: u64, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut copied = 0;
    while copied < limit {
        let room = usize::try_from(limit - copied).unwrap_or(usize::MAX).min(buffer.len());
        let count = file.read_at(&mut buffer[..room], offset + copied)?;
        if count == 0 {
            break;
        }
        to.write_all(&buffer[..count])?;
        copied += count as u64;
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(files: u32) -> (tempfile::TempDir, ReplicaLog) {
        let folder = tempfile::tempdir().unwrap();
        let log = ReplicaLog::new(folder.path().join("replica-0.log"), 8192, files);
        (folder, log)
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let (_folder, log) = log(3);
        assert_eq!(log.tail(5).unwrap(), "");
        let mut file = log.open_for_writing().unwrap();
        for number in 0..10_000 {
            writeln!(file, "line {number}").unwrap();
        }
        file.write_all(b"bad \xff byte\nno line break").unwrap();
        assert_eq!(log.tail(1).unwrap(), "no line break");
        assert_eq!(log.tail(3).unwrap(), "line 9999\nbad \u{fffd} byte\nno line break");
        assert_eq!(log.tail(0).unwrap().lines().count(), 10_002);
        assert_eq!(log.tail(10_002).unwrap(), log.tail(0).unwrap());
        assert_eq!(log.tail(99_999).unwrap(), log.tail(0).unwrap());
        file.write_all(b"\n").unwrap();
        assert_eq!(log.tail(1).unwrap(), "no line break\n");
    }

    #[test]
    fn rotation_bounds_the_files_and_loses_no_line_that_is_kept() {
        let (folder, log) = log(3);
        let mut file = log.open_for_writing().unwrap();
        let (mut position, mut followed) = (0, Vec::new());
        for number in 0..5_000 {
            writeln!(file, "line {number}").unwrap();
            if number % 100 == 0 {
                log.rotate().unwrap();
                let piece = log.read(position, usize::MAX).unwrap();
                assert_eq!(piece.lost, 0);
                position = piece.next;
                followed.extend(piece.bytes);
            }
        }
        followed.extend(log.read(position, usize::MAX).unwrap().bytes);
        let expected = (0..5_000).map(|number| format!("line {number}\n")).collect::<Vec<_>>().concat();
        assert_eq!(String::from_utf8(followed).unwrap(), expected);

        let sizes: Vec<u64> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert!(sizes.len() == 3 && sizes.iter().sum::<u64>() < 4 * 8192, "{sizes:?}");
        assert!(expected.ends_with(&log.tail(0).unwrap()));
        let missed = log.read(0, 10).unwrap();
        assert!(missed.lost > 0 && missed.bytes.len() == 10);
        assert_eq!(missed.next, missed.lost + 10);
    }

    #[test]
    fn a_single_file_is_cut_short() {
        let (folder, log) = log(1);
        let mut file = log.open_for_writing().unwrap();
        for _ in 0..10 {
            file.write_all(&[b'x'; 8000]).unwrap();
            log.rotate().unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(log.end().unwrap() == 80_000 && log.tail(0).unwrap().len() < 16_384);
    }
}
