//! Real jobs: environments from the package index, processes of the real job runner.
//!
//! All tests share one cache below the target folder, which outlives a run: the environment of the runner is made once.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use python3_job_type::Python3JobType;
use racetrack_core::job_bundle::PORT_PLACEHOLDER;
use racetrack_core::{EnvVars, FromContext, JobBundle, JobManifest, MakeBundle, Plugin, PluginContext};
use serde_json::{Value, json};
use tempfile::TempDir;

const JOB_TYPE: &str = "python3:1.0.0";

/// How often a job that starts is asked whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

fn cache() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A bundle that is being made, or has been.
struct Build {
    bundle: TempDir,
    manifest: JobManifest,
    env: EnvVars,
    secrets: EnvVars,
    config: &'static str,
    cache: PathBuf,
    no_cache: bool,
    log: Mutex<Vec<String>>,
}

impl Build {
    fn of_sample(name: &str) -> Self {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name);
        let build = Self::new(&fs::read_to_string(sample.join("job.yaml")).expect("a sample has a manifest"));
        for entry in fs::read_dir(sample).expect("a sample is a folder") {
            let entry = entry.expect("readable");
            fs::copy(entry.path(), build.job().join(entry.file_name()))
                .expect("samples in Python have no folders");
        }
        build
    }

    fn of_files(extra: &str, files: &[(&str, &str)]) -> Self {
        let build = Self::new(&format!(
            "name: job\nowner_email: a@example.com\njobtype: python3:latest\n\
             git: {{remote: 'https://example.com'}}\njobtype_extra: {{{extra}}}\n"
        ));
        for (path, text) in files {
            fs::write(build.job().join(path), text).expect("can be written");
        }
        build
    }

    fn new(manifest: &str) -> Self {
        let bundle = tempfile::tempdir().expect("a folder");
        fs::create_dir(bundle.path().join("job")).expect("can be made");
        let manifest = JobManifest::parse(manifest).expect("a valid manifest");
        Self {
            bundle,
            manifest,
            env: EnvVars::new(),
            secrets: EnvVars::new(),
            config: "{}",
            cache: cache().to_owned(),
            no_cache: false,
            log: Mutex::new(Vec::new()),
        }
    }

    fn job(&self) -> PathBuf {
        self.bundle.path().join("job")
    }

    async fn make(&self) -> Result<JobBundle, String> {
        let context =
            PluginContext::builder("python3-job-type", "1.0.0").resource("docs.md", b"").config(self.config);
        let plugin = Python3JobType::from_context(context.build()).expect("can be constructed");
        let job_types = plugin.job_types().await.expect("has job types");
        let recipe = job_types[JOB_TYPE].recipe().expect("has a recipe");
        let log = |line: &str| self.log.lock().unwrap().push(line.to_owned());
        let request = MakeBundle::new(&self.manifest, JOB_TYPE, self.bundle.path(), &self.cache, &log)
            .with_variables(&self.env, &self.secrets)
            .without_cache(self.no_cache);
        recipe.make_bundle(request).await.map_err(|error| racetrack_core::error::chain(&*error))
    }

    fn logged(&self, text: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    /// A process of the bundle, once it is ready.
    fn start(&self, bundle: &JobBundle, env: &[(&str, &str)]) -> Process {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .expect("a free port")
            .local_addr()
            .expect("bound")
            .port();
        let arguments =
            bundle.command[1..].iter().map(|argument| argument.replace(PORT_PLACEHOLDER, &port.to_string()));
        let mut command = Command::new(&bundle.command[0]);
        command.args(arguments).current_dir(self.job()).envs(&bundle.env).envs(env.iter().copied());
        command
            .env("JOB_NAME", "job")
            .env("JOB_VERSION", "0.0.1")
            .env("JOB_DEPLOYMENT_TIMESTAMP", "1700000000");
        let command =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let process = Process { child: command.spawn().expect("can be started"), port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while process.request("GET", "/ready", None).map(|(status, _)| status) != Some(200) {
            assert!(Instant::now() < deadline, "not ready: {:?}", process.request("GET", "/live", None));
            std::thread::sleep(POLL_INTERVAL);
        }
        process
    }
}

struct Process {
    child: Child,
    port: u16,
}

impl Process {
    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("POST", path, Some(body)).expect("the job answers")
    }

    /// The answer, unless the job is not listening yet.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let mut stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return None,
            stream => stream.expect("can be reached"),
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: job\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("can be sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("has a head");
        let status = head.split(' ').nth(1).expect("has a status").parse().expect("a number");
        Some((status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()))))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().expect("was running");
        self.child.wait().expect("can be awaited");
    }
}

