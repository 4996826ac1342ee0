//! What the platform costs: requests, start, memory, calls of jobs and deployments.
//!
//! `cargo bench -p racetrack-tests --bench platform` builds the default declaration in its release profile, starts it in a
//! folder of its own, and prints a table. Loads are made by one thread per connection of this process, on the same
//! machine. The figures of calls are taken side by side, in turns: the job itself, the job behind lifecycle, behind a relay
//! that copies bytes and understands nothing (what a second hop costs at least), and behind nginx where it is installed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod hop;
mod load;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use racetrack_core::{Job, JobStatus};
use racetrack_store::{DatabaseUrl, Store};
use racetrack_tests::component::free_address;
use racetrack_tests::staged_platform::wait_until;
use racetrack_tests::{Finished, RunningComponent, Sandbox, checkout};
use serde_json::{Value, json};

use hop::{Nginx, relay};
use load::{Client, load};

fn main() {
    // `cargo nextest` and `cargo test` ask benches for their tests.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let _ = Finished::run(
        std::process::Command::new(env!("CARGO")).args(["xtask", "build"]).current_dir(checkout()),
    )
    .succeeded();
    show("what", "measured", "bar");
    for (jobs, bar) in [(100, "≥ 1500"), (1000, "≥ 150")] {
        listing(jobs, bar);
    }
    let sandbox = Sandbox::new("bench-platform");
    starting(&sandbox);
    let platform = Platform::start(&sandbox);
    idle(&platform);
    deploying(&platform);
    calling(&sandbox, &platform);
    many_deployments(&platform);
}

struct Platform {
    lifecycle: RunningComponent,
    _image_builder: RunningComponent,
}

impl Platform {
    fn start(sandbox: &Sandbox) -> Self {
        let builder_address = free_address();
        sandbox.write(
            "lifecycle.yaml",
            &format!(
                "auth-required: false\ncomponent-auth-token: t0ken\nlog-level: 'warn,racetrack_service::server=info'\n\
                     image-builder-url: http://{builder_address}\n"
            ),
        );
        let lifecycle = RunningComponent::start(&binary("lifecycle"), &sandbox.path("lifecycle.yaml"));
        let url = format!("http://{}", lifecycle.address());
        sandbox.write("image-builder.yaml", &format!("component-auth-token: t0ken\nlifecycle-url: {url}\n"));
        let config = sandbox.path("image-builder.yaml");
        let image_builder = RunningComponent::start_at(builder_address, &binary("image-builder"), &config);
        Self { lifecycle, _image_builder: image_builder }
    }

    /// Deploys a job, and waits until it is up.
    fn deploy(&self, request: &Value) -> Value {
        let (status, body) = self.lifecycle.post("/api/v1/deploy", request);
        assert_eq!(status, 200, "{body}");
        let id = body["id"].as_str().expect("a text").to_owned();
        wait_until("the deployment is over", || {
            let (_, record) = self.lifecycle.get(&format!("/api/v1/deploy/{id}"));
            (record["status"] != "in_progress").then_some(record)
        })
    }
}

fn listing(jobs: usize, bar: &str) {
    let sandbox = Sandbox::new(&format!("bench-listing-{jobs}"));
    fill(&sandbox, jobs);
    sandbox.write(
        "lifecycle.yaml",
        "auth-required: false\nlog-level: 'warn,racetrack_service::server=info'\nmonitor-interval: 10s\n",
    );
    let lifecycle = RunningComponent::start(&binary("lifecycle"), &sandbox.path("lifecycle.yaml"));
    let mut client = Client::connect(lifecycle.address());
    let size = client.get("/api/v1/job");
    for _ in 0..3 {
        let load = load(lifecycle.address(), "/api/v1/job", 1);
        show(
            &format!("GET /job, {jobs} jobs ({size} bytes), 1 connection"),
            &format!("{:.0}/s", load.rate()),
            bar,
        );
    }
    let load = load(lifecycle.address(), "/api/v1/job", 8);
    show(&format!("GET /job, {jobs} jobs, 8 connections"), &format!("{:.0}/s", load.rate()), "");
}

