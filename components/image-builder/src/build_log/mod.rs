//! The log of one build: kept in a file line by line, whatever becomes of the build, and given back with its result.

mod file;

use std::borrow::Cow;
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use racetrack_core::redaction::{RedactedLines, Redaction};
use racetrack_core::text::LeftOut;

use self::file::LogFile;
use crate::identifier::DeploymentId;

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "[redacted]";

/// What the names of the files end with.
const EXTENSION: &str = ".log";

/// A line of output that is longer than this comes in several, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// How much of a log is in memory, in bytes: half of it is the beginning, and between that and as much again the end.
const MAX_IN_MEMORY: usize = 4 << 20;

/// A build log that is being written. Secrets are taken out of each line before it goes anywhere.
pub(crate) struct BuildLog {
    redaction: Redaction,
    /// The most bytes of one build that are kept.
    limit: usize,
    content: Mutex<LogContent>,
}

struct LogContent {
    /// The beginning, and what has come last: the file has what is between.
    head: String,
    tail: String,
    left_out: u64,
    size: usize,
    file: LogFile,
    is_full: bool,
}

impl BuildLog {
    /// Appends to the log of that deployment.
    pub(crate) fn open(
        folder: &Path,
        id: &DeploymentId,
        redaction: Redaction,
        limit: usize,
    ) -> io::Result<Self> {
        let path = path(folder, id);
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = LogFile::new(Box::new(options.open(&path)?), path);
        let content = Mutex::new(LogContent::new(file));
        Ok(Self { redaction, limit, content })
    }

    /// Adds a line, or several.
    pub(crate) fn line(&self, text: &str) {
        // A secret of several lines is known as a whole only here.
        let text = self.redact(text);
        let mut content = self.content();
        for line in text.lines() {
            content.add(line, self.limit);
        }
        if text.is_empty() {
            content.add("", self.limit);
        }
    }

    /// Takes the secrets of this build out of what a program writes; the lines that come of it are for [`Self::redacted_line`].
    pub(crate) fn lines(&self) -> RedactedLines<'_> {
        self.redaction.lines(MAX_LINE)
    }

    /// Adds a line that has no secrets any more.
    pub(crate) fn redacted_line(&self, line: &str) {
        self.content().add(line, self.limit);
    }

    /// The text without the secrets of this build.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redaction.apply(text)
    }

    /// What this build has logged; of a long log, the beginning and the end.
    pub(crate) fn text(&self) -> String {
        let content = self.content();
        let LogContent { head, tail, left_out, .. } = &*content;
        let left_out = if *left_out > 0 { LeftOut(*left_out).to_string() } else { String::new() };
        [head.as_str(), &left_out, tail].concat()
    }

    fn content(&self) -> MutexGuard<'_, LogContent> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of the log of that deployment.
pub(crate) fn path(folder: &Path, id: &DeploymentId) -> PathBuf {
    folder.join(format!("{}{EXTENSION}", id.as_str()))
}

/// The deployment whose log the file of that name is, if it is one.
pub(crate) fn deployment_of(file_name: &str) -> Option<DeploymentId> {
    DeploymentId::parse(file_name.strip_suffix(EXTENSION)?).ok()
}

impl LogContent {
    const fn new(file: LogFile) -> Self {
        Self { head: String::new(), tail: String::new(), left_out: 0, size: 0, file, is_full: false }
    }

    fn add(&mut self, line: &str, limit: usize) {
        if self.is_full {
            return;
        }
        self.is_full = self.size + line.len() >= limit;
        let line = if self.is_full {
            format!("(the build log is longer than {limit} bytes; the rest is left out)\n")
        } else {
            format!("{line}\n")
        };
        self.size += line.len();
        self.keep(&line);
        self.file.add(line.as_bytes());
    }

    fn keep(&mut self, text: &str) {
        if self.tail.is_empty() && self.head.len() + text.len() <= MAX_IN_MEMORY / 2 {
            self.head.push_str(text);
            return;
        }
        self.tail.push_str(text);
        if self.tail.len() > MAX_IN_MEMORY {
            let surplus = self.tail.ceil_char_boundary(self.tail.len() - MAX_IN_MEMORY / 2);
            self.left_out += surplus as u64;
            self.tail.drain(..surplus);
        }
    }
}

impl fmt::Debug for BuildLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildLog").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5c0a1d9e-7a40-4a8e-9d7c-0242ac120002";

    fn log(folder: &Path, limit: usize) -> BuildLog {
        let id = DeploymentId::parse(ID).expect("valid");
        BuildLog::open(folder, &id, Redaction::new(REDACTED, ["hunter2"]), limit).expect("can be opened")
    }

    fn file(folder: &Path) -> String {
        std::fs::read_to_string(folder.join(format!("{ID}.log"))).expect("is there")
    }

    #[test]
    fn lines_are_kept_redacted_and_readable() {
        let folder = tempfile::tempdir().expect("can be made");
        let first = log(folder.path(), 1000);
        first.line("one\ntwo with hunter2");
        first.redacted_line("caf\u{e9}");
        first.line("");
        let text = "one\ntwo with [redacted]\ncaf\u{e9}\n\n";
        assert_eq!(first.text(), text);
        let second = log(folder.path(), 1000);
        second.line("again");
        assert_eq!(second.text(), "again\n");
        assert_eq!(file(folder.path()), format!("{text}again\n"));
    }

    #[test]
    fn a_log_ends_with_a_note_where_it_is_too_long() {
        let folder = tempfile::tempdir().expect("can be made");
        let log = log(folder.path(), 100);
        for number in 0..10_000 {
            log.line(&format!("line {number}"));
        }
        let text = log.text();
        assert!(text.len() < 200 && text.starts_with("line 0\n"), "{text}");
        assert!(text.ends_with("(the build log is longer than 100 bytes; the rest is left out)\n"), "{text}");
        assert_eq!(file(folder.path()), text);
    }

    #[test]
    fn of_a_long_log_the_ends_are_in_memory_and_all_is_in_the_file() {
        let folder = tempfile::tempdir().expect("can be made");
        let log = log(folder.path(), usize::MAX);
        let line = "\u{e9}".repeat(5000);
        for number in 0..2000 {
            log.redacted_line(&format!("{number} {line}"));
        }
        let (text, file) = (log.text(), file(folder.path()));
        assert!(
            text.len() < 2 * MAX_IN_MEMORY
                && text.starts_with("0 ")
                && text.ends_with(&format!("\n1999 {line}\n"))
        );
        let (head, rest) = text.split_once("[\u{2026} ").expect("it is said");
        let (left_out, tail) = rest.split_once(" bytes left out \u{2026}]").expect("it is said");
        assert_eq!(head.len() + tail.len() + left_out.parse::<usize>().expect("a number"), file.len());
        assert!(file.starts_with(head) && file.ends_with(tail));
    }
}
