//! Builds that run code of the job's author, and what is left of them.

use racetrack_tests::Platform;
use rustix::process::{Pid, test_kill_process};
use serde_json::json;

use super::distribution::{administrator, platform};

/// Starts a process that leaves its group and session, drops its environment, and stays.
const BUILD_SCRIPT: &str = r#"
fn main() {
    let file = env!("CARGO_MANIFEST_DIR").to_owned() + "/escaped";
    let script = "echo $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 600";
    let mut escaped = std::process::Command::new("setsid");
    escaped.args(["env", "-i", "/bin/sh", "-c", script, &file]);
    let null = std::process::Stdio::null;
    escaped.stdin(null()).stdout(null()).stderr(null()).spawn().expect("can be started");
    let pid = loop {
        if let Ok(pid) = std::fs::read_to_string(&file) {
            break pid;
        }
        std::thread::yield_now();
    };
    println!("cargo::rustc-env=ESCAPED={}", pid.trim());
}
"#;

/// Tells which process its build has left.
const JOB: &str = r#"
pub fn perform(_: serde_json::Value) -> Result<i32, std::num::ParseIntError> {
    env!("ESCAPED").parse()
}
"#;

#[test]
fn what_a_build_starts_ends_with_it() {
    let platform = platform("builds");
    let client = administrator(&platform);
    let deployed = client.run(&["deploy", &write_job(&platform), "--build-context", "local"]);
    let _ = deployed.succeeded();
    let call = || platform.call("escape/latest/api/v1/perform", Some(platform.token()), &json!({}));
    let (status, pid) = call();
    assert_eq!(status, 200, "{pid}");
    let pid = pid.as_i64().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).expect("a process");
    assert!(test_kill_process(pid).is_err(), "{pid:?} is still there");
    platform.end();
}

fn write_job(platform: &Platform) -> String {
    let manifest = "name: escape\nowner_email: sample@example.com\nversion: 0.0.1\njobtype: rust:latest\n\
                    git: {remote: 'https://example.com/escape.git'}\n";
    let cargo_manifest = "[package]\nname = \"escape\"\nversion = \"0.0.1\"\nedition = \"2024\"\n\n\
                          [dependencies]\nserde_json = \"1\"\n";
    platform.write("sources/escape/job.yaml", manifest);
    platform.write("sources/escape/Cargo.toml", cargo_manifest);
    platform.write("sources/escape/build.rs", BUILD_SCRIPT);
    platform.write("sources/escape/src/lib.rs", JOB);
    platform.path("sources/escape").display().to_string()
}