/// Puts jobs into the database, each as large as a usual one.
fn fill(sandbox: &Sandbox, jobs: usize) {
    let folder = sandbox.path(".racetrack-run/lifecycle");
    fs_err::create_dir_all(&folder).expect("a folder can be made");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let url = DatabaseUrl::file(&folder.join("lifecycle.sqlite"));
        let store = Store::open(&url).await.expect("opens");
        for number in 0..jobs {
            let mut job = Job::new(&format!("job-{number:04}"), "0.0.1", JobStatus::Running, 1_700_000_000);
            job.manifest_yaml = Some(format!(
                "name: job-{number:04}\nowner_email: sample@example.com\nversion: 0.0.1\njobtype: python3:latest\n\
                 git:\n  remote: https://github.com/TheRacetrack/racetrack\n  directory: sample/python-class\n\
                 jobtype_extra:\n  requirements_path: requirements.txt\n  entrypoint_path: adder.py\n\
                 resources:\n  memory_max: 1Gi\n  cpu_max: 1000m\n"
            ));
            job.pub_url = Some(format!("http://127.0.0.1:7202/pub/job/job-{number:04}/0.0.1"));
            job.infrastructure_target = Some("elsewhere".to_owned());
            job.job_type_version = Some("python3:1.0.0".to_owned());
            job.image_tag = Some("2021-08-12T094058".to_owned());
            job.deployed_by = Some("admin".to_owned());
            store.save_job(&job, &["image".to_owned()]).await.expect("is saved");
        }
        store.close().await;
    });
}

/// From the start of the process to the first answer of `/ready`.
fn starting(sandbox: &Sandbox) {
    sandbox.write("start.yaml", "auth-required: false\nlog-level: error\n");
    let mut times = Vec::new();
    for _ in 0..11 {
        let address = free_address();
        let started = Instant::now();
        let mut child = std::process::Command::new(binary("lifecycle"))
            .args(["--http-address", &address.to_string(), "--config"])
            .arg(sandbox.path("start.yaml"))
            .current_dir(sandbox.path("."))
            .spawn()
            .expect("lifecycle can be started");
        let is_ready =
            || Client::try_connect(address).is_some_and(|mut client| client.status("/ready") == 200);
        while !is_ready() {
            std::thread::sleep(Duration::from_millis(1));
        }
        times.push(started.elapsed());
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }
    // The first start makes the database.
    show("first start of lifecycle until /ready", &milliseconds(times[0]), "");
    times.remove(0);
    show("start of lifecycle until /ready, median of 10", &milliseconds(median(&mut times)), "≤ 50 ms");
}

fn idle(platform: &Platform) {
    std::thread::sleep(Duration::from_secs(2));
    let status =
        fs_err::read_to_string(format!("/proc/{}/status", platform.lifecycle.id())).expect("there is /proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("has a line about memory");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    show("resident memory of idle lifecycle", &format!("{:.1} MiB", kib / 1024.0), "≤ 25 MiB");
}

fn deploying(platform: &Platform) {
    let request = deployment("python-adder", "0.0.1");
    let cold = Instant::now();
    expect_done(&platform.deploy(&request));
    show("first deployment of the python adder", &milliseconds(cold.elapsed()), "");
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let warm = Instant::now();
            expect_done(&platform.deploy(&request));
            warm.elapsed()
        })
        .collect();
    show("warm deployment of the python adder, median of 5", &milliseconds(median(&mut times)), "≤ 2 s");
}

