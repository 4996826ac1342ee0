//! Runs a tool: its output goes to the build log line by line, and it dies with the build.
//!
//! Nothing dies with a build that is killed. So a tool inherits the lock of what it writes to, as its standard input: a
//! lock belongs to the open file, whoever has it open, and is given free when the last of them is gone.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;

use racetrack_core::open_files::original_limit;
use racetrack_core::redaction::{LinePiece, Redaction};
use racetrack_core::tool_launcher::ToolLauncher;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, kill_process_group, prlimit};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// How much of a line is kept, in bytes.
const LINE_BYTES: usize = 8 * 1024;

/// What stands for a secret.
pub(crate) const SECRET: &str = "***";

/// Stands at the end of a line that was longer.
const CUT: &str = " […]";

/// How many lines of a failed tool its error repeats.
const LAST_LINES: usize = 15;

/// Why a tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It could not be started.
    #[error("cannot start `{program}`")]
    Start { program: String, source: io::Error },
    /// Its output or its end could not be awaited.
    #[error("lost sight of `{program}`")]
    Watch { program: String, source: io::Error },
    /// It failed.
    #[error("`{program}` failed ({status}); its last lines:\n{last_lines}")]
    Failed { program: String, status: ExitStatus, last_lines: String },
}

/// A tool to run.
pub(crate) struct Tool<'a> {
    program: String,
    /// Its arguments and its environment.
    pub(crate) command: Command,
    launcher: &'a ToolLauncher,
}

impl<'a> Tool<'a> {
    /// A call of a program, started by the launcher of the build.
    pub(crate) fn new(launcher: &'a ToolLauncher, program: impl AsRef<OsStr>) -> Self {
        let name = program.as_ref().to_string_lossy().into_owned();
        Self { program: name, command: Command::from(launcher.command(program)), launcher }
    }
}

/// Runs a tool to its end. The lock is held for as long as the tool lives; its file is empty and open for reading.
pub(crate) async fn run(
    tool: Tool<'_>,
    lock: &File,
    redaction: &Redaction,
    log: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), CommandError> {
    let Tool { program, mut command, launcher } = tool;
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.kill_on_drop(!launcher.is_supervised());
    let started = lock.try_clone().and_then(|lock| command.stdin(lock).spawn());
    // The command would hold on to the lock.
    drop(command);
    let mut child = started.map_err(|source| CommandError::Start { program: program.clone(), source })?;
    let mut group = ProcessGroup::of(&child, launcher);
    group.restore_open_files();
    let last_lines = Mutex::new(VecDeque::new());
    let on_line = |line: String| {
        log(&line);
        let mut last_lines = last_lines.lock().expect("taking a line does not panic");
        if last_lines.len() == LAST_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line);
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended =
        tokio::try_join!(read_lines(stdout, redaction, &on_line), read_lines(stderr, redaction, &on_line));
    let ended = match ended {
        Ok(_) => child.wait().await,
        Err(error) => Err(error),
    };
    let status = ended.map_err(|source| CommandError::Watch { program: program.clone(), source })?;
    group.ended();
    if status.success() {
        return Ok(());
    }
    let last_lines = last_lines.into_inner().expect("taking a line does not panic");
    if launcher.has_not_started(status) {
        let reason = Vec::from(last_lines).pop().unwrap_or_default();
        return Err(CommandError::Start { program, source: io::Error::other(reason) });
    }
    let last_lines = Vec::from(last_lines).join("\n");
    Err(CommandError::Failed { program, status, last_lines })
}

/// Kills the process group of a child, unless the child has ended by itself: a tool starts tools of its own, and a
/// build that is given up must leave none behind. A supervisor is told to end, and takes all along.
struct ProcessGroup {
    leader: Option<Pid>,
    is_supervised: bool,
}

impl ProcessGroup {
    fn of(child: &Child, launcher: &ToolLauncher) -> Self {
        let leader = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Self { leader, is_supervised: launcher.is_supervised() }
    }

    /// Gives the tool the limit of open files that the component was started with.
    fn restore_open_files(&self) {
        if let (Some(leader), Some(limit)) = (self.leader, original_limit()) {
            let limit = Rlimit { current: Some(limit), maximum: getrlimit(Resource::Nofile).maximum };
            // The only failure is that the tool is gone already.
            let _ = prlimit(Some(leader), Resource::Nofile, limit);
        }
    }

    fn ended(&mut self) {
        self.leader = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let Some(leader) = self.leader else { return };
        // The only failure is that all of it is gone already.
        let _ = if self.is_supervised {
            kill_process(leader, Signal::TERM)
        } else {
            kill_process_group(leader, Signal::KILL)
        };
    }
}

