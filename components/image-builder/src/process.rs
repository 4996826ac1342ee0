//! Runs a program to its end, with its output in a build log, and leaves nothing of it behind.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use racetrack_core::redaction::LinePiece;
use racetrack_core::tool_launcher::ToolLauncher;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::build_log::BuildLog;

/// How much of the end of the output is given back, in bytes.
const MAX_TAIL: usize = 16 * 1024;

/// What becomes of the output of a program, from which the secrets of the build of this log are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Output<'log> {
    /// It is in the log, and its end is returned.
    Logged(&'log BuildLog),
    /// Its end is returned.
    Returned(&'log BuildLog),
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct ProcessOutcome {
    pub(crate) status: ExitStatus,
    /// The end of what it wrote to standard error, and to standard output before that, without secrets.
    pub(crate) tail: String,
}

/// A program to run.
pub(crate) struct Tool<'a> {
    program: &'a str,
    /// Its arguments and its environment.
    pub(crate) command: Command,
    launcher: &'a ToolLauncher,
}

/// Why it is not known how a program ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("`{program}` is not installed here, or not on the PATH")]
    NotInstalled { program: String },
    #[error("cannot run `{program}`")]
    Run {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot run `{program}`, is it installed here and on the PATH? {reason}")]
    NotStarted { program: String, reason: String },
    #[error("`{program}` did not finish within {}", humantime::format_duration(*limit))]
    TimedOut { program: String, limit: Duration },
}

impl<'a> Tool<'a> {
    /// A call of a program.
    pub(crate) fn new(program: &'a str, launcher: &'a ToolLauncher) -> Self {
        Self { program, command: Command::from(launcher.command(program)), launcher }
    }
}

/// A process and those it started. They are killed when this is dropped, unless the process has ended by itself.
struct ProcessGroup {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
    /// Whether the leader is a supervisor, which kills all others and then ends.
    #[cfg(unix)]
    is_supervised: bool,
}

/// Runs the program. It and all it started are killed when it takes too long, and when the future is dropped.
///
/// Its output goes to the build log, or is in what is returned alone; in both cases without the secrets of the build.
pub(crate) async fn run(
    tool: Tool<'_>,
    output: Output<'_>,
    limit: Duration,
) -> Result<ProcessOutcome, ProcessError> {
    let Tool { program, mut command, launcher } = tool;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ProcessError::NotInstalled { program: program.to_owned() },
        _ => ProcessError::Run { program: program.to_owned(), source },
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(!launcher.is_supervised());
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let mut group = ProcessGroup::of(&child, launcher);
    group.restore_open_files();
    let pipes = child.stdout.take().zip(child.stderr.take());
    let (stdout, stderr) = pipes.expect("both are piped");
    let ended = async {
        let (stdout, stderr, status) = tokio::join!(pump(stdout, output), pump(stderr, output), child.wait());
        Ok(ProcessOutcome { status: status?, tail: stdout? + &stderr? })
    };
    let ended = tokio::time::timeout(limit, ended).await;
    let ended = ended.map_err(|_| ProcessError::TimedOut { program: program.to_owned(), limit })?;
    group.has_ended();
    let ended = ended.map_err(failed)?;
    if launcher.has_not_started(ended.status) {
        let reason = ended.tail.lines().last().unwrap_or_default().to_owned();
        return Err(ProcessError::NotStarted { program: program.to_owned(), reason });
    }
    Ok(ended)
}

/// Logs what comes, line by line, and gives back the end of it.
async fn pump(mut pipe: impl AsyncRead + Unpin, output: Output<'_>) -> io::Result<String> {
    let (Output::Logged(log) | Output::Returned(log)) = output;
    let mut tail = String::new();
    // Secrets go before anything is cut, the tail included.
    let mut lines = log.lines();
    let mut on_piece = |piece: LinePiece<'_>| {
        if matches!(output, Output::Logged(_)) {
            log.redacted_line(piece.text);
        }
        tail.push_str(piece.text);
        if piece.is_last {
            tail.push('\n');
        }
        let surplus = tail.len().saturating_sub(MAX_TAIL);
        tail.drain(..tail.ceil_char_boundary(surplus));
    };
    let mut chunk = vec![0; 8 * 1024];
    loop {
        let length = pipe.read(&mut chunk).await?;
        if length == 0 {
            break;
        }
        lines.push(&chunk[..length], &mut on_piece);
    }
    lines.finish(&mut on_piece);
    Ok(tail)
}

impl ProcessGroup {
    #[cfg(unix)]
    fn of(child: &tokio::process::Child, launcher: &ToolLauncher) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let leader = id.and_then(rustix::process::Pid::from_raw);
        Self { leader, is_supervised: launcher.is_supervised() }
    }

    #[cfg(not(unix))]
    fn of(_: &tokio::process::Child, _: &ToolLauncher) -> Self {
        Self {}
    }

    /// Gives the program the limit of open files that image-builder was started with.
    #[cfg(unix)]
    fn restore_open_files(&self) {
        use racetrack_core::open_files::original_limit;
        use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

        if let (Some(leader), Some(limit)) = (self.leader, original_limit()) {
            let limit = Rlimit { current: Some(limit), maximum: getrlimit(Resource::Nofile).maximum };
            // The only failure is that the program has ended already.
            let _ = prlimit(Some(leader), Resource::Nofile, limit);
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "there are no limits here")]
    fn restore_open_files(&self) {}

    #[cfg_attr(not(unix), expect(clippy::unused_self, reason = "there are no process groups here"))]
    fn has_ended(&mut self) {
        #[cfg(unix)]
        {
            self.leader = None;
        }
    }
}

