//! Reaps the processes that are left to this one where it is the first of a container: nobody else would.

use std::collections::BTreeSet;
use std::process;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, waitpid};

/// How long a process stays unreaped before it counts as nobody's. Whoever started a process and waits for it reaps it
/// as soon as it ends, or a little later.
const PERIOD: Duration = Duration::from_mins(1);

/// The number of the process that all others are left to.
const FIRST: u32 = 1;

/// A process that has ended and that its parent, this one, has not reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dead {
    pid: i32,
    /// When it was started, which tells it from others that had or get its number.
    start_ticks: u64,
}

/// Reaps what is left to this process, if that is the first of a container. Must be called on a runtime.
pub(crate) fn reap_if_first() {
    if process::id() == FIRST {
        tracing::info!(
            "this is the first process of a container, so it reaps the processes that others leave behind"
        );
        tokio::spawn(reap(PERIOD));
    }
}

/// Reaps, again and again, what was dead a period ago already: its result is wanted by nobody.
async fn reap(period: Duration) {
    let mut known = BTreeSet::new();
    loop {
        tokio::time::sleep(period).await;
        let dead = match tokio::task::spawn_blocking(dead_children).await {
            Ok(Ok(dead)) => dead,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the dead processes of this container cannot be listed");
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "the listing of dead processes was broken off");
                continue;
            }
        };
        for child in dead.intersection(&known) {
            // As long as nobody has reaped it, its number is not used again.
            if let Err(error) = waitpid(Pid::from_raw(child.pid), WaitOptions::NOHANG) {
                tracing::debug!(pid = child.pid, %error, "a dead process was reaped by somebody else");
            }
        }
        known = dead;
    }
}

fn dead_children() -> std::io::Result<BTreeSet<Dead>> {
    let own = process::id();
    let entries = fs_err::read_dir("/proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // A process may be reaped at any moment of this.
    let stats = pids.filter_map(|pid| Some((pid, fs_err::read(format!("/proc/{pid}/stat")).ok()?)));
    Ok(stats.filter_map(|(pid, stat)| dead_child(own, pid, &stat)).collect())
}

fn dead_child(parent: u32, pid: i32, stat: &[u8]) -> Option<Dead> {
    // The second field is the name of the program in brackets, which may hold anything, brackets included.
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let is_dead = field(3)? == "Z" && field(4)?.parse() == Ok(parent);
    let start_ticks = field(22)?.parse().ok()?;
    is_dead.then_some(Dead { pid, start_ticks })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn dead_children_are_told_from_the_living_and_from_those_of_others() {
        let stat = |state, parent| {
            format!("42 (a) Z 1 (b)) {state} {parent} 8 9 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 12345 0 0\n")
        };
        let judged = |state, parent| dead_child(7, 42, stat(state, parent).as_bytes());
        assert_eq!(judged('Z', 7), Some(Dead { pid: 42, start_ticks: 12345 }));
        assert_eq!((judged('S', 7), judged('Z', 8)), (None, None));
        assert_eq!(dead_child(7, 42, b"42 (a) Z 7"), None);
    }

    /// Runs a second time, as the first process of a namespace.
    #[test]
    #[expect(clippy::print_stderr, reason = "a test that cannot be run says so")]
    fn the_first_process_reaps_what_is_left_to_it_and_nothing_else() {
        if process::id() == FIRST {
            return as_first_process();
        }
        let own = std::env::current_exe().expect("a test is a program");
        let name = "orphans::tests::the_first_process_reaps_what_is_left_to_it_and_nothing_else";
        let unshared = |arguments: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]).args(arguments);
            command.output()
        };
        if !unshared(&["true"]).is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no namespace of processes can be made here");
            return;
        }
        let own = own.to_str().expect("the path is text");
        let output = unshared(&[own, "--exact", name, "--nocapture"]).expect("it was made before");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn as_first_process() {
        const LIMIT: Duration = Duration::from_mins(1);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads");
        runtime.spawn(reap(Duration::from_millis(50)));
        // Its parent ends at once, so it is left to this process.
        let script = "sleep 0.1 >/dev/null 2>&1 & echo $!";
        let output = Command::new("sh").args(["-c", script]).output().expect("a shell");
        let orphan = String::from_utf8(output.stdout).expect("a number").trim().to_owned();
        let file = format!("/proc/{orphan}/stat");
        let start = Instant::now();
        while fs_err::read(&file).is_ok() {
            assert!(start.elapsed() < LIMIT, "{}", fs_err::read_to_string(&file).unwrap_or_default());
            // The results of own children stay with who waits for them.
            let status =
                Command::new("sh").args(["-c", "exit 7"]).status().expect("its result is not taken away");
            assert_eq!(status.code(), Some(7));
        }
    }
}
