//! Both components, in a folder of their own, with jobs that are scripts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use racetrack_tests::component::free_address;
use racetrack_tests::staged_platform::end;
use racetrack_tests::{RunningComponent, Sandbox, checkout};
use serde_json::{Value, json};

use crate::requests;

/// How long a deployment may take.
const LIMIT: Duration = Duration::from_mins(10);

/// The password of the administrator, where one is needed.
pub(crate) const PASSWORD: &str = "the-password-of-this-benchmark";

pub(crate) struct Platform {
    pub(crate) lifecycle: RunningComponent,
    pub(crate) image_builder: RunningComponent,
    sandbox: Sandbox,
}

/// The script of a job.
pub(crate) const JOB: &[u8] = include_bytes!("job.py");

/// The source of a job, as files with their contents.
pub(crate) type Source<'a> = &'a [(&'a str, &'a [u8])];

/// The folder with the binaries, built if they are not.
pub(crate) fn built() -> PathBuf {
    let sandbox = Sandbox::shared("bench-memory", |sandbox| {
        let plugins = ["plugins/process-infrastructure", "tests/fixtures/script-job-type"];
        let mut declared = String::new();
        for source in plugins.map(|plugin| checkout().join(plugin)) {
            let name = source.file_name().expect("a folder has a name").to_string_lossy().into_owned();
            copy(&source, &sandbox.path("plugins").join(&name));
            declared.extend(["[[plugin]]\npath = \"plugins/", &name, "\"\n\n"]);
        }
        sandbox.declare(&declared);
        let _ = sandbox.xtask(&["build", "--profile", "quick"]).succeeded();
    });
    sandbox.path("dist")
}

impl Platform {
    /// Starts both components in an emptied folder, which `prepare` may fill.
    pub(crate) fn start(binaries: &Path, auth_required: bool, prepare: impl FnOnce(&Path)) -> Self {
        let sandbox = Sandbox::new("bench-memory-platform");
        prepare(&sandbox.path("."));
        let builder_address = free_address();
        let common = "component-auth-token: t0ken\nlog-level: 'warn,racetrack_service::server=info'\n";
        sandbox.write(
            "lifecycle.yaml",
            &format!(
                "{common}auth-required: {auth_required}\nadmin-password: '{PASSWORD}'\nmonitor-interval: 1s\n\
                 image-builder-url: http://{builder_address}\nallow-job-overwrite: true\n"
            ),
        );
        let config = sandbox.path("lifecycle.yaml");
        let lifecycle = RunningComponent::start(&binaries.join("lifecycle"), &config);
        let url = format!("http://{}", lifecycle.address());
        sandbox.write(
            "image-builder.yaml",
            &format!("{common}lifecycle-url: {url}\nallowed-git-protocols: [https, file]\n"),
        );
        let config = sandbox.path("image-builder.yaml");
        let image_builder =
            RunningComponent::start_at(builder_address, &binaries.join("image-builder"), &config);
        Self { lifecycle, image_builder, sandbox }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.lifecycle.address()
    }

    /// A folder beside those of the components.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.sandbox.path(relative)
    }

    /// Deploys a script, which has to come up, and gives the path of its calls.
    pub(crate) fn deploy_script(&self, name: &str) -> String {
        let archive = archive(&[("job.py", JOB)]);
        let (status, answer) = self.lifecycle.post("/api/v1/deploy", &deployment(&manifest(name), &archive));
        let record = self.outcome(status, &answer);
        assert_eq!(record["status"], "done", "{record}");
        format!("/pub/job/{name}/0.0.1")
    }

    /// Waits until a deployment is over, if it has begun; gives its record.
    pub(crate) fn outcome(&self, status: u16, answer: &Value) -> Value {
        assert_eq!(status, 200, "{answer}");
        let id = answer["id"].as_str().expect("a text");
        let started = Instant::now();
        loop {
            let (_, record) = self.lifecycle.get(&format!("/api/v1/deploy/{id}"));
            if record["status"] != "in_progress" {
                return record;
            }
            assert!(started.elapsed() < LIMIT, "the deployment does not end: {record}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Posts so many deployments at once, waits until all that began are over, and says what came of them.
    pub(crate) fn deploy_at_once(&self, count: usize, body: impl Fn(usize) -> Vec<u8> + Sync) -> String {
        let outcomes = std::thread::scope(|scope| {
            let deploy = |number| {
                let body = &body;
                scope.spawn(move || {
                    let (status, answer) = requests::post(self.address(), "/api/v1/deploy", &body(number));
                    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
                    match status {
                        200 => Ok(self.outcome(status, &answer)),
                        status => Err(format!("{status} {}", answer["error"].as_str().unwrap_or_default())),
                    }
                })
            };
            let threads: Vec<_> = (0..count).map(deploy).collect();
            threads.into_iter().map(|thread| thread.join().expect("does not panic")).collect::<Vec<_>>()
        });
        let failures = outcomes.iter().flatten().filter(|record| record["status"] != "done");
        let failures = failures.map(|record| record["error"].as_str().unwrap_or_default());
        let refusals = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).map(String::as_str);
        let mut parts = vec![format!("{} done", count - failures.clone().count() - refusals.clone().count())];
        for (what, reasons) in [("failed", failures.collect::<Vec<_>>()), ("refused", refusals.collect())] {
            if let Some(reason) = reasons.first() {
                let reason: String = reason.chars().take(120).collect();
                parts.push(format!("{} {what} ({})", reasons.len(), reason.replace('|', "")));
            }
        }
        parts.join(", ")
    }

    fn jobs(&self) -> Vec<u32> {
        let folder = self.sandbox.path(".").canonicalize().expect("the folder is there");
        let processes = fs_err::read_dir("/proc").expect("there is /proc");
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let is_own = |pid: &u32| {
            // A process may end meanwhile.
            let path = std::fs::read_link(format!("/proc/{pid}/cwd"));
            path.is_ok_and(|path| path.starts_with(&folder))
        };
        let own = [self.lifecycle.id(), self.image_builder.id()];
        pids.filter(is_own).filter(|pid| !own.contains(pid)).collect()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // So that nothing starts its jobs again.
        let _ = end(self.lifecycle.id());
        for pid in self.jobs() {
            let _ = end(pid);
        }
    }
}

/// The manifest of a script.
pub(crate) fn manifest(name: &str) -> Value {
    json!({
        "name": name, "version": "0.0.1", "owner_email": "sample@example.com", "jobtype": "script:1.0.0",
        "git": {"remote": "https://example.com/jobs.git"},
    })
}

/// What is posted to deploy the source in an archive.
pub(crate) fn deployment(manifest: &Value, archive: &[u8]) -> Value {
    json!({"manifest": manifest, "build_context": BASE64_STANDARD.encode(archive)})
}

/// A source as a .tar.gz.
pub(crate) fn archive(source: Source<'_>) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in source {
        append(&mut builder, path, content);
    }
    builder.into_inner().expect("is in memory").finish().expect("is in memory")
}

/// Adds a file to an archive.
pub(crate) fn append(builder: &mut tar::Builder<impl std::io::Write>, path: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, path, content).expect("is in memory");
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).expect("a folder can be made");
    for entry in fs_err::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("an entry");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs_err::copy(source, target).expect("a file can be copied");
        }
    }
}
