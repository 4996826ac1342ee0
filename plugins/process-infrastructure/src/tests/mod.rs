//! Real processes, started and watched through the plugin.

mod bursts;
mod deploying;
mod escaping;
mod following;
mod full_disk;
mod limiting;
mod secrets;
mod surviving;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use racetrack_core::{
    DeployJob, EnvVars, FromContext, HookResult, Job, JobBundle, JobDeployer, JobManifest, JobMonitor,
    Plugin, PluginContext, RunAction, job_bundle,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::ProcessInfrastructure;
use crate::instance::InstanceRecord;
use crate::process_target::ProcessTarget;
use crate::system::group_folder;
use crate::system::group_processes;
use crate::system::process::ProcessIdentity;

/// How long a test waits for what has to come.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A job that honours the job contract, and misbehaves as its variable `MODE` says.
const JOB_SERVER: &str = include_str!("job_server.py");

/// Settings under which tests end soon.
const QUICK: &str = "timeout-until-job-alive: 30, timeout-until-job-ready: 30, drain: 0, grace: 2, \
                     restart-delay: 0.05, restart-delay-max: 0.2";

/// The plugin over a state folder of its own, and a bundle to deploy. Whatever the test leaves is ended with it.
struct Sandbox {
    folder: tempfile::TempDir,
    state: PathBuf,
    settings: String,
    plugin: Option<ProcessInfrastructure>,
}

/// What a test deploys; the rest is the same for all.
#[derive(Clone, Default)]
struct Wanted<'a> {
    name: &'a str,
    timestamp: i64,
    mode: &'a str,
    /// More lines of the manifest.
    manifest: &'a str,
    secrets: &'a [(&'a str, &'a str)],
}

impl Sandbox {
    fn new() -> Self {
        Self::with_settings(QUICK)
    }

