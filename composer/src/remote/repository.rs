//! Repositories, by the `git` program: a single commit without its history, in a bare repository of our own.
//!
//! Nothing of what is fetched is run: there is no working tree, so no filters, no submodules and no large-file storage, and
//! hooks are off. Of the user's configuration git may use what it takes to get in, such as credential helpers.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use url::Url;

/// How long one git call may take.
const LIMIT: Duration = Duration::from_mins(10);

/// How long output may take to end once the process has ended, or was ended.
const GRACE: Duration = Duration::from_secs(5);

/// How much of git's last words are repeated, in lines.
const KEPT_LINES: usize = 4;

/// Settings that decide over those of the user.
const SETTINGS: [&str; 8] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "maintenance.auto=false",
    "protocol.version=2",
];

/// Variables that would lead git to another repository, as they are set for hooks.
const REMOVED: [&str; 11] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A bare repository that holds a commit.
#[derive(Debug)]
pub(super) struct Repository {
    folder: PathBuf,
}

/// Why git did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git, or it could not be waited for.
    #[error("cannot run git")]
    Run(#[source] io::Error),
    /// It said no.
    #[error("git says: {0}")]
    Failed(String),
    /// It did not come to an end.
    #[error("git took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Everything was fetched, and the commit was not there.
    #[error("the repository has no commit {0}")]
    MissingCommit(String),
}

impl Repository {
    /// Fetches the commit into a new repository in `folder`.
    pub(super) fn fetch(address: &Url, commit: &str, folder: &Path) -> Result<Self, GitError> {
        let repository = Self { folder: folder.to_owned() };
        let mut init = command(None);
        init.args(["init", "--quiet", "--bare", "--template="]).arg(folder);
        run(init, LIMIT)?;
        let allowed = if address.scheme() == "file" { "file" } else { "https:ssh" };
        let fetch = |arguments: &[&str]| {
            let mut fetch = command(Some(folder));
            fetch.env("GIT_ALLOW_PROTOCOL", allowed);
            fetch.args(["fetch", "--quiet", "--no-tags"]).args(arguments);
            run(fetch, LIMIT)
        };
        let address = address.as_str();
        if fetch(&["--depth", "1", "--", address, commit]).is_err() {
            // Some servers give only what a branch or a tag names.
            fetch(&["--", address, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])?;
        }
        if repository.kind(commit).as_deref() == Some("commit") {
            Ok(repository)
        } else {
            Err(GitError::MissingCommit(commit.to_owned()))
        }
    }

    /// `commit`, `tree` or `blob`; nothing where there is no such object.
    pub(super) fn kind(&self, object: &str) -> Option<String> {
        let kind = self.output(&["cat-file", "-t", object], None).ok()?;
        Some(String::from_utf8_lossy(&kind).trim().to_owned())
    }

    /// What git prints, given the content of a file as its input.
    pub(super) fn output(
        &self,
        arguments: &[&str],
        input: Option<fs_err::File>,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = command(Some(&self.folder));
        command.args(arguments);
        if let Some(input) = input {
            command.stdin(input.into_file());
        }
        run(command, LIMIT)
    }
}

fn command(folder: Option<&Path>) -> Command {
    let mut command = Command::new("git");
    for name in REMOVED {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    if let Some(folder) = folder {
        command.arg("--git-dir").arg(folder).current_dir(folder);
    }
    command.stdin(Stdio::null());
    command
}

/// The output of a command that succeeds within the limit.
fn run(mut command: Command, limit: Duration) -> Result<Vec<u8>, GitError> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(GitError::Run)?;
    let stdout = read_all(child.stdout.take().expect("the output was asked for"));
    let stderr = read_all(child.stderr.take().expect("the output was asked for"));
    let output = match stdout.recv_timeout(limit) {
        Ok(output) => output.map_err(GitError::Run)?,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            child.kill().and_then(|()| child.wait()).map_err(GitError::Run)?;
            return Err(GitError::TimedOut(limit));
        }
    };
    let status: ExitStatus = child.wait().map_err(GitError::Run)?;
    if status.success() {
        return Ok(output);
    }
    // A program that git has started may keep it open; what it would say is not waited for.
    let words = stderr.recv_timeout(GRACE).ok().and_then(Result::ok).unwrap_or_default();
    Err(GitError::Failed(last_words(&words, status)))
}

fn read_all(mut from: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut content = Vec::new();
        let read = from.read_to_end(&mut content).map(|_| content);
        // Nobody waits for it once the time is over.
        let _ = sender.send(read);
    });
    receiver
}

/// The end of what git said, on one line and without anything that a terminal would act upon.
fn last_words(words: &[u8], status: ExitStatus) -> String {
    let words = String::from_utf8_lossy(words);
    let mut lines: Vec<_> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_reason =
        |line: &&str| ["error: ", "fatal: ", "remote: "].iter().any(|sign| line.starts_with(sign));
    if lines.iter().any(is_reason) {
        lines.retain(is_reason);
    }
    let lines = &lines[lines.len().saturating_sub(KEPT_LINES)..];
    if lines.is_empty() {
        return format!("nothing, and ended with {status}");
    }
    lines.join("; ").chars().filter(|c| !c.is_control()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Vec<u8>, GitError> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, limit)
    }

    #[test]
    fn a_call_that_does_not_end_is_ended() {
        let limit = Duration::from_millis(50);
        assert!(
            matches!(shell("exec tail -f /dev/null", limit), Err(GitError::TimedOut(found)) if found == limit)
        );
    }

    #[test]
    fn last_words_are_one_harmless_line() {
        let message = |script| shell(script, LIMIT).unwrap_err().to_string();
        let said = message(r"printf 'hint\n\nfatal: \033[31mno\033[0m\n' >&2; exit 1");
        assert_eq!(said, "git says: fatal: [31mno[0m");
        assert_eq!(message("printf 'one\\ntwo\\n' >&2; exit 1"), "git says: one; two");
        assert!(message("exit 3").contains("nothing, and ended with exit status: 3"));
        assert_eq!(shell("echo yes", LIMIT).unwrap(), b"yes\n");
    }
}