#[tokio::test]
async fn the_adder_adds() {
    let build = Build::of_sample("python-adder");
    let bundle = build.make().await.expect("can be built");
    let versions = [("GIT_VERSION", "v1.0.0-0-ga88be8c"), ("DEPLOYED_BY_RACETRACK_VERSION", "2.36.0")];
    let process = build.start(&bundle, &versions);
    assert_eq!(process.post("/api/v1/perform", &json!({"numbers": [40, 2]})), (200, json!(42)));
    let (status, live) = process.request("GET", "/pub/job/job/latest/live", None).expect("answers");
    assert_eq!((status, &live["deployment_timestamp"]), (200, &json!("1700000000")));
    let (_, health) = process.request("GET", "/health", None).expect("answers");
    assert_eq!(health["job_type_version"], json!("1.0.0"));
    assert_eq!(health["git_version"], json!("v1.0.0-0-ga88be8c"));
    assert_eq!(health["deployed_by_racetrack_version"], json!("2.36.0"));
    let (status, error) = process.post("/api/v1/perform", &json!({"number": 1}));
    assert_eq!((status, &error["type"]), (400, &json!("ValueError")));
    assert!(!build.job().join("__pycache__").exists(), "a bundle is immutable");
    // Linux has more than one loopback address: who listens on all interfaces is reached by each of them.
    let elsewhere = TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), process.port));
    assert_eq!(elsewhere.expect_err("the job listens on one").kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn requirements_are_installed_once_and_found_by_the_job() {
    let (first, second) = (Build::of_sample("python-requirements"), Build::of_sample("python-requirements"));
    // A requirement of its own for each run of the test, so that the packages are not in the cache already.
    let requirements = format!("roman==4.2 # {:?}\n", first.bundle.path());
    for build in [&first, &second] {
        fs::write(build.job().join("requirements.txt"), &requirements).expect("can be written");
    }
    let (bundle, same) = tokio::join!(first.make(), second.make());
    let (bundle, same) = (bundle.expect("can be built"), same.expect("can be built"));
    assert_eq!(bundle, same);
    let installed = |text: &str| first.logged(text) + second.logged(text);
    assert_eq!(installed("installing the packages of `requirements.txt`"), 1);
    assert_eq!(installed("Successfully installed roman-4.2"), 1);

    let process = first.start(&bundle, &[]);
    assert_eq!(process.post("/api/v1/perform", &json!({"number": 42})), (200, json!("XLII")));

    let packages = Path::new(&bundle.env["VENV_PACKAGES_PATH"]);
    fs::remove_file(packages.join(".racetrack-complete")).expect("an entry has a marker");
    assert_eq!(second.make().await, Ok(same));
    assert_eq!(second.logged("removing what an interrupted build left in the cache"), 1);
    fs::remove_dir_all(packages).expect("is there");
}

/// Writes a wheel of one version of a package.
const WHEEL: &str = r#"import sys, zipfile
version, folder = sys.argv[1:]
info = f"casepkg-{version}.dist-info"
files = {
    "casepkg.py": f'VERSION = "{version}"\n',
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: casepkg\nVersion: {version}\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in files) + f"{info}/RECORD,,\n"
with zipfile.ZipFile(f"{folder}/casepkg-{version}-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
"#;

/// Everything in a folder but locks and links.
fn paths_below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let mut paths = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("can be read") {
            let entry = entry.expect("can be read");
            let kind = entry.file_type().expect("is known");
            if kind.is_dir() {
                waiting.push(entry.path());
            }
            if !kind.is_symlink() && entry.path().extension().is_none_or(|extension| extension != "lock") {
                paths.push(entry.path());
            }
        }
    }
    paths.into_iter()
}

/// Whether everybody may read it, and nobody but its owner may change it.
fn is_open(path: &Path) -> bool {
    let mode = fs::metadata(path).expect("is there").permissions().mode();
    let readable = if path.is_dir() { 0o055 } else { 0o044 };
    mode & readable == readable && mode & 0o022 == 0
}

