//! The file of a build log.

use std::io::{self, Write};
use std::path::PathBuf;

/// The file, which may be impossible to write to for a while.
pub(super) struct LogFile {
    file: Box<dyn Write + Send>,
    path: PathBuf,
    /// How much is missing in it since it could be written to last, in bytes.
    missing: usize,
    /// Whether the last line in it is whole.
    is_at_line: bool,
}

impl LogFile {
    pub(super) fn new(file: Box<dyn Write + Send>, path: PathBuf) -> Self {
        Self { file, path, missing: 0, is_at_line: true }
    }

    /// Adds a line; where that fails, the next one tries again, and marks the gap.
    pub(super) fn add(&mut self, line: &[u8]) {
        let had_gap = self.missing > 0;
        if had_gap {
            let end_of_line = if self.is_at_line { "" } else { "\n" };
            let mark = format!(
                "{end_of_line}(the file could not be written: {} bytes are missing here)\n",
                self.missing
            );
            if self.write(mark.as_bytes()).is_err() {
                self.missing += line.len();
                return;
            }
            self.missing = 0;
        }
        match self.write(line) {
            Ok(()) if had_gap => {
                tracing::info!("the build log {} can be written again", self.path.display());
            }
            Ok(()) => {}
            Err((error, left)) => {
                if !had_gap {
                    tracing::warn!("the build log {} has a gap: {error}", self.path.display());
                }
                self.missing += left;
            }
        }
    }

    /// Writes a text, or tells how many bytes of it are not written.
    fn write(&mut self, text: &[u8]) -> Result<(), (io::Error, usize)> {
        let mut rest = text;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err((io::ErrorKind::WriteZero.into(), rest.len())),
                Ok(written) => {
                    self.is_at_line = rest[written - 1] == b'\n';
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((error, rest.len())),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A disk that is full from time to time, which takes the first bytes of a text.
    #[derive(Clone, Default)]
    struct FullDisk(std::sync::Arc<Mutex<(Vec<u8>, Option<usize>)>>);

    impl Write for FullDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (kept, room) = &mut *self.0.lock().expect("is not poisoned");
            let size = room.map_or(bytes.len(), |room| bytes.len().min(room));
            if size == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            kept.extend_from_slice(&bytes[..size]);
            *room = room.map(|room| room - size);
            Ok(size)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_for_a_while_goes_on_and_shows_the_gap() {
        let disk = FullDisk::default();
        let mut file = LogFile::new(Box::new(disk.clone()), PathBuf::new());
        let room = |room| disk.0.lock().expect("is not poisoned").1 = room;
        file.add(b"one\n");
        room(Some(2));
        file.add(b"two\n");
        file.add(b"three\n");
        // Not enough for the mark.
        room(Some(0));
        file.add(b"four\n");
        room(None);
        file.add(b"five\n");
        file.add(b"six\n");
        let text = String::from_utf8(disk.0.lock().expect("is not poisoned").0.clone()).expect("is text");
        assert_eq!(text, "one\ntw\n(the file could not be written: 13 bytes are missing here)\nfive\nsix\n");
    }
}