fn calling(sandbox: &Sandbox, platform: &Platform) {
    let (_, job) = platform.lifecycle.get("/api/v1/job/python-adder/latest");
    let direct: SocketAddr =
        job["internal_name"].as_str().and_then(|name| name.parse().ok()).expect("an address");
    let path = "/pub/job/python-adder/0.0.1/live";
    compare(sandbox, "python job", direct, platform.lifecycle.address(), path);
    let request = deployment("rust-adder", "0.0.1");
    expect_done(&platform.deploy(&request));
    let (_, job) = platform.lifecycle.get("/api/v1/job/rust-adder/latest");
    let direct: SocketAddr =
        job["internal_name"].as_str().and_then(|name| name.parse().ok()).expect("an address");
    compare(sandbox, "rust job", direct, platform.lifecycle.address(), "/pub/job/rust-adder/0.0.1/live");
}

fn compare(sandbox: &Sandbox, what: &str, direct: SocketAddr, lifecycle: SocketAddr, path: &str) {
    let nginx = Nginx::start(sandbox, direct);
    let mut hops = vec![("lifecycle", lifecycle), ("a relay of bytes", relay(direct))];
    match &nginx {
        Some(nginx) => hops.push(("nginx", nginx.address)),
        None => println!("nginx is not installed: nothing to compare with"),
    }
    for connections in [1, 8] {
        let mut figures = vec![(Vec::new(), Vec::new()); hops.len()];
        for _ in 0..3 {
            let own = load(direct, path, connections);
            for ((_, address), (ratios, added)) in hops.iter().zip(&mut figures) {
                let behind = load(*address, path, connections);
                ratios.push(behind.rate() / own.rate());
                added.push(behind.median().saturating_sub(own.median()));
            }
        }
        for ((hop, _), (mut ratios, mut added)) in hops.iter().zip(figures) {
            ratios.sort_by(f64::total_cmp);
            let (ratio_bar, added_bar) = match (*hop, connections) {
                ("lifecycle", 1) => ("", "≤ 0.3 ms"),
                ("lifecycle", _) => ("≥ 80 %", ""),
                _ => ("", ""),
            };
            let label = format!("{what} behind {hop}, {connections} connections");
            show(&format!("{label}: throughput"), &format!("{:.0} %", ratios[1] * 100.0), ratio_bar);
            show(&format!("{label}: added at p50"), &milliseconds(median(&mut added)), added_bar);
        }
    }
}

fn many_deployments(platform: &Platform) {
    let started = Instant::now();
    let records = std::thread::scope(|scope| {
        let deploy = |number: usize| {
            scope.spawn(move || platform.deploy(&deployment("python-adder", &format!("1.0.{number}"))))
        };
        let threads: Vec<_> = (0..50).map(deploy).collect();
        threads.into_iter().map(|thread| thread.join().expect("does not panic")).collect::<Vec<_>>()
    });
    let done = records.iter().filter(|record| record["status"] == "done").count();
    show("50 deployments at once: done", &done.to_string(), "50");
    show("50 deployments at once: time", &milliseconds(started.elapsed()), "");
    let (_, jobs) = platform.lifecycle.get("/api/v1/job");
    for job in jobs.as_array().into_iter().flatten() {
        let (name, version) =
            (job["name"].as_str().unwrap_or_default(), job["version"].as_str().unwrap_or_default());
        assert_eq!(platform.lifecycle.delete(&format!("/api/v1/job/{name}/{version}")).0, 200);
    }
}

/// What is posted to deploy a sample.
fn deployment(sample: &str, version: &str) -> Value {
    let folder = checkout().join("samples").join(sample);
    let text = fs_err::read_to_string(folder.join("job.yaml")).expect("the sample is there");
    let packed = std::process::Command::new("tar")
        .args(["-cz", "."])
        .current_dir(folder)
        .output()
        .expect("there is tar");
    let mut manifest: Value = serde_yaml::from_str(&text).expect("a manifest");
    manifest["version"] = version.into();
    json!({"manifest": manifest, "build_context": BASE64_STANDARD.encode(packed.stdout), "force": true})
}

fn expect_done(record: &Value) {
    assert_eq!(record["status"], "done", "{record}");
}

fn binary(component: &str) -> std::path::PathBuf {
    checkout().join("dist").join(component)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn show(what: &str, measured: &str, bar: &str) {
    println!("{what:<58} {measured:>14} {bar:>12}");
}
