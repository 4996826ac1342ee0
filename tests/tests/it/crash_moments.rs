//! Lifecycle ends as by `kill -9` at moments that nobody chose, amid whatever it does; a seed makes them the same each time.

use std::process::Command;
use std::thread;
use std::time::Duration;

use racetrack_tests::staged_platform::wait_until;
use racetrack_tests::{RunningComponent, StagedPlatform};
use serde_json::{Value, json};

/// How often it is ended.
const MOMENTS: u32 = 24;

/// What is being done.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Deploy,
    Force,
    Reprovision,
    Delete,
    Write,
}

use Operation::{Delete, Deploy, Force, Reprovision, Write};

const OPERATIONS: [Operation; 5] = [Deploy, Force, Reprovision, Delete, Write];

/// Numbers that look random, by a linear congruence with the constants of Knuth's MMIX.
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn at_no_moment_anything_is_torn() {
    let mut platform = StagedPlatform::start("crash-moments");
    let mut moments = Moments(20_260_101);
    for number in 0..MOMENTS {
        let operation = OPERATIONS[number as usize % OPERATIONS.len()];
        if matches!(operation, Force | Reprovision | Delete) && platform.job("adder") == Value::Null {
            let deployment = platform.deploy("adder", &json!({}), true);
            assert_eq!(platform.outcome(&deployment)["status"], "done", "{number} {operation:?}");
        }
        let request = platform.deploy_request("adder", &json!({}), true);
        let begun = begin(&platform, operation, number, request);
        // From the first bytes of the request until long after what it asks for is done.
        let pause = Duration::from_millis(moments.below(match operation {
            Write => 20,
            _ => 700,
        }));
        thread::sleep(pause);
        platform.kill_lifecycle();
        begun.join().expect("whoever asks does not panic");
        platform.start_lifecycle();
        let when = format!("{operation:?}, ended after {pause:?} (moment {number})");
        nothing_is_torn(&platform, operation, &when);
    }
    if platform.job("adder") != Value::Null {
        platform.delete("adder");
    }
    platform.wait_for_processes(0);
}

/// Begins something, and does not mind whether that is answered.
fn begin(
    platform: &StagedPlatform,
    operation: Operation,
    number: u32,
    deployment: Value,
) -> thread::JoinHandle<Option<u16>> {
    let address = platform.lifecycle().address();
    let version = platform.job("adder")["version"].as_str().unwrap_or("1.0.0").to_owned();
    let (method, path, body) = match operation {
        Deploy | Force => ("POST", "/api/v1/deploy".to_owned(), deployment),
        Reprovision => ("POST", format!("/api/v1/job/adder/{version}/reprovision"), Value::Null),
        Delete => ("DELETE", format!("/api/v1/job/adder/{version}"), Value::Null),
        Write => ("POST", "/api/v1/escs".to_owned(), json!({ "name": format!("esc-{number}") })),
    };
    thread::spawn(move || RunningComponent::try_send(address, method, &path, &body))
}

/// No deployment hangs, each job that is listed answers, each process is that of a job, and the database is sound.
///
/// A deletion that nobody was told the end of may have come half the way: its job is lost then, and says so until it is deleted
/// again.
fn nothing_is_torn(platform: &StagedPlatform, operation: Operation, when: &str) {
    let lifecycle = platform.lifecycle();
    let list = |path: &str| {
        let (status, list) = lifecycle.get(path);
        assert_eq!(status, 200, "{when}: {list}");
        list.as_array().expect("is a list").clone()
    };
    wait_until(&format!("{when}: no deployment hangs"), || {
        let is_over = |record: &Value| record["status"] != "in_progress";
        list("/api/v1/deploy").iter().all(is_over).then_some(())
    });
    wait_until(&format!("{when}: each job answers"), || {
        let is_running = |job: &Value| job["status"] == "running";
        let jobs = list("/api/v1/job");
        if matches!(operation, Delete) && jobs.iter().any(|job| job["status"] == "lost") {
            platform.delete("adder");
            return None;
        }
        let answer = jobs.is_empty() || platform.call("adder").0 == 200;
        (jobs.iter().all(is_running) && answer).then_some(())
    });
    wait_until(&format!("{when}: no process is left, and none is missing"), || {
        (platform.processes().len() == list("/api/v1/job").len()).then_some(())
    });
    let workspaces = || platform.names(".racetrack-run/image-builder/workspaces");
    wait_until(&format!("{when}: no workspace is left"), || workspaces().is_empty().then_some(()));
    assert_eq!(integrity(platform), "ok", "{when}");
}

fn integrity(platform: &StagedPlatform) -> String {
    let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
    let mut python = Command::new("python3");
    let output = python.args(["-c", script]).arg(platform.database()).output().expect("Python is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