impl Drop for ProcessGroup {
    #[cfg(unix)]
    fn drop(&mut self) {
        use rustix::process::{Signal, kill_process, kill_process_group};

        let Some(leader) = self.leader else { return };
        // It fails when all have ended meanwhile.
        let _ = if self.is_supervised {
            kill_process(leader, Signal::TERM)
        } else {
            kill_process_group(leader, Signal::KILL)
        };
    }

    #[cfg(not(unix))]
    fn drop(&mut self) {}
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use racetrack_core::redaction::Redaction;

    use super::*;
    use crate::build_log::REDACTED;
    use crate::identifier::DeploymentId;

    const SECRET: &str = "tok-AAAABBBBCCCC";

    fn log(folder: &Path) -> BuildLog {
        let id = DeploymentId::parse("5c0a1d9e-7a40-4a8e-9d7c-0242ac120002").expect("valid");
        BuildLog::open(folder, &id, Redaction::new(REDACTED, [SECRET]), 1_000_000).expect("can be opened")
    }

    fn shell(script: &str) -> Tool<'static> {
        static DIRECT: ToolLauncher = ToolLauncher::direct();
        let mut tool = Tool::new("sh", &DIRECT);
        tool.command.args(["-c", script]);
        tool
    }

    #[tokio::test]
    async fn output_of_any_kind_is_logged() {
        let folder = tempfile::tempdir().expect("can be made");
        let log = log(folder.path());
        let script = r"printf 'a\n\377b'; echo c >&2; exit 3";
        let ended = run(shell(script), Output::Logged(&log), Duration::from_secs(30)).await.expect("runs");
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.tail, "a\n\u{fffd}b\nc\n");
        let text = log.text();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["a", "c", "\u{fffd}b"]);
    }

    #[tokio::test]
    async fn ten_thousand_lines_are_all_logged() {
        let folder = tempfile::tempdir().expect("can be made");
        let log = log(folder.path());
        run(shell("seq 10000"), Output::Logged(&log), Duration::from_secs(30)).await.expect("runs");
        assert_eq!(log.text().lines().count(), 10_000);
    }

    #[tokio::test]
    async fn a_program_has_the_limit_of_open_files_that_image_builder_had() {
        racetrack_core::open_files::note_original_limit(777);
        let folder = tempfile::tempdir().expect("can be made");
        let log = log(folder.path());
        // It gets the limit when it runs already.
        let script = "until [ \"$(ulimit -Sn)\" = 777 ]; do :; done";
        let ended = run(shell(script), Output::Logged(&log), Duration::from_mins(1)).await.expect("gets it");
        assert!(ended.status.success());
    }

    #[tokio::test]
    async fn no_part_of_a_secret_is_left_where_a_line_a_write_or_the_tail_is_cut() {
        let folder = tempfile::tempdir().expect("can be made");
        for after in [65_520, 65_528, 65_536, MAX_TAIL - 12, MAX_TAIL - 6, MAX_TAIL - 1] {
            let log = log(folder.path());
            let script = format!(
                "printf %0{after}d 0; printf tok-AAAA; printf BBBBCCCC; printf '%0{after}d\\n' 0; exit 1"
            );
            let ended =
                run(shell(&script), Output::Logged(&log), Duration::from_secs(30)).await.expect("runs");
            for text in [ended.tail, log.text()] {
                assert!(!text.contains(['-', 'A', 'B', 'C']), "{after}: {}", text.trim_matches('0'));
            }
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("can be made");
        let launcher = ToolLauncher::direct();
        let command = Tool::new("no-such-program", &launcher);
        let error = run(command, Output::Logged(&log(folder.path())), Duration::from_secs(30))
            .await
            .expect_err("is not there");
        assert_eq!(error.to_string(), "`no-such-program` is not installed here, or not on the PATH");
    }

    /// The write end of the pipe closes when the last process that holds it is gone.
    #[tokio::test]
    async fn nothing_is_left_of_a_program_that_takes_too_long() {
        let folder = tempfile::tempdir().expect("can be made");
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("runs");
        assert!(made.success());
        let mut tool = shell("exec 9>\"$ALIVE\"; (exec sleep 30) & wait");
        tool.command.env("ALIVE", &fifo);
        let reader = tokio::task::spawn_blocking(move || std::fs::read(fifo));
        let log = log(folder.path());
        let error =
            run(tool, Output::Logged(&log), Duration::from_millis(300)).await.expect_err("takes too long");
        assert_eq!(error.to_string(), "`sh` did not finish within 300ms");
        let read =
            tokio::time::timeout(Duration::from_secs(10), reader).await.expect("nobody holds the pipe");
        let read = read.expect("does not panic").expect("can be read");
        assert!(read.is_empty(), "the pipe was closed by everybody");
    }
}
