//! A disk that is full, and has room again. A real one: a small file system in memory, in a mount namespace of its own.

use racetrack_core::error::chain;
use racetrack_core::{JobSecrets, JobStatus};

use super::*;

const FOLDER: &str = "RACETRACK_PROCESS_INFRASTRUCTURE_TEST_SMALL_DISK";

/// A log that never gets too large for its job, only for the disk.
const LARGE_LOGS: &str = "log-file-size: 100Mi";

/// Nothing that was acknowledged is lost and nothing is half-written, jobs go on, and all goes on by itself when there is
/// room again.
///
/// Runs itself as another process, for which a disk of 6 MiB is mounted where temporary folders are made.
#[test]
fn a_full_disk_loses_nothing_and_ends_no_job() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(state_on_a_full_disk(Path::new(&folder)));
        runtime.block_on(logs_on_a_full_disk(Path::new(&folder)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
        .arg("mount -t tmpfs -o size=6m tmpfs \"$1\"; shift; exec \"$@\"")
        .arg("sh")
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "tests::full_disk::a_full_disk_loses_nothing_and_ends_no_job", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("TMPDIR", folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "on the small disk: {status}");
}

async fn state_on_a_full_disk(disk: &Path) {
    let mut sandbox = Sandbox::with_settings(&format!("{QUICK}, {LARGE_LOGS}"));
    let wanted = |name, timestamp| Wanted { name, timestamp, ..Wanted::default() };
    save(&sandbox, "first").await.unwrap();
    let mut job = sandbox.bring_up(&wanted("adder", 7)).await.unwrap();
    for round in 1..=2 {
        let acknowledged = secret_of(&sandbox).await;
        write_until_full(&job, disk).await;
        let before = state_files(&sandbox);
        assert!(fs::metadata(log_of(&sandbox)).unwrap().len() > 1 << 20, "the job has filled it");

        let error = sandbox.target().check_storage().await.unwrap_err();
        assert!(chain(&*error).contains("No space left on device"), "health says so: {}", chain(&*error));

        // Whatever has to be written is refused with the reason, and leaves nothing.
        let refusals = [
            ("secrets", save(&sandbox, "lost").await.unwrap_err()),
            ("another job", sandbox.deploy(&wanted("other", 8)).await.map(drop).unwrap_err()),
            ("the next instance", sandbox.deploy(&wanted("adder", 9)).await.map(drop).unwrap_err()),
        ];
        for (what, error) in refusals {
            let error = chain(&*error);
            assert!(
                error.starts_with("cannot ") && error.contains("No space left on device"),
                "{what}: {error}"
            );
        }
        assert_eq!(state_files(&sandbox), before, "nothing half-written, and nothing gone");
        let listed = sandbox.listed().await;
        assert_eq!(listed.iter().map(|job| &job.name).collect::<Vec<_>>(), ["adder"]);
        assert_eq!(listed[0].status, JobStatus::Running, "{:?}", listed[0].error);
        let process = ProcessIdentity::of(pid_of(&job).await).unwrap();
        assert_eq!(secret_of(&sandbox).await, acknowledged);
        assert!(sandbox.target().read_recent_logs(&job, 1).await.unwrap().contains("the same line"));

        // Nor is anything lost by a restart, which finds the same process.
        sandbox.restart();
        assert_eq!(sandbox.listed().await[0].status, JobStatus::Running);
        assert_eq!((pid_of(&job).await, secret_of(&sandbox).await), (process.pid, acknowledged));

        // A process cannot be started, as nobody would find it again, and the job says why.
        process.signal(Signal::KILL).unwrap();
        until("the reason is told", async || {
            let job = sandbox.listed().await.remove(0);
            job.error.is_some_and(|error| error.contains("No space left on device"))
        })
        .await;
        assert_eq!(sandbox.processes(), [], "none that is not noted");
        assert_eq!(state_files(&sandbox), before);

        // What was refused succeeds at once, and the job comes up by itself.
        make_room(&sandbox, disk);
        sandbox.target().check_storage().await.unwrap();
        let saved = format!("round {round}");
        save(&sandbox, &saved).await.unwrap();
        until("the job runs again", async || sandbox.listed().await[0].status == JobStatus::Running).await;
        job = sandbox.bring_up(&wanted("adder", 10 + round)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(secret_of(&sandbox).await, saved);
            let listed = sandbox.listed().await;
            assert_eq!((listed.len(), listed[0].status), (1, JobStatus::Running));
            assert_eq!(listed[0].create_time, 10 + round);
            sandbox.restart();
        }
        until("the former instance is gone", async || sandbox.status().await.as_array().unwrap().len() == 1)
            .await;
    }
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
}

async fn logs_on_a_full_disk(disk: &Path) {
    let sandbox = Sandbox::with_settings(&format!("{QUICK}, log-file-size: 64Ki, log-files: 3"));
    let job = sandbox.bring_up(&Wanted { name: "adder", timestamp: 7, ..Wanted::default() }).await.unwrap();
    // A file system in memory cannot cut out the beginning of a file: what a job writes while its log is emptied is lost,
    // which the log says. So the job writes its line until the line is there.
    let small_again = async |line: &str| {
        until("the log is small and goes on", async || {
            ask(&job, &format!("/print/{line}")).await;
            fs::metadata(log_of(&sandbox)).unwrap().len() <= 2 * 64 * 1024
                && sandbox.target().read_recent_logs(&job, 1).await.unwrap().ends_with(&format!("{line}\n"))
        })
        .await;
    };
    for round in 1..=2 {
        fill(disk);
        // More than there is room for: its log is made small without any room to copy to.
        for _ in 0..20 {
            write_lines(&job, 200_000).await;
        }
        ask(&job, "/pid").await;
        fs::remove_file(disk.join("filler")).unwrap();
        small_again(&format!("with-room-{round}")).await;
        ask(&job, "/write-lines/2000000").await;
        small_again(&format!("after-a-burst-{round}")).await;
    }
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
}

/// Has the job write to its log until nothing can be written any more.
async fn write_until_full(job: &Job, disk: &Path) {
    write_lines(job, 16_000_000).await;
    fill(disk);
}

/// Has the job write to its log; it is told nothing when that fails half-way.
async fn write_lines(job: &Job, size: usize) {
    let port = port_of(job.internal_name.as_deref().unwrap());
    let path = format!("/write-lines/{size}");
    let _broken_off = crate::instance::http::get(port, &path, 1024, Duration::from_secs(30)).await;
}

/// Takes what room is left, to the last byte.
fn fill(disk: &Path) {
    let mut filler = fs::File::create(disk.join("filler")).unwrap();
    for size in [64 * 1024, 4096, 1] {
        while std::io::Write::write_all(&mut filler, &vec![0; size]).is_ok() {}
    }
}

/// Makes room, as whoever looks after the machine does.
fn make_room(sandbox: &Sandbox, disk: &Path) {
    fs::remove_file(disk.join("filler")).unwrap();
    fs::OpenOptions::new().write(true).open(log_of(sandbox)).unwrap().set_len(0).unwrap();
}

async fn save(sandbox: &Sandbox, text: &str) -> HookResult {
    let runtime = BTreeMap::from([("TOKEN".to_owned(), text.to_owned())]);
    let secrets = JobSecrets::new(None, BTreeMap::new(), runtime);
    sandbox.target().save_job_secrets("adder", "0.0.1", &secrets).await
}

async fn secret_of(sandbox: &Sandbox) -> String {
    let mut kept = sandbox.target().get_job_secrets("adder", "0.0.1").await.unwrap();
    kept.secret_runtime_env.remove("TOKEN").unwrap()
}

/// The log of the only job there is.
fn log_of(sandbox: &Sandbox) -> PathBuf {
    let logs: Vec<_> =
        sandbox.job_files().into_iter().filter(|path| path.ends_with("replica-0.log")).collect();
    let [log] = logs.try_into().unwrap();
    log
}

/// What is kept of jobs beside their logs, by path. A record has to be whole.
fn state_files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let files = sandbox.job_files().into_iter().filter(|path| !path.to_string_lossy().contains(".log"));
    let files: Vec<_> = files.collect();
    for record in files.iter().filter(|path| path.ends_with("instance.json")) {
        let _whole: InstanceRecord = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    }
    files
}
