//! The log of one replica: files that its processes write themselves, so that they need no lifecycle to go on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::instance::log_file::{self, LogFile};
use crate::state::file::{self, StateError};

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

    /// The file that is written to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file for a process to write to. Several may: each write goes to the end.
    pub(crate) fn open_for_writing(&self) -> Result<File, StateError> {
        if let Some(parent) = self.path.parent() {
            file::create_folder(parent)?;
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

    /// The positions of the oldest byte that is kept, and after the last one written.
    pub(crate) fn bounds(&self) -> Result<Range<u64>, StateError> {
        let start = self.start();
        let files = self.kept_files(*start)?;
        Ok(*start..files.last().map_or(*start, |(_, first, size)| first + size))
    }

    /// Whether the file being written is so large that it is to be rotated.
    pub(crate) fn is_full(&self) -> Result<bool, StateError> {
        file_size(&self.path).map(|size| self.is_too_large(size))
    }

    /// Puts the content of the file being written aside if it has grown too large. However large it is, no more is
    /// copied than is kept: the newest bytes, which fill the rotated files.
    pub(crate) fn rotate(&self) -> Result<(), StateError> {
        let mut start = self.start();
        let failed = || StateError::because("rotate", &self.path);
        let file = LogFile::open(&self.path).map_err(failed())?;
        let size = file.size().map_err(failed())?;
        if !self.is_too_large(size) {
            return Ok(());
        }
        let surplus = self.surplus(size);
        let mut begin = 0;
        if surplus > 0 {
            // What is older goes first, so that its space is free before anything is copied.
            *start += self.remove_rotated(1)?;
            if file.cut_beginning(surplus) {
                *start += surplus;
            } else {
                begin = surplus;
            }
        }
        if self.files > 1 {
            // A job may make its file seem as long as it likes.
            let most = u64::from(self.files - 1);
            let pieces = u32::try_from(self.whole_pieces(size - surplus).min(most)).unwrap_or(1);
            let end = begin + u64::from(pieces) * self.piece();
            let put_aside = self.put_aside(&file, begin, pieces, &mut start);
            if put_aside.is_ok() && begin == 0 && file.cut_beginning(end) {
                return Ok(());
            }
            if put_aside.is_err() && begin == 0 {
                // It is all still there, and no more than what is kept.
                return put_aside;
            }
            // Here the beginning of a file cannot be cut out: all of it goes, and with it what is written in between.
            let first = self.rotated(1);
            let rest = match put_aside {
                Ok(()) => file
                    .move_rest_to(&first, end, self.file_bytes)
                    .map_err(StateError::because("write", &first)),
                Err(error) => {
                    file.empty().map_err(failed())?;
                    Err(error)
                }
            };
            *start += begin;
            return rest;
        }
        if begin > 0 {
            // Also what was written meanwhile.
            let size = file.size().map_err(failed())?;
            file.empty().map_err(failed())?;
            *start += size;
        }
        Ok(())
    }

    /// Cuts rotated files that are far larger than they are made here: those of a former version, or of other settings.
    pub(crate) fn trim_rotated(&self) -> Result<(), StateError> {
        let mut start = self.start();
        for number in 1..self.files {
            let path = self.rotated(number);
            let size = file_size(&path)?;
            if size <= 2 * self.file_bytes {
                continue;
            }
            *start += self.remove_rotated(number + 1)?;
            let surplus = (size - self.file_bytes) / log_file::BLOCK * log_file::BLOCK;
            let file = LogFile::open(&path).map_err(StateError::because("open", &path))?;
            if file.cut_beginning(surplus) {
                *start += surplus;
            } else {
                *start += self.remove_rotated(number)?;
            }
        }
        Ok(())
    }

    /// The size of a rotated file: the one that is set, in whole blocks.
    const fn piece(&self) -> u64 {
        self.file_bytes / log_file::BLOCK * log_file::BLOCK
    }

    /// How many rotated files can be made of the beginning of a file of this size.
    fn whole_pieces(&self, size: u64) -> u64 {
        log_file::removable(size) / self.piece()
    }

    fn is_too_large(&self, size: u64) -> bool {
        self.whole_pieces(size) > 0
    }

    /// How much of the beginning of the file being written is not kept, in whole blocks.
    fn surplus(&self, size: u64) -> u64 {
        if self.files == 1 {
            // The newer half stays.
            let surplus = (size - self.file_bytes / 2) / log_file::BLOCK * log_file::BLOCK;
            return surplus.clamp(log_file::BLOCK, log_file::removable(size));
        }
        self.whole_pieces(size).saturating_sub(u64::from(self.files - 1)) * self.piece()
    }

    /// Copies a part of the file being written to the rotated files, and makes room there for it.
    fn put_aside(&self, file: &LogFile, begin: u64, pieces: u32, start: &mut u64) -> Result<(), StateError> {
        *start += self.remove_rotated(self.files - pieces)?;
        for number in (1..self.files - pieces).rev() {
            let from = self.rotated(number);
            match fs::rename(&from, self.rotated(number + pieces)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StateError::because("rename", &from)(error));
                }
                _ => {}
            }
        }
        for number in (1..=pieces).rev() {
            let begin = begin + u64::from(pieces - number) * self.piece();
            let path = self.rotated(number);
            if let Err(error) = file.copy_to(&path, begin..begin + self.piece()) {
                // It is still where it came from, and must not be there twice.
                for number in number..=pieces {
                    remove_file(&self.rotated(number))?;
                }
                return Err(StateError::because("write", &path)(error));
            }
        }
        Ok(())
    }

    /// Removes the rotated files from this number on, and tells how much was in them.
    fn remove_rotated(&self, first: u32) -> Result<u64, StateError> {
        let mut removed = 0;
        for number in (first..self.files).rev() {
            let path = self.rotated(number);
            removed += file_size(&path)?;
            remove_file(&path)?;
        }
        Ok(removed)
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

fn remove_file(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StateError::because("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn read_part(path: &Path, offset: u64, count: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.take(count).read_to_end(bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn log(files: u32) -> (tempfile::TempDir, ReplicaLog) {
        let folder = tempfile::tempdir().unwrap();
        let log = ReplicaLog::new(folder.path().join("replica-0.log"), 8192, files);
        (folder, log)
    }

    fn all(log: &ReplicaLog) -> String {
        String::from_utf8(log.read(0, usize::MAX).unwrap().bytes).unwrap()
    }

    /// The sizes of the files by their names, which are in order of age.
    fn sizes(folder: &tempfile::TempDir) -> Vec<u64> {
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names.iter().map(|path| file_size(path).unwrap()).collect()
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

        let sizes = sizes(&folder);
        assert!(sizes.len() == 3 && sizes.iter().sum::<u64>() < 4 * 8192, "{sizes:?}");
        assert!(expected.ends_with(&all(&log)));
        let missed = log.read(0, 10).unwrap();
        assert!(missed.lost > 0 && missed.bytes.len() == 10);
        assert_eq!(missed.next, missed.lost + 10);
    }

    #[test]
    fn of_a_burst_the_newest_bytes_are_kept_in_files_of_the_size_that_is_set() {
        // Sizes around the bounds of blocks, files and all that is kept.
        for burst in [8192, 12_000, 16_384, 16_385, 20_000, 24_576, 28_672, 28_673, 30_000, 5_000_000] {
            for before in [0, 100, 9_000, 20_000] {
                let (folder, log) = log(3);
                let mut file = log.open_for_writing().unwrap();
                let mut written = String::new();
                let mut write = |size: usize| {
                    let begin = written.len();
                    while written.len() < begin + size {
                        written.push_str(&format!("{:07}\n", written.len()));
                    }
                    written.truncate(begin + size);
                    file.write_all(&written.as_bytes()[begin..]).unwrap();
                    written.clone()
                };
                write(before);
                log.rotate().unwrap();
                let written = write(burst);
                log.rotate().unwrap();
                let (kept, sizes) = (all(&log), sizes(&folder));
                assert!(written.ends_with(&kept), "{before} {burst}");
                assert!(kept.len() >= written.len().min(16_384), "{before} {burst}: {sizes:?}");
                assert!(
                    sizes.iter().all(|size| *size <= 8192 + 4096) && sizes.len() <= 3,
                    "{burst}: {sizes:?}"
                );
                assert!(sizes[1..].iter().all(|size| *size == 8192), "{burst}: {sizes:?}");
                let bounds = log.bounds().unwrap();
                assert_eq!(bounds, (written.len() - kept.len()) as u64..written.len() as u64);
                assert!(!log.is_full().unwrap());
            }
        }
    }

    #[test]
    fn a_single_file_is_cut_short() {
        let (folder, log) = log(1);
        let mut file = log.open_for_writing().unwrap();
        for _ in 0..10 {
            file.write_all(&[b'x'; 8000]).unwrap();
            log.rotate().unwrap();
            assert!(!log.is_full().unwrap());
        }
        assert_eq!(sizes(&folder).len(), 1);
        let bounds = log.bounds().unwrap();
        assert_eq!((bounds.end, bounds.end - bounds.start), (80_000, all(&log).len() as u64));
        assert!((4000..=8192).contains(&all(&log).len()));
    }

    #[test]
    fn files_of_a_former_version_are_cut() {
        let (folder, log) = log(4);
        let write = |number: u32, text: &str| fs::write(log.rotated(number), text).unwrap();
        write(3, "old");
        write(2, &format!("{}between", "x".repeat(5_000_000)));
        write(1, "newer");
        write(0, "newest");
        let end = log.bounds().unwrap().end;
        log.trim_rotated().unwrap();
        let (kept, bounds) = (all(&log), log.bounds().unwrap());
        assert!(kept.ends_with("xxxbetweennewernewest") && kept.len() < 8192 + 4096 + 20, "{}", kept.len());
        assert_eq!((bounds.end, bounds.end - bounds.start), (end, kept.len() as u64));
        assert_eq!(sizes(&folder).len(), 3);
    }

    /// A file system that cannot cut out the beginning of a file.
    #[test]
    fn where_nothing_can_be_cut_out_the_files_are_as_small() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
        for (files, burst) in [(1, 10_000), (1, 5_000_000), (3, 10_000), (3, 5_000_000)] {
            let path = folder.path().join(format!("{files}-{burst}.log"));
            let log = ReplicaLog::new(path, 8192, files);
            let mut file = log.open_for_writing().unwrap();
            for round in 1..=3 {
                file.write_all(&vec![b'0' + round; burst]).unwrap();
                log.rotate().unwrap();
                let kept = all(&log);
                assert!(!log.is_full().unwrap() && kept.len() <= 3 * 8192, "{}", kept.len());
                assert!(
                    files == 1 || kept.len() >= burst.min(16_384) && kept.ends_with(char::from(b'0' + round))
                );
                let bounds = log.bounds().unwrap();
                assert_eq!(bounds.end, u64::from(round) * burst as u64);
                assert_eq!(bounds.end - bounds.start, kept.len() as u64);
            }
        }
    }
}
