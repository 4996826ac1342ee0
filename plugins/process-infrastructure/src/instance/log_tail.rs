//! The end of a log, limited in lines and in bytes.

use racetrack_core::text::{LeftOut, TextLimit, rest_of_character};

use crate::instance::replica_log::ReplicaLog;
use crate::state::file::StateError;

/// How much is read at a time while lines are counted.
const CHUNK: u64 = 64 * 1024;

/// Where the end of a log begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TailStart {
    pub(crate) position: u64,
    /// How many bytes before that belong to the lines that were asked for: they are more than the limit.
    pub(crate) left_out: u64,
}

/// The end of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LogTail {
    /// How many bytes before it were asked for, and are left out.
    pub(crate) left_out: u64,
    pub(crate) text: String,
}

/// Where the last lines begin, or as much of their end as the limit allows; 0 means all the lines that are kept.
pub(crate) fn start(log: &ReplicaLog, lines: usize, limit: TextLimit) -> Result<TailStart, StateError> {
    let (asked, end) = start_of_lines(log, lines)?;
    let position = asked.max(end.saturating_sub(limit.get() as u64));
    Ok(TailStart { position, left_out: position - asked })
}

/// The last lines, or as much of their end as the limit allows; 0 means all the lines that are kept. What is not UTF-8 is
/// shown as replacement characters.
pub(crate) fn read(log: &ReplicaLog, lines: usize, limit: TextLimit) -> Result<LogTail, StateError> {
    // What stands for the rest is part of the text, and so is what stands for a character that is half written.
    let limit = limit.get().saturating_sub(LeftOut(u64::MAX).to_string().len() + 8);
    let TailStart { position, left_out } = start(log, lines, TextLimit::bytes(limit))?;
    let piece = log.read(position, limit)?;
    let mut left_out = left_out + piece.lost;
    let begin = if left_out > 0 { rest_of_character(&piece.bytes) } else { 0 };
    let mut bytes = &piece.bytes[begin..];
    let mut text = String::from_utf8_lossy(bytes);
    if text.len() > limit + 8 {
        // A replacement character takes the place of a single byte, and is of three.
        bytes = &bytes[bytes.len() - bytes.len().min(limit / 3)..];
        bytes = &bytes[rest_of_character(bytes)..];
        text = String::from_utf8_lossy(bytes);
    }
    left_out += (piece.bytes.len() - bytes.len()) as u64;
    Ok(LogTail { left_out, text: text.into_owned() })
}

/// The positions where the last lines begin and where they end.
fn start_of_lines(log: &ReplicaLog, lines: usize) -> Result<(u64, u64), StateError> {
    let bounds = log.bounds()?;
    let (oldest, end) = (bounds.start, bounds.end);
    if lines == 0 {
        return Ok((oldest, end));
    }
    let mut found = 0;
    let mut position = end;
    while position > oldest {
        let begin = position.saturating_sub(CHUNK).max(oldest);
        let length = usize::try_from(position - begin).expect("a chunk is small");
        let piece = log.read(begin, length)?;
        for (offset, byte) in piece.bytes.iter().enumerate().rev() {
            let at = begin + piece.lost + offset as u64;
            // The last line break ends the last line.
            if *byte == b'\n' && at + 1 < end {
                found += 1;
                if found == lines {
                    return Ok((at + 1, end));
                }
            }
        }
        position = begin;
    }
    Ok((oldest, end))
}

impl LogTail {
    /// The text, which says how much is left out.
    pub(crate) fn into_text(self) -> String {
        match self.left_out {
            0 => self.text,
            left_out => format!("{}{}", LeftOut(left_out), self.text),
        }
    }