/// Gives each line without secrets, and of a long one its beginning.
async fn read_lines(
    output: Option<impl AsyncRead + Unpin>,
    redaction: &Redaction,
    on_line: &(impl Fn(String) + Sync),
) -> io::Result<()> {
    let Some(mut output) = output else { return Ok(()) };
    let mut lines = redaction.lines(LINE_BYTES);
    let mut on_piece = |piece: LinePiece<'_>| {
        if piece.is_first {
            on_line(format!("{}{}", piece.text, if piece.is_last { "" } else { CUT }));
        }
    };
    let mut chunk = vec![0; 8 * 1024];
    loop {
        let length = output.read(&mut chunk).await?;
        if length == 0 {
            break;
        }
        lines.push(&chunk[..length], &mut on_piece);
    }
    lines.finish(&mut on_piece);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    async fn shell(script: &str) -> (Result<(), String>, Vec<String>) {
        let lines = Mutex::new(Vec::new());
        let log = |line: &str| lines.lock().unwrap().push(line.to_owned());
        let redaction = Redaction::new(SECRET, ["hunter2", "tok-AAAABBBBCCCC"]);
        let launcher = ToolLauncher::direct();
        let mut tool = Tool::new(&launcher, "sh");
        tool.command.args(["-c", script]);
        let lock = tempfile::tempfile().expect("a file");
        let result = run(tool, &lock, &redaction, &log).await;
        (result.map_err(|error| error.to_string()), lines.into_inner().unwrap())
    }

    #[tokio::test]
    async fn lines_are_logged_without_secrets_and_cut() {
        let (result, lines) = shell("echo hunter2; printf 'x%.0s' $(seq 20000); echo; printf end").await;
        assert_eq!(result, Ok(()));
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [3, LINE_BYTES + CUT.len(), 3]);
    }

    #[tokio::test]
    async fn no_part_of_a_secret_is_left_where_a_line_or_a_write_ends() {
        let script = "for before in 8170 8175 8180 8187 8191 8192; do
            printf %0${before}d 0; printf tok-AAAA; printf 'BBBBCCCC\\n'; done; exit 1";
        let (result, lines) = shell(script).await;
        assert_eq!(lines.len(), 6);
        for line in lines.iter().chain([&result.expect_err("exits with 1")]) {
            assert!(!line.contains("to") && !line.contains('A') && !line.contains('B'), "{line}");
        }
    }

    #[tokio::test]
    async fn a_tool_has_the_limit_of_open_files_that_the_component_had() {
        racetrack_core::open_files::note_original_limit(777);
        // It gets the limit when it runs already.
        let script =
            "for turn in $(seq 1000); do [ \"$(ulimit -Sn)\" = 777 ] && exit; sleep 0.05; done; exit 1";
        assert_eq!(shell(script).await.0, Ok(()));
    }

    #[tokio::test]
    async fn a_failure_repeats_the_last_lines() {
        let (result, _) = shell("{ seq 30; echo hunter2; } >&2; exit 3").await;
        let message = result.expect_err("exits with 3");
        assert!(message.starts_with("`sh` failed (exit status: 3)"), "{message}");
        assert!(message.contains("***") && !message.contains("hunter2"), "{message}");
        assert_eq!(message.lines().count(), 1 + LAST_LINES, "{message}");
    }

    #[tokio::test]
    async fn a_tool_that_is_not_there_is_named() {
        let launcher = ToolLauncher::direct();
        let tool = Tool::new(&launcher, "no-such-tool");
        let lock = tempfile::tempfile().expect("a file");
        let result = run(tool, &lock, &Redaction::new(SECRET, []), &|_| {}).await;
        assert_eq!(result.expect_err("cannot start").to_string(), "cannot start `no-such-tool`");
    }

    #[tokio::test]
    async fn a_build_that_is_given_up_takes_its_processes_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", pids.display());
        let given_up = tokio::select! {
            result = shell(&script) => panic!("{result:?}"),
            pid = grandchild(&pids) => pid,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while rustix::process::test_kill_process(given_up).is_ok() && !is_zombie(given_up) {
            assert!(Instant::now() < deadline, "{given_up:?} is still there");
            tokio::task::yield_now().await;
        }
    }

    async fn grandchild(file: &std::path::Path) -> Pid {
        loop {
            if let Ok(text) = std::fs::read_to_string(file) {
                return Pid::from_raw(text.trim().parse().expect("a number")).expect("a process id");
            }
            tokio::task::yield_now().await;
        }
    }

    /// Killed, but not yet waited for by the process that inherited it.
    fn is_zombie(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.is_ok_and(|stat| stat.contains(") Z "))
    }
}
