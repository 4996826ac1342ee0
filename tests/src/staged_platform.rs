//! Lifecycle and image-builder with jobs whose deployment can be stopped at every stage.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::component::free_address;
use crate::{RunningComponent, Sandbox, checkout};

/// How long anything may take that is waited for.
const LIMIT: Duration = Duration::from_mins(1);

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A platform in a sandbox. Its components can be killed and started again at the same addresses.
pub struct StagedPlatform {
    sandbox: Sandbox,
    lifecycle: Option<RunningComponent>,
    image_builder: Option<RunningComponent>,
    addresses: [SocketAddr; 2],
}

impl StagedPlatform {
    /// Builds the components in the sandbox of that name, and starts them.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, "")
    }

    /// The same, with further lines of the configuration file of lifecycle.
    pub fn start_with(name: &str, lifecycle: &str) -> Self {
        let sandbox = Sandbox::new(name);
        for folder in ["process-infrastructure", "staged-job-type"] {
            let source = ["plugins", "tests/fixtures"].map(|place| checkout().join(place).join(folder));
            let source = source.iter().find(|source| source.is_dir()).expect("the plugin is there");
            copy(source, &sandbox.path("plugins").join(folder));
        }
        sandbox.declare(
            "[[plugin]]\npath = \"plugins/process-infrastructure\"\n\n[[plugin]]\npath = \"plugins/staged-job-type\"\n",
        );
        let _ = sandbox.xtask(&["build", "--profile", "dev"]).succeeded();
        let addresses = [free_address(), free_address()];
        fs_err::create_dir_all(sandbox.path("gates")).expect("a folder can be made");
        let mut platform = Self { sandbox, lifecycle: None, image_builder: None, addresses };
        platform.configure(lifecycle);
        platform.start_lifecycle();
        platform.start_image_builder();
        platform
    }

    /// Lifecycle, which must be running.
    pub fn lifecycle(&self) -> &RunningComponent {
        self.lifecycle.as_ref().expect("lifecycle is running")
    }

    /// Starts lifecycle, again if it was killed.
    pub fn start_lifecycle(&mut self) {
        let (binary, config) = (self.sandbox.binary("lifecycle"), self.sandbox.path("lifecycle.yaml"));
        self.lifecycle = Some(RunningComponent::start_at(self.addresses[0], &binary, &config));
    }

    /// Starts image-builder, again if it was killed.
    pub fn start_image_builder(&mut self) {
        let (binary, config) =
            (self.sandbox.binary("image-builder"), self.sandbox.path("image-builder.yaml"));
        self.image_builder = Some(RunningComponent::start_at(self.addresses[1], &binary, &config));
    }

    /// Kills lifecycle.
    pub fn kill_lifecycle(&mut self) {
        self.lifecycle.take().expect("lifecycle is running").kill();
    }

    /// Kills image-builder.
    pub fn kill_image_builder(&mut self) {
        self.image_builder.take().expect("image-builder is running").kill();
    }

    /// Closes a gate: whoever arrives there waits.
    pub fn close_gate(&self, name: &str) {
        self.sandbox.write(&format!("gates/{name}.closed"), "");
        self.forget_arrivals(name);
    }

    /// Opens a gate.
    pub fn open_gate(&self, name: &str) {
        fs_err::remove_file(self.gate(name, "closed")).expect("the gate is closed");
    }

    /// Waits until somebody arrives at a gate who had not arrived when it was closed.
    pub fn wait_for_arrival(&self, name: &str) {
        let reached = self.gate(name, "reached");
        wait_until(&format!("somebody arrives at gate `{name}`"), || reached.exists().then_some(()));
    }

    /// Asks for a deployment of a job, with what is given added to its manifest; gives its id.
    pub fn deploy(&self, name: &str, manifest: &Value, force: bool) -> String {
        let (status, body) =
            self.lifecycle().post("/api/v1/deploy", &self.deploy_request(name, manifest, force));
        assert_eq!(status, 200, "{body}");
        body["id"].as_str().expect("a text").to_owned()
    }

    /// What is posted to deploy a job.
    pub fn deploy_request(&self, name: &str, manifest: &Value, force: bool) -> Value {
        let mut whole = json!({
            "name": name, "owner_email": "sample@example.com", "jobtype": "staged:1.0.0",
            "git": {"remote": "https://example.com/jobs.git"},
            "runtime_env": {"GATES": self.sandbox.path("gates")},
        });
        merge(&mut whole, manifest);
        json!({"manifest": whole, "build_context": BASE64_STANDARD.encode(archive()), "force": force})
    }

    /// Waits until a deployment is over; gives its record.
    pub fn outcome(&self, deployment: &str) -> Value {
        wait_until(&format!("deployment {deployment} is over"), || {
            let (_, record) = self.lifecycle().get(&format!("/api/v1/deploy/{deployment}"));
            (record["status"] != "in_progress").then_some(record)
        })
    }

    /// The job, or null.
    pub fn job(&self, name: &str) -> Value {
        match self.lifecycle().get(&format!("/api/v1/job/{name}/latest")) {
            (200, job) => job,
            _ => Value::Null,
        }
    }

    /// Calls a job.
    pub fn call(&self, name: &str) -> (u16, Value) {
        self.lifecycle().get(&format!("/pub/job/{name}/latest/anything"))
    }

    /// The processes of jobs of this platform, which are told by the gates in their environment.
    pub fn processes(&self) -> Vec<u32> {
        let mark = format!("GATES={}", self.sandbox.path("gates").display());
        let processes = fs_err::read_dir("/proc").expect("there is /proc");
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let is_own = |pid: &u32| {
            // A process may end meanwhile.
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        pids.filter(is_own).collect()
    }

    /// Waits until there are as many processes of jobs.
    pub fn wait_for_processes(&self, count: usize) {
        wait_until(&format!("there are {count} processes"), || {
            (self.processes().len() == count).then_some(())
        });
    }

    /// The names in a folder of the sandbox that are not hidden.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs_err::read_dir(self.sandbox.path(folder)).expect("the folder is there");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.sandbox.path(".racetrack-run/lifecycle/lifecycle.sqlite")
    }

    /// Deletes a job.
    pub fn delete(&self, name: &str) {
        let version = self.job(name)["version"].as_str().expect("the job is there").to_owned();
        assert_eq!(self.lifecycle().delete(&format!("/api/v1/job/{name}/{version}")), (200, Value::Null));
    }

    fn forget_arrivals(&self, name: &str) {
        // Nobody may have arrived yet.
        let _ = std::fs::remove_file(self.gate(name, "reached"));
    }

    fn gate(&self, name: &str, state: &str) -> PathBuf {
        self.sandbox.path(format!("gates/{name}.{state}"))
    }

    fn configure(&self, further: &str) {
        let gates = self.sandbox.path("gates");
        let [lifecycle, image_builder] = self.addresses;
        let plugins = format!("plugins:\n  staged-job-type: {{gates: '{}'}}\n", gates.display());
        let drain =
            "  process-infrastructure: {targets: {process: {drain: 1, grace: 2, restart-delay: 0.1}}}\n";
        let shared = "component-auth-token: t0ken\n";
        self.sandbox.write(
            "lifecycle.yaml",
            &format!(
                "{shared}auth-required: false\nmonitor-interval: 200ms\nhook-time-limit: 2min\n\
                 image-builder-url: http://{image_builder}\n{further}{plugins}{drain}"
            ),
        );
        let builder = format!("{shared}lifecycle-url: http://{lifecycle}\n{plugins}");
        self.sandbox.write("image-builder.yaml", &builder);
    }
}

impl Drop for StagedPlatform {
    fn drop(&mut self) {
        drop((self.lifecycle.take(), self.image_builder.take()));
        for pid in self.processes() {
            // Jobs outlive lifecycle, and so they would outlive the test. It may have ended meanwhile.
            let _ = end(pid);
        }
    }
}

/// Ends a process as `kill -9` does.
///
/// # Errors
/// When there is none of this number.
///
/// # Panics
/// When the number is that of no process.
pub fn end(pid: u32) -> Result<(), rustix::io::Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("the number of a process");
    kill_process(pid, Signal::KILL)
}

/// Waits until something is there.
///
/// # Panics
/// When it takes longer than anything should.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

fn merge(base: &mut Value, overlay: &Value) {
    for (key, value) in overlay.as_object().into_iter().flatten() {
        match (&mut base[key.as_str()], value) {
            (Value::Object(_), Value::Object(_)) => merge(&mut base[key.as_str()], value),
            (slot, _) => *slot = value.clone(),
        }
    }
}

/// The source of a job, as a .tar.gz.
fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    builder.append_data(&mut header, "README.md", std::io::empty()).expect("is in memory");
    builder.into_inner().expect("is in memory").finish().expect("is in memory")
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