    /// The text with something before each line, as far as the limit allows.
    pub(crate) fn into_prefixed(mut self, prefix: &str, limit: TextLimit) -> String {
        let mut room = limit.get().saturating_sub(prefix.len() + LeftOut(u64::MAX).to_string().len());
        let mut begin = self.text.len();
        for line in self.text.split_inclusive('\n').rev() {
            let size = prefix.len() + line.len();
            if size > room {
                break;
            }
            room -= size;
            begin -= line.len();
        }
        if begin == self.text.len() {
            // Not even one line.
            begin = self.text.ceil_char_boundary(begin - begin.min(room.saturating_sub(prefix.len())));
        }
        self.left_out += begin as u64;
        let note = (self.left_out > 0).then(|| format!("{prefix}{}\n", LeftOut(self.left_out)));
        let lines = self.text[begin..].lines().map(|line| format!("{prefix}{line}\n"));
        note.into_iter().chain(lines).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const ALL: TextLimit = TextLimit::LOG;

    fn log() -> (tempfile::TempDir, ReplicaLog) {
        let folder = tempfile::tempdir().unwrap();
        let log = ReplicaLog::new(folder.path().join("replica-0.log"), 8192, 3);
        (folder, log)
    }

    fn tail(log: &ReplicaLog, lines: usize, limit: usize) -> String {
        read(log, lines, TextLimit::bytes(limit)).unwrap().into_text()
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let (_folder, log) = log();
        let tail = |lines| read(&log, lines, ALL).unwrap().into_text();
        assert_eq!(tail(5), "");
        let mut file = log.open_for_writing().unwrap();
        for number in 0..10_000 {
            writeln!(file, "line {number}").unwrap();
        }
        file.write_all(b"bad \xff byte\nno line break").unwrap();
        assert_eq!(tail(1), "no line break");
        assert_eq!(tail(3), "line 9999\nbad \u{fffd} byte\nno line break");
        assert_eq!(tail(0).lines().count(), 10_002);
        assert_eq!(tail(10_002), tail(0));
        assert_eq!(tail(99_999), tail(0));
        file.write_all(b"\n").unwrap();
        assert_eq!(tail(1), "no line break\n");
    }

    #[test]
    fn lines_of_any_length_are_cut_between_characters_and_counted() {
        let (_folder, log) = log();
        let mut file = log.open_for_writing().unwrap();
        // One line that is far longer than what is read of it.
        file.write_all("é".repeat(10_000_000).as_bytes()).unwrap();
        for lines in [0, 1, 999_999_999] {
            for limit in 1000..1004 {
                let text = tail(&log, lines, limit);
                let (mark, rest) = text.split_once(']').unwrap();
                assert!(text.len() <= limit && rest.len() > limit - 60, "{mark}");
                assert!(rest.chars().all(|character| character == 'é'), "{rest}");
                assert_eq!(mark, format!("[… {} bytes left out …", 20_000_000 - rest.len()));
            }
        }
        file.write_all(b"\nlast\n").unwrap();
        assert_eq!(tail(&log, 1, 1000), "last\n");
        let cut = start(&log, 2, TextLimit::bytes(100)).unwrap();
        assert_eq!(cut, TailStart { position: 20_000_006 - 100, left_out: 20_000_006 - 100 });
    }

    #[test]
    fn bytes_that_are_no_text_do_not_outgrow_the_limit() {
        let (_folder, log) = log();
        log.open_for_writing().unwrap().write_all(&[b'\xff'; 100_000]).unwrap();
        let text = tail(&log, 0, 10_000);
        assert!(text.len() <= 10_000 && text.len() > 9_000, "{}", text.len());
        let kept = text.chars().filter(|character| *character == '\u{fffd}').count();
        assert!(text.starts_with(&format!("[… {} bytes left out …]", 100_000 - kept)));
    }

    #[test]
    fn prefixes_count_too() {
        let tail = |text: &str, left_out| LogTail { left_out, text: text.to_owned() };
        let limit = TextLimit::bytes(100);
        assert_eq!(tail("a\nb", 0).into_prefixed("[0] ", limit), "[0] a\n[0] b\n");
        assert_eq!(tail("a\n", 7).into_prefixed("[0] ", limit), "[0] [… 7 bytes left out …]\n[0] a\n");
        let short = tail(&"\n".repeat(1000), 0).into_prefixed("[0] ", limit);
        assert!(short.len() <= 100 && short.starts_with("[0] [… 9"), "{short}");
        let long = tail(&"é".repeat(1000), 0).into_prefixed("[0] ", limit);
        assert!(long.len() <= 100 && long.starts_with("[0] [… 19") && long.ends_with("éé\n"), "{long}");
    }
}
