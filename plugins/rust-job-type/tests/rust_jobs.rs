//! Real jobs: compiled offline by the real cargo, started, called.
//!
//! All tests share one cache below the target folder, which outlives a run: the crates that jobs use are compiled once.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use racetrack_core::job_bundle::PORT_PLACEHOLDER;
use racetrack_core::{EnvVars, FromContext, JobBundle, JobManifest, MakeBundle, Plugin, PluginContext};
use rust_job_type::RustJobType;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const JOB_TYPE: &str = "rust:1.0.0";

/// How often something that is bound to happen is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A job that does what it is told.
const OBEDIENT: &str = r#"
pub fn perform(input: serde_json::Value) -> Result<serde_json::Value, String> {
    if let Some(path) = input["wait_for"].as_str() {
        while !std::path::Path::new(path).exists() {
            std::thread::yield_now();
        }
    }
    match input["do"].as_str() {
        Some("panic") => panic!("told to"),
        Some("fail") => Err("told to".to_owned()),
        _ => Ok(input),
    }
}
"#;

fn cache() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A bundle that is being made, or has been.
struct Build {
    bundle: TempDir,
    manifest: JobManifest,
    secrets: EnvVars,
    config: &'static str,
    no_cache: bool,
    log: Mutex<Vec<String>>,
}

impl Build {
    fn of_sample() -> Self {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/rust-adder");
        let read = |path: &str| fs::read_to_string(sample.join(path)).expect("the sample has it");
        let build = Self::new(&read("job.yaml"));
        for path in ["Cargo.toml", "src/lib.rs"] {
            build.write(path, &read(path));
        }
        build
    }

    /// A job with `serde_json` and more dependencies.
    fn of_source(name: &str, dependencies: &str, source: &str) -> Self {
        let build = Self::new(&format!(
            "name: {name}\nowner_email: a@example.com\njobtype: rust:latest\ngit: {{remote: 'https://example.com'}}\n"
        ));
        build.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"job\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\
                 [dependencies]\nserde_json = \"1\"\n{dependencies}\n"
            ),
        );
        build.write("src/lib.rs", source);
        build
    }

    fn new(manifest: &str) -> Self {
        let bundle = tempfile::tempdir().expect("a folder");
        let manifest = JobManifest::parse(manifest).expect("a valid manifest");
        fs::create_dir(bundle.path().join("job")).expect("can be made");
        Self {
            bundle,
            manifest,
            secrets: EnvVars::new(),
            config: "{}",
            no_cache: false,
            log: Mutex::new(Vec::new()),
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.bundle.path().join("job").join(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("can be made");
        fs::write(path, text).expect("can be written");
    }

    async fn make(&self) -> Result<JobBundle, String> {
        let mut context = PluginContext::builder("rust-job-type", "1.0.0").config(self.config);
        context = context.resource("docs.md", b"");
        for (path, content) in server_files() {
            context = context.resource(path.leak(), content.leak());
        }
        let plugin = RustJobType::from_context(context.build()).expect("can be constructed");
        let job_types = plugin.job_types().await.expect("has job types");
        let recipe = job_types[JOB_TYPE].recipe().expect("has a recipe");
        let log = |line: &str| self.log.lock().unwrap().push(line.to_owned());
        let env = EnvVars::from([("GREETING".to_owned(), "hello".to_owned())]);
        let request = MakeBundle::new(&self.manifest, JOB_TYPE, self.bundle.path(), cache(), &log)
            .with_variables(&env, &self.secrets)
            .without_cache(self.no_cache);
        recipe.make_bundle(request).await.map_err(|error| racetrack_core::error::chain(&*error))
    }

    fn logged(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// A process of the bundle, once it is ready.
    fn start(&self, bundle: &JobBundle) -> Process {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .expect("a free port")
            .local_addr()
            .expect("bound")
            .port();
        let arguments =
            bundle.command[1..].iter().map(|argument| argument.replace(PORT_PLACEHOLDER, &port.to_string()));
        let mut command = Command::new(self.bundle.path().join(&bundle.command[0]));
        command.args(arguments).current_dir(self.bundle.path().join("job")).envs(&bundle.env);
        command
            .env("GIT_VERSION", "v1.0.0-0-ga88be8c")
            .env("DEPLOYED_BY_RACETRACK_VERSION", "2.36.0")
            .env("JOB_NAME", "job")
            .env("JOB_VERSION", "0.0.1")
            .env("JOB_DEPLOYMENT_TIMESTAMP", "1700000000");
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = loop {
            match command.spawn() {
                // Another test of this process has just forked, and its child still holds the file that was written here.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(POLL_INTERVAL)
                }
                child => break child.expect("can be started"),
            }
        };
        let process = Process { child, port };
        wait_until("the job is ready", || process.get("/ready").is_some());
        process
    }
}

/// The resource files of the server, as a build embeds them.
fn server_files() -> Vec<(String, Vec<u8>)> {
    let resources = Path::new(env!("CARGO_MANIFEST_DIR")).join("resources");
    let mut files = Vec::new();
    let mut waiting = vec![PathBuf::from("server")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(resources.join(&folder)).expect("readable") {
            let entry = entry.expect("readable");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                waiting.push(path);
            } else {
                files.push((
                    path.to_str().expect("is text").to_owned(),
                    fs::read(entry.path()).expect("readable"),
                ));
            }
        }
    }
    files
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

struct Process {
    child: Child,
    port: u16,
}

impl Process {
    fn get(&self, path: &str) -> Option<(u16, Value)> {
        let mut stream = self.send(&format!("GET {path} HTTP/1.1\r\nhost: job\r\n\r\n"))?;
        Some(answer(&mut stream))
    }

    fn perform(&self, arguments: &Value) -> (u16, Value) {
        answer(&mut self.send_call(arguments))
    }

    fn send_call(&self, arguments: &Value) -> TcpStream {
        let body = arguments.to_string();
        let length = body.len();
        let head = format!(
            "POST /pub/job/job/latest/api/v1/perform HTTP/1.1\r\nhost: job\r\ncontent-length: {length}"
        );
        self.send(&format!("{head}\r\n\r\n{body}")).expect("the job listens")
    }

    /// The connection after the request was sent, unless the job does not listen.
    fn send(&self, request: &str) -> Option<TcpStream> {
        let mut stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return None,
            stream => stream.expect("can be reached"),
        };
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("can be set");
        stream.write_all(request.as_bytes()).expect("can be sent");
        Some(stream)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().expect("can be asked").is_none() {
            self.child.kill().expect("was running");
            self.child.wait().expect("can be awaited");
        }
    }
}

