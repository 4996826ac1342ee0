//! The whole platform: both components, on ports of their own, with one folder for all they keep.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::component::free_address;
use crate::{Collector, RunningComponent, Sandbox};

/// The name and the password of the administrator.
pub const ADMINISTRATOR: (&str, &str) = ("admin", "the-password-of-these-tests");

/// What the components show each other.
pub const COMPONENT_TOKEN: &str = "what-components-show-each-other";

/// The header with which callers show their token.
const TOKEN_HEADER: &str = "X-Racetrack-Auth";

/// How long an answer may take: some requests last until a job is up.
const LIMIT: Duration = Duration::from_mins(5);

/// What a platform is started with.
#[derive(Clone, Debug)]
pub struct PlatformSettings<'a> {
    /// Where the binaries are.
    pub distribution: &'a Sandbox,
    /// The name of its folder.
    pub name: &'a str,
    /// Where job types keep what several builds need; platforms may share it.
    pub build_cache: &'a Path,
    /// Further lines of the configuration file of lifecycle.
    pub lifecycle: &'a str,
    /// Further lines of its section about plugins; `COLLECTOR` stands for the address of the collector.
    pub plugins: &'a str,
}

/// A running platform. When dropped, it and all its jobs end.
pub struct Platform {
    /// Hears of the calls of hooks.
    pub collector: Collector,
    sandbox: Sandbox,
    token: String,
    answers: Mutex<String>,
    lifecycle: Option<RunningComponent>,
    image_builder: Option<RunningComponent>,
}

/// What both components logged, from start to end.
#[derive(Clone, Debug)]
pub struct PlatformLog(pub String);

impl Platform {
    /// Starts both components, and logs in as the administrator.
    pub fn start(settings: &PlatformSettings<'_>) -> Self {
        let sandbox = Sandbox::new(settings.name);
        let collector = Collector::start();
        let [lifecycle_address, image_builder_address] = [free_address(), free_address()];
        let common = format!("component-auth-token: {COMPONENT_TOKEN}\nlog-level: debug\n");
        let cache = settings.build_cache.display();
        sandbox.write(
            "image-builder.yaml",
            &format!(
                "{common}lifecycle-url: 'http://{lifecycle_address}'\nbundle-cache-folder: '{cache}'\n\
                 allowed-git-protocols: [https, file]\n"
            ),
        );
        let targets = "  process-infrastructure: {targets: {process: {drain: 0}, second: {drain: 0}}}\n";
        let plugins = settings.plugins.replace("COLLECTOR", &collector.address.to_string());
        sandbox.write(
            "lifecycle.yaml",
            &format!(
                "{common}image-builder-url: 'http://{image_builder_address}'\nadmin-password: '{}'\n\
                 infrastructure-target: process\n{}plugins:\n{targets}{plugins}",
                ADMINISTRATOR.1, settings.lifecycle,
            ),
        );
        let start = |component: &str, address| {
            let config = sandbox.path(format!("{component}.yaml"));
            RunningComponent::start_at(address, &settings.distribution.binary(component), &config)
        };
        let image_builder = start("image-builder", image_builder_address);
        let lifecycle = start("lifecycle", lifecycle_address);
        let mut platform = Self {
            collector,
            sandbox,
            token: String::new(),
            answers: Mutex::default(),
            lifecycle: Some(lifecycle),
            image_builder: Some(image_builder),
        };
        platform.log_in();
        platform
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("{}/lifecycle", self.origin())
    }

    /// Where lifecycle finds image-builder.
    pub fn image_builder_url(&self) -> String {
        format!("http://{}", self.image_builder.as_ref().expect("runs until the end").address())
    }

    /// The token of the administrator.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The path of something in its folder. What it keeps itself is in [`Self::state_folder`].
    pub fn path(&self, relative: &str) -> PathBuf {
        self.sandbox.path(relative)
    }

