//! The log of one build: kept in a file line by line, whatever becomes of the build, and given back with its result.

use std::borrow::Cow;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use racetrack_core::redaction::{RedactedLines, Redaction};

use crate::request::DeploymentId;

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "[redacted]";

/// A line of output that is longer than this comes in several, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// A build log that is being written. Secrets are taken out of each line before it goes anywhere.
pub(crate) struct BuildLog {
    redaction: Redaction,
    /// The most bytes of one build that are kept.
    limit: usize,
    written: Mutex<Written>,
}

struct Written {
    text: String,
    file: Option<File>,
    path: PathBuf,
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
        let path = folder.join(format!("{}.log", id.as_str()));
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = Some(options.open(&path)?);
        let written = Mutex::new(Written { text: String::new(), file, path, is_full: false });
        Ok(Self { redaction, limit, written })
    }

    /// Adds a line, or several.
    pub(crate) fn line(&self, text: &str) {
        // A secret of several lines is known as a whole only here.
        let text = self.redact(text);
        let mut written = self.written();
        for line in text.lines() {
            written.add(line, self.limit);
        }
        if text.is_empty() {
            written.add("", self.limit);
        }
    }

    /// Takes the secrets of this build out of what a program writes; the lines that come of it are for [`Self::redacted_line`].
    pub(crate) fn lines(&self) -> RedactedLines<'_> {
        self.redaction.lines(MAX_LINE)
    }

    /// Adds a line that has no secrets any more.
    pub(crate) fn redacted_line(&self, line: &str) {
        self.written().add(line, self.limit);
    }

    /// The text without the secrets of this build.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redaction.apply(text)
    }

    /// What this build has logged.
    pub(crate) fn text(&self) -> String {
        self.written().text.clone()
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn add(&mut self, line: &str, limit: usize) {
        if self.is_full {
            return;
        }
        let start = self.text.len();
        if start + line.len() < limit {
            self.text.push_str(line);
        } else {
            self.is_full = true;
            let note = format!("(the build log is longer than {limit} bytes; the rest is left out)");
            self.text.push_str(&note);
        }
        self.text.push('\n');
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(&self.text.as_bytes()[start..]) {
            tracing::warn!("the build log {} ends here: {error}", self.path.display());
            self.file = None;
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
}