/// Reads one response; the connection stays open.
fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the head of a response");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("is text");
    let status = head.split(' ').nth(1).expect("has a status").parse().expect("a number");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("has a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).expect("the body of a response");
    let body = String::from_utf8(body).expect("is text");
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

#[tokio::test]
async fn the_adder_adds_and_honours_the_contract_of_jobs() {
    let build = Build::of_sample();
    let bundle = build.make().await.expect("can be built");
    assert_eq!(bundle.command, ["./racetrack-job", "--host", "127.0.0.1", "--port", "{port}"]);
    let process = build.start(&bundle);
    assert_eq!(process.perform(&json!({"numbers": [40, 2]})), (200, json!(42)));
    let (status, error) = process.perform(&json!({"number": 1}));
    assert_eq!((status, &error["type"]), (400, &json!("ValueError")));
    assert_eq!(error["error"], "failed to call a function: missing field `numbers`");
    let overflow = process.perform(&json!({"numbers": [i64::MAX, 1]}));
    assert_eq!(overflow, (500, json!({"error": "the sum is too large", "type": "JobError"})));

    let get = |path: &str| process.get(path).expect("the job listens");
    assert_eq!(get("/live"), (200, json!({"live": true, "deployment_timestamp": 1_700_000_000})));
    let health = get("/pub/job/job/2.x/health").1;
    assert_eq!(health["job_type_version"], json!("1.0.0"));
    assert_eq!(health["git_version"], json!("v1.0.0-0-ga88be8c"));
    assert_eq!(health["deployed_by_racetrack_version"], json!("2.36.0"));
    assert_eq!(get("/api/v1/parameters"), (200, json!([{"name": "numbers", "type": null}])));
    let (_, metrics) = get("/metrics");
    assert!(metrics.as_str().is_some_and(|text| text.contains("requests_done_total 3\n")), "{metrics}");
    assert_eq!(get("/nothing").0, 404);

    let mut stream = process.send("POST /api/v1/perform HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n");
    let stream = stream.as_mut().expect("the job listens");
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).expect("is told to go on");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"8\r\n{\"number\r\n8\r\ns\":[21]}\r\n0\r\n\r\n").expect("can be sent");
    assert_eq!(answer(stream), (200, json!(21)));
    stream.write_all(b"GET /ready HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n").expect("can be sent");
    assert_eq!(answer(stream).0, 400, "the connection was kept, and is refused now");
    assert_eq!(
        stream.read(&mut interim).expect("can be read"),
        0,
        "where the next request begins is not known"
    );
}

#[tokio::test]
async fn panics_are_answered_and_running_calls_finish_after_a_signal() {
    let build = Build::of_source("obedient", "", OBEDIENT);
    let bundle = build.make().await.expect("can be built");
    let mut process = build.start(&bundle);
    let told_to = |kind: &str| (500, json!({"error": "told to", "type": kind}));
    assert_eq!(process.perform(&json!({"do": "panic"})), told_to("Panic"));
    assert_eq!(process.perform(&json!({"do": "fail"})), told_to("JobError"));

    let file = build.bundle.path().join("go-on");
    let arguments = json!({"wait_for": file});
    let mut call = process.send_call(&arguments);
    let is_running =
        |text: &Value| text.as_str().is_some_and(|text| text.contains("requests_started_total 3\n"));
    wait_until("the call runs", || process.get("/metrics").is_some_and(|(_, text)| is_running(&text)));
    let pid = Pid::from_raw(process.child.id().try_into().expect("fits")).expect("is no zero");
    kill_process(pid, Signal::TERM).expect("is running");
    wait_until("no more connections are taken", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, process.port)).is_err()
    });
    fs::write(file, "").expect("can be written");
    assert_eq!(answer(&mut call), (200, arguments));
    assert!(process.child.wait().expect("ends").success());
}