    /// Writes a file into its folder.
    pub fn write(&self, relative: &str, content: &str) {
        self.sandbox.write(relative, content);
    }

    /// Everything that it keeps.
    pub fn state_folder(&self) -> PathBuf {
        self.path(".racetrack-run")
    }

    /// What the API answers to a `GET` by the administrator: status and body.
    pub fn get(&self, path: &str) -> (u16, Value) {
        self.request("GET", path, None)
    }

    /// What the API answers to a `POST` by the administrator.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("POST", path, Some(body))
    }

    /// What the API answers to a `PUT` by the administrator.
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("PUT", path, Some(body))
    }

    /// What a job answers to a `POST`, with or without a token; the path begins with its name and version.
    pub fn call(&self, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
        send("POST", &format!("{}/pub/job/{path}", self.origin()), token, Some(body))
    }

    /// All that the API has answered so far.
    pub fn answers(&self) -> String {
        self.answers.lock().expect("not poisoned").clone()
    }

    /// Deletes all jobs, and stops both components.
    ///
    /// # Panics
    /// When a job cannot be deleted, a component does not end well, or a process is left behind.
    pub fn end(mut self) -> PlatformLog {
        for (job, (status, answer)) in self.delete_all_jobs() {
            assert_eq!((status, answer), (200, Value::Null), "{job} is not deleted");
        }
        let mut logs = String::new();
        for component in [self.lifecycle.take(), self.image_builder.take()] {
            let (status, log) = component.expect("runs until here").stop();
            assert!(status.success(), "{status}\n{log}");
            logs.push_str(&log);
        }
        let left = processes_below(&self.sandbox.path(""));
        assert!(left.is_empty(), "processes {left:?} are left\n{logs}");
        PlatformLog(logs)
    }

    fn log_in(&mut self) {
        let (username, password) = ADMINISTRATOR;
        let credentials = json!({"username": username, "password": password});
        let (status, answer) = self.post("/users/login", &credentials);
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().expect("a token").clone_into(&mut self.token);
    }

    fn delete_all_jobs(&self) -> Vec<(String, (u16, Value))> {
        let (_, jobs) = self.get("/job");
        let jobs = jobs.as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let paths = jobs.iter().map(|job| format!("/job/{}/{}", text(&job["name"]), text(&job["version"])));
        paths.map(|path| (path.clone(), self.request("DELETE", &path, None))).collect()
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        let answer = send(method, &format!("{}/api/v1{path}", self.url()), token, body);
        self.answers.lock().expect("not poisoned").push_str(&answer.1.to_string());
        answer
    }

    fn origin(&self) -> String {
        format!("http://{}", self.lifecycle.as_ref().expect("runs until the end").address())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        drop((self.lifecycle.take(), self.image_builder.take()));
        // Jobs run on without lifecycle; a test that failed has left some.
        for pid in processes_below(&self.sandbox.path("")) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn send(method: &str, url: &str, token: Option<&str>, body: Option<&Value>) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT));
    let agent: ureq::Agent = config.build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    if let Some(token) = token {
        request = request.header(TOKEN_HEADER, token);
    }
    let answer = match body {
        Some(body) => {
            let request = request.header("content-type", "application/json").body(body.to_string());
            agent.run(request.expect("the request is valid"))
        }
        None => agent.run(request.body(()).expect("the request is valid")),
    };
    let mut answer = answer.expect("the platform answers");
    let text = answer.body_mut().read_to_string().expect("the answer is text");
    // Some answers are plain text.
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The processes that work in the folder, as jobs do.
fn processes_below(folder: &Path) -> Vec<Pid> {
    let folder = folder.canonicalize().expect("the folder is there");
    let entries = fs_err::read_dir("/proc").expect("the system shows its processes");
    let is_below = |pid: &Pid| {
        // It may have ended meanwhile, or be somebody else's.
        let path = std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
        path.is_ok_and(|path| path.starts_with(&folder))
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(Pid::from_raw).filter(is_below).collect()
}
