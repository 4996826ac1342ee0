//! The work of one supervisor.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use racetrack_core::tool_launcher::ToolLauncher;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, getpid, getppid, getrlimit, kill_process,
    set_child_subreaper, set_parent_process_death_signal, setrlimit, wait,
};
use tokio::signal::unix::{SignalKind, signal};

/// How long processes may take to vanish after SIGKILL; those of other users are not ours to kill.
const LONGEST_DEATH: Duration = Duration::from_secs(10);

/// How often it is looked whether they have.
const INTERVAL: Duration = Duration::from_millis(2);

/// Runs a tool, and ends all that it leaves behind. Gives the exit code of the tool, 128 more than the number of the signal
/// that ended it, or [`ToolLauncher::NOT_STARTED`].
pub(super) fn supervise(parent: &OsStr, files: &OsStr, tool: &mut dyn Iterator<Item = OsString>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let limited = limit_open_files(files).and(runtime);
    let ended = limited.and_then(|runtime| runtime.block_on(run(parent, tool)));
    ended.unwrap_or_else(|error| {
        // Nobody is left to hear of a second failure.
        let _ = writeln!(io::stderr(), "{error}");
        code(ToolLauncher::NOT_STARTED)
    })
}

async fn run(parent: &OsStr, tool: &mut dyn Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let mut told_to_end = signal(SignalKind::terminate())?;
    let mut a_child_ended = signal(SignalKind::child())?;
    set_child_subreaper(Some(getpid()))?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let has_parent = getppid().is_some_and(|pid| parent == OsStr::new(&pid.as_raw_nonzero().to_string()));
    if !has_parent {
        return Err(io::Error::other("image-builder has ended"));
    }
    let program = tool.next().ok_or_else(|| io::Error::other("there is no tool to supervise"))?;
    let child = Command::new(program).args(tool).spawn()?;
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let child = child.expect("the system counts processes in positive numbers of 31 bits");
    let status = loop {
        if let Some(status) = reap(Some(child))? {
            break Some(status);
        }
        tokio::select! {
            _ = a_child_ended.recv() => {}
            _ = told_to_end.recv() => break None,
        }
    };
    end_all().await?;
    Ok(status.map_or(ExitCode::FAILURE, exit_code))
}

/// Limits the files that this process, and so the tool, may open to that number. A text that is not one is no limit.
fn limit_open_files(files: &OsStr) -> io::Result<()> {
    let Some(current) = files.to_str().and_then(|files| files.parse().ok()) else { return Ok(()) };
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum })?)
}

/// Takes note of all children that have ended. Gives the status of that one, if it is among them.
fn reap(wanted: Option<Pid>) -> io::Result<Option<ExitStatus>> {
    let mut found = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if Some(pid) == wanted => {
                found = Some(std::os::unix::process::ExitStatusExt::from_raw(status.as_raw()));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(found),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills all descendants. Those whose parent dies first become children of this process, so none can hide for long.
async fn end_all() -> io::Result<()> {
    let deadline = Instant::now() + LONGEST_DEATH;
    loop {
        for pid in descendants(getpid())? {
            // It may have ended meanwhile, or be another user's.
            let _ = kill_process(pid, Signal::KILL);
        }
        reap(None)?;
        if descendants(getpid())?.is_empty() || Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// All processes that descend from this one.
fn descendants(ancestor: Pid) -> io::Result<Vec<Pid>> {
    let mut children = HashMap::<Pid, Vec<Pid>>::new();
    for entry in fs_err::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| Pid::from_raw(name.parse().ok()?)) else { continue };
        // It may have ended meanwhile.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) else {
            continue;
        };
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&ancestor).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let below = children.remove(pid).unwrap_or_default();
        found.extend(below);
        next += 1;
    }
    Ok(found)
}

/// The parent in a line of `/proc/PID/stat`: the name of the program before it may hold anything.
fn parent(stat: &str) -> Option<Pid> {
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_ascii_whitespace().nth(1)?.parse().ok()?)
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let signal = || std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
    code(status.code().unwrap_or_else(|| 128 + signal()))
}

fn code(number: i32) -> ExitCode {
    u8::try_from(number).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_whatever_a_program_calls_itself() {
        let parent = |stat| parent(stat).map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(parent("12 (cat) S 7 12 12"), Some(7));
        assert_eq!(parent("12 (a) S 1 (b\n) R 9 12"), Some(9));
        assert_eq!(parent("1 (init) S 0 1 1"), None);
        assert_eq!(parent(""), None);
    }

    #[test]
    fn descendants_are_found() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 600 & echo; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().expect("is piped")), &mut line)
            .expect("says so");
        let pid = Pid::from_raw(child.id().try_into().expect("fits")).expect("is no zero");
        let found = descendants(pid).expect("can be read");
        assert_eq!(found.len(), 1);
        let all = descendants(getpid()).expect("can be read");
        assert!(all.contains(&pid) && all.contains(&found[0]));
        kill_process(found[0], Signal::KILL).expect("is there");
        child.kill().expect("is there");
        child.wait().expect("can be awaited");
    }
}