#[tokio::test]
async fn a_build_compiles_what_changed_and_nothing_else() {
    let build = Build::of_source(
        "changing",
        "",
        "pub fn perform(_: serde_json::Value) -> Result<&'static str, String> { Ok(env!(\"GREETING\")) }",
    );
    build.make().await.expect("can be built");
    build.log.lock().unwrap().clear();
    let bundle = build.make().await.expect("can be built");
    assert!(!build.logged("Compiling"), "{:?}", build.log);
    assert_eq!(build.start(&bundle).perform(&json!({})), (200, json!("hello")));

    let same = Build::of_source(
        "changing",
        "",
        "pub fn perform(_: serde_json::Value) -> serde_json::Value { 7.into() }",
    );
    let other = Build::of_source(
        "changing-too",
        "",
        "pub fn perform(_: serde_json::Value) -> serde_json::Value { 8.into() }",
    );
    let (seven, eight) = tokio::join!(same.make(), other.make());
    let (seven, eight) = (seven.expect("can be built"), eight.expect("can be built"));
    assert!(!same.logged("Compiling serde_json") && !other.logged("Compiling serde_json"));
    assert_eq!(same.start(&seven).perform(&json!({})), (200, json!(7)));
    assert_eq!(other.start(&eight).perform(&json!({})), (200, json!(8)));

    // What cargo chose stays chosen, until a build uses no cache.
    let folder = cache().join("rust-job-type/1.0.0/jobs/changing");
    let lock = || fs::read_to_string(folder.join("Cargo.lock")).expect("cargo has written it");
    let chosen = format!("# chosen long ago\n{}", lock());
    fs::write(folder.join("Cargo.lock"), &chosen).expect("can be written");
    let mut anew = Build { no_cache: false, ..same };
    anew.make().await.expect("can be built");
    assert!(lock().contains("chosen long ago"), "cargo keeps comments");
    anew.no_cache = true;
    let seven = anew.make().await.expect("can be built");
    assert!(!lock().contains("chosen long ago"));
    assert!(anew.logged("Compiling serde_json") && anew.logged("Compiling racetrack-job-server"));
    assert_eq!(anew.start(&seven).perform(&json!({})), (200, json!(7)));
    assert!(!folder.join("target-anew").exists() && !folder.join("Cargo.lock.former").exists());
}

#[tokio::test]
async fn mistakes_of_the_crate_are_told_with_their_place() {
    let broken = Build::of_source(
        "broken",
        "",
        "pub fn perform(input: serde_json::Value) -> Result<i64, String> {\n    Ok(\"one\")\n}\n",
    );
    let message = broken.make().await.expect_err("does not compile");
    assert!(
        message.starts_with("cannot compile the job, a library crate with `pub fn perform("),
        "{message}"
    );
    assert!(message.contains("--> src/lib.rs:2:8"), "{message}");
    assert!(broken.logged("--> src/lib.rs:2:8"), "{:?}", broken.log);

    let absent = Build::of_source("absent", "", "pub fn predict() {}");
    let message = absent.make().await.expect_err("has no function");
    assert!(message.contains("not found in `job`"), "{message}");

    let mut secret = Build::of_source(
        "secret",
        "",
        "pub fn perform(_: serde_json::Value) -> Result<&'static str, String> { Ok(env!(\"TOKEN\")) }",
    );
    secret.secrets = EnvVars::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
    let message = secret.make().await.expect_err("is not given the secret");
    assert!(message.contains("environment variable `TOKEN` not defined"), "{message}");
    assert!(secret.logged("build secrets are not given to the compiler, except tokens of registries: TOKEN"));
}

#[tokio::test]
async fn what_the_machine_lacks_is_told_with_the_way_out() {
    let missing = Build::of_source("missing", "no-such-crate-at-all = \"1\"", OBEDIENT);
    let message = missing.make().await.expect_err("there is no such crate");
    assert!(
        message.starts_with("cannot compile the job without crates that are not on the machine"),
        "{message}"
    );
    assert!(message.contains("no-such-crate-at-all"), "{message}");

    let mut no_cargo = Build::of_source("no-cargo", "", OBEDIENT);
    no_cargo.config = "cargo: no-such-cargo";
    let message = no_cargo.make().await.expect_err("there is no such cargo");
    assert!(message.starts_with("cannot run cargo: install Rust"), "{message}");
    assert!(message.contains("cannot start `no-such-cargo`"), "{message}");
}