/// Runs this very test in a process of its own with a umask by which only its user may read what it makes; true there.
fn has_private_umask(test: &str) -> bool {
    const CHILD: &str = "RACETRACK_TEST_WITH_PRIVATE_UMASK";
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"umask 077; exec "$0" --exact "$1""#]);
    shell.arg(std::env::current_exe().expect("is a file")).arg(test).env(CHILD, "1");
    let output = shell.output().expect("can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

#[tokio::test]
async fn a_build_without_the_cache_gets_newer_packages_and_running_jobs_keep_theirs() {
    if !has_private_umask("a_build_without_the_cache_gets_newer_packages_and_running_jobs_keep_theirs") {
        return;
    }
    let (wheels, cache) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let publish = |version: &str| {
        let mut python = Command::new("python3");
        let wrote = python.args(["-c", WHEEL, version]).arg(wheels.path()).status();
        assert!(wrote.expect("can be started").success());
    };
    let job = "class Job:\n    def perform(self):\n        import casepkg\n        return casepkg.VERSION\n";
    let build = |no_cache| {
        let files = [("job.py", job), ("requirements.txt", "casepkg>=1.0\n")];
        let mut build =
            Build::of_files("entrypoint_path: job.py, requirements_path: requirements.txt", &files);
        let wheels = wheels.path().display().to_string();
        build.env = EnvVars::from(
            [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", &wheels)]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        (build.cache, build.no_cache) = (cache.path().to_owned(), no_cache);
        build
    };
    let perform = |process: &Process| process.post("/api/v1/perform", &json!({}));

    publish("1.0");
    let first = build(false);
    let first_bundle = first.make().await.expect("can be built");
    // It has not loaded the package yet.
    let running = first.start(&first_bundle, &[]);
    publish("2.0");
    assert_eq!(build(false).make().await.as_ref(), Ok(&first_bundle));
    let anew = build(true);
    let bundle = anew.make().await.expect("can be built");
    assert_eq!(perform(&anew.start(&bundle, &[])), (200, json!("2.0")));
    assert_eq!(perform(&running), (200, json!("1.0")));
    assert_ne!(bundle.command[0], first_bundle.command[0], "the runner's packages are resolved anew, too");
    assert_eq!(build(false).make().await.as_ref(), Ok(&bundle), "later builds use what was made");

    // As lifecycle of another user starts jobs.
    let closed: Vec<_> = paths_below(cache.path()).filter(|path| !is_open(path)).collect();
    assert_eq!(closed, Vec::<PathBuf>::new(), "only the user of image-builder may read these");
}

#[tokio::test]
async fn a_job_gets_its_secrets() {
    let build = Build::of_sample("python-secrets");
    let bundle = build.make().await.expect("can be built");
    let process = build.start(&bundle, &[("SIGNING_KEY", "change-me")]);
    let signature = "77bc6d5daa34219e51ed3e4be744c2867365b3d6def704e6c9f7c1c517bac42a";
    assert_eq!(process.post("/api/v1/perform", &json!({"message": "hello"})), (200, json!(signature)));
}

#[tokio::test]
async fn a_job_has_endpoints_of_its_own_and_the_older_name_of_the_section_works() {
    let build = Build::of_sample("python-public-endpoint");
    let text = fs::read_to_string(build.job().join("job.yaml")).expect("has a manifest");
    let older = text.replace("jobtype_extra:", "python:\n  home_page: /api/v1/parameters");
    let build = Build { manifest: JobManifest::parse(&older).expect("valid"), ..build };
    let bundle = build.make().await.expect("can be built");
    let process = build.start(&bundle, &[]);
    assert_eq!(process.post("/api/v1/greet", &json!({"name": "Ada"})), (200, json!("Hello, Ada!")));
    let (status, _) = process.request("GET", "/", None).expect("answers");
    assert_eq!(status, 307);
    let manifest = fs::read_to_string(build.bundle.path().join("job-manifest.json")).expect("is written");
    assert!(manifest.contains("\"home_page\": \"/api/v1/parameters\""), "{manifest}");
}

#[tokio::test]
async fn a_second_build_runs_no_tool_and_is_quick() {
    let build = Build::of_sample("python-adder");
    build.make().await.expect("can be built");
    build.log.lock().unwrap().clear();
    let bundle = build.make().await.expect("can be built");
    assert_eq!(*build.log.lock().unwrap(), ["racetrack-job-runner 1.18.0 is in the cache"]);
    assert_eq!(bundle.env.get("VENV_PACKAGES_PATH"), None);
}

#[tokio::test]
async fn what_pip_says_is_told_without_secrets() {
    let files = [
        ("a.py", ""),
        ("r.txt", "--no-index\n--find-links http://127.0.0.1:9/${TOKEN}/${NAME}\nno-such-package==1.0\n"),
    ];
    let mut build = Build::of_files("entrypoint_path: a.py, requirements_path: r.txt", &files);
    build.env = EnvVars::from(
        [("NAME", "simple"), ("PIP_RETRIES", "0")].map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    build.secrets = EnvVars::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
    let message = build.make().await.expect_err("there is no such package");
    assert!(
        message.starts_with("cannot install `r.txt`: correct the requirements; for a private index, set"),
        "{message}"
    );
    assert!(message.contains("No matching distribution found for no-such-package==1.0"), "{message}");
    assert!(build.logged("http://127.0.0.1:9/***/simple") > 0, "{:?}", build.log);
    assert!(!message.contains("hunter2") && build.logged("hunter2") == 0, "{message}");
}

#[tokio::test]
async fn what_the_job_lacks_is_told_before_anything_is_installed() {
    let message = async |extra: &str| Build::of_files(extra, &[("a.py", "")]).make().await.expect_err(extra);
    assert!(message("").await.contains("`jobtype_extra.entrypoint_path` is missing"));
    let missing = message("entrypoint_path: b.py").await;
    assert!(missing.starts_with("the job has no file `b.py`"), "{missing}");
    let missing = message("entrypoint_path: a.py, requirements_path: r.txt").await;
    assert!(missing.starts_with("the job has no file `r.txt`"), "{missing}");
    let mut build = Build::of_files("entrypoint_path: a.py", &[("a.py", "")]);
    build.config = "python: no-such-python";
    let message = build.make().await.expect_err("no such interpreter");
    assert!(message.starts_with("cannot start `no-such-python`: install Python"), "{message}");
}
