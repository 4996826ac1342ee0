//! Locks between builds, of this and of other processes; the system releases those of processes that die.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How often a build looks whether the one that it waits for is done.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits for the lock; it is held until the file is dropped and the tools that inherited it are gone. The file is
/// readable and empty, as the standard input of tools has to be.
pub(crate) async fn acquire(path: &Path, log: &(dyn Fn(&str) + Send + Sync)) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = File::options();
    // Whoever may open it may hold it for ever.
    let file = options.create(true).truncate(true).read(true).write(true).mode(0o600).open(path)?;
    let mut waits = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waits => {}
            Err(TryLockError::WouldBlock) => {
                log("waiting for another build of the same job");
                waits = true;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use racetrack_core::redaction::Redaction;
    use racetrack_core::tool_launcher::ToolLauncher;
    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::command::{self, Tool};

    #[tokio::test]
    async fn the_second_one_waits_for_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("locks/job.lock");
        let log = Mutex::new(Vec::new());
        let on_line = |line: &str| log.lock().unwrap().push(line.to_owned());
        let first = acquire(&path, &on_line).await.expect("can be locked");
        let both = tokio::join!(acquire(&path, &on_line), async { drop(first) });
        both.0.expect("can be locked");
        assert_eq!(log.into_inner().unwrap(), ["waiting for another build of the same job"]);
    }

    #[tokio::test]
    async fn a_tool_that_outlives_its_build_holds_the_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("locks/job.lock");
        let lock = acquire(&path, &|_| {}).await.expect("can be locked");
        // Asks for input, of which there is none, and leaves a process of another group behind.
        let script = "cat && exec 3<&0 && { setsid sleep 600 <&3 >/dev/null 2>&1 & } && echo $!";
        let pid = Mutex::new(String::new());
        let on_line = |line: &str| line.clone_into(&mut pid.lock().unwrap());
        let redaction = Redaction::new("***", []);
        let launcher = ToolLauncher::direct();
        let mut tool = Tool::new(&launcher, "sh");
        tool.command.args(["-c", script]);
        command::run(tool, &lock, &redaction, &on_line).await.expect("ends well");
        drop(lock);
        let is_locked = || {
            let lock = File::open(&path).expect("is there");
            matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
        };
        assert!(is_locked(), "the tool lives on");
        let pid = pid.into_inner().unwrap().parse().expect("a number");
        kill_process(Pid::from_raw(pid).expect("a process id"), Signal::KILL).expect("is there");
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_locked() {
            assert!(Instant::now() < deadline, "nobody is left who could write there");
            tokio::task::yield_now().await;
        }
    }
}