    fn with_settings(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        fs::create_dir_all(bundle.join(job_bundle::JOB_FOLDER)).unwrap();
        fs::write(bundle.join("server.py"), JOB_SERVER).unwrap();
        let content = JobBundle {
            job_type: "test:1.0.0".to_owned(),
            command: [PYTHON.as_str(), "../server.py", "{port}"].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("FROM_BUNDLE".to_owned(), "bundle".to_owned())]),
        };
        fs::write(bundle.join(job_bundle::FILE_NAME), serde_json::to_vec(&content).unwrap()).unwrap();
        let state = folder.path().join("state");
        let mut sandbox = Self { folder, state, settings: settings.to_owned(), plugin: None };
        sandbox.restart();
        sandbox
    }

    /// Lets go of the plugin and makes it anew, as a restart of lifecycle does.
    fn restart(&mut self) {
        self.plugin = None;
        let config = format!(
            "state-folder: '{}'\ntargets: {{process: {{{settings}}}, second: {{{settings}}}}}",
            self.state().display(),
            settings = self.settings
        );
        let context = PluginContext::builder("process-infrastructure", "1.0.0")
            .resource("docs.md", include_bytes!("../../resources/docs.md"))
            .config(&config);
        self.plugin = Some(ProcessInfrastructure::from_context(context.build()).unwrap());
    }

    fn plugin(&self) -> &ProcessInfrastructure {
        self.plugin.as_ref().unwrap()
    }

    fn target(&self) -> Arc<ProcessTarget> {
        self.target_named("process")
    }

    fn target_named(&self, name: &str) -> Arc<ProcessTarget> {
        Arc::clone(self.plugin().targets.iter().find(|target| target.0.name == name).unwrap())
    }

    fn state(&self) -> PathBuf {
        self.state.clone()
    }

    fn bundle(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    async fn deploy(&self, wanted: &Wanted<'_>) -> HookResult<Job> {
        self.deploy_on(&self.target(), wanted).await
    }

    async fn deploy_on(&self, target: &ProcessTarget, wanted: &Wanted<'_>) -> HookResult<Job> {
        let manifest = JobManifest::parse(&format!(
            "name: {}\nowner_email: a@example.com\njobtype: test:1.0.0\ngit: {{remote: 'https://example.com'}}\n{}",
            wanted.name, wanted.manifest
        ));
        let variables = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<EnvVars>()
        };
        let image_names = [self.bundle().to_str().unwrap().to_owned()];
        let variables_of_the_job = variables(&[("MODE", wanted.mode), ("PUB_URL", "http://x/pub")]);
        let secret_variables = variables(wanted.secrets);
        let manifest = manifest.unwrap();
        let request = DeployJob::new(&manifest, &image_names, "2026-01-01T000000", wanted.timestamp);
        target.deploy_job(request.with_variables(&variables_of_the_job, &secret_variables)).await
    }

    /// Deploys, and waits for the outcome as lifecycle does.
    async fn bring_up(&self, wanted: &Wanted<'_>) -> Result<Job, String> {
        let job = self.deploy(wanted).await.map_err(|error| error.to_string())?;
        let checked = self.target().check_job_condition(&job, wanted.timestamp, &|| (), true).await;
        checked.map(|()| job).map_err(|error| error.to_string())
    }

    async fn listed(&self) -> Vec<Job> {
        self.target().list_jobs().await.unwrap()
    }

    /// What the plugin tells of the processes of its first target.
    async fn status(&self) -> Value {
        let parameters = serde_json::json!({"action": "status"});
        let event = RunAction::new(parameters.as_object().unwrap());
        self.plugin().run_action(event).await.unwrap()["process"].take()
    }

    /// The processes that this test started and that still run.
    fn processes(&self) -> Vec<ProcessIdentity> {
        let folder = self.folder.path();
        let pids = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let own = pids.filter(|pid: &i32| {
            let in_folder =
                fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
            let text = folder.to_str().unwrap().as_bytes();
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            in_folder || environment.windows(text.len()).any(|window| window == text)
        });
        own.filter_map(|pid| ProcessIdentity::of(pid).ok()).filter(ProcessIdentity::is_alive).collect()
    }

    /// The control groups of the jobs there are.
    fn control_groups(&self) -> Vec<PathBuf> {
        let records = files_below(&self.state()).into_iter().filter(|path| path.ends_with("instance.json"));
        let records = records.filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok());
        let replicas = records.flat_map(|record: InstanceRecord| record.replicas);
        replicas.flat_map(|replica| replica.groups).collect()
    }

    /// Every file of the state folder that belongs to jobs.
    fn job_files(&self) -> Vec<PathBuf> {
        files_below(&self.state())
            .into_iter()
            .filter(|path| !path.ends_with("lock") && !path.ends_with("secret.key"))
            .collect()
    }

    /// Restarts lifecycle as if it had ended right after it noted that this second instance of the job takes over.
    async fn tear_off_promotion(&mut self, job: &Job) {
        until("it answers", async || {
            let port = port_of(job.internal_name.as_deref().unwrap());
            crate::instance::http::get(port, "/live", 1024, Duration::from_secs(3)).await.is_ok()
        })
        .await;
        self.plugin = None;
        let path = self.state().join("targets/process/jobs/adder/0.0.1/2/instance.json");
        let record = fs::read_to_string(&path).unwrap();
        fs::write(&path, record.replace("\"candidate\"", "\"current\"")).unwrap();
        self.restart();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.plugin = None;
        let groups = self.control_groups();
        for group in &groups {
            group_processes::kill_blocking(group);
        }
        for process in self.processes() {
            process.signal(Signal::KILL).unwrap();
        }
        // Also after a failed test, whose reason is to be shown rather than what this makes of it.
        let start = Instant::now();
        while groups.iter().any(|group| group_folder::remove_tree(group).is_err())
            && start.elapsed() < LONGEST_WAIT
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

static PYTHON: LazyLock<String> = LazyLock::new(|| {
    // The interpreter itself: what is found on the way may be a script that starts it.
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
});

/// Asks a job; the text of its answer.
async fn ask(job: &Job, path: &str) -> String {
    let port = port_of(job.internal_name.as_deref().unwrap());
    let answer = crate::instance::http::get(port, path, 1024 * 1024, Duration::from_secs(10)).await.unwrap();
    String::from_utf8(answer.body).unwrap()
}

fn port_of(internal_name: &str) -> u16 {
    internal_name.strip_prefix("127.0.0.1:").unwrap().parse().unwrap()
}

async fn pid_of(job: &Job) -> i32 {
    ask(job, "/pid").await.parse().unwrap()
}

/// Looks until something is so; fails when it does not come.
async fn until<F: AsyncFnMut() -> bool>(what: &str, mut is_so: F) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < LONGEST_WAIT, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
