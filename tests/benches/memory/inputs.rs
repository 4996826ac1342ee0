//! The inputs, each of which is tried on a platform of its own.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use racetrack_core::{Job, JobStatus};
use racetrack_store::{DatabaseUrl, DeploymentOutcome, NewDeployment, Store};
use serde_json::{Value, json};

use crate::platform::{JOB, PASSWORD, Platform, append, archive, deployment, manifest};
use crate::requests::{at_once, get, open, post, send_json};

const MIB: usize = 1 << 20;

/// What is done to a platform.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) auth_required: bool,
    /// Fills its folder before it is started.
    pub(crate) prepare: fn(&Path),
    /// Does it, and says what came of it.
    pub(crate) run: fn(&Platform) -> String,
}

pub(crate) fn all() -> Vec<Input> {
    let input = |name, run| Input { name, auth_required: false, prepare: |_: &Path| {}, run };
    vec![
        input("nothing", nothing),
        input("300 idle connections each", |platform| idle_connections(platform, 300)),
        input("5000 idle connections each", |platform| idle_connections(platform, 5000)),
        input("4000 heads of 31 KiB that do not end, each", large_heads),
        input("80 KB of aliases as a manifest, 8 at once", alias_bombs),
        input("deployments of 1 MiB of brackets or values, 100 at once", deep_manifests),
        input("manifests of 110 KiB with 9900 values, 100 deployments at once", large_manifests),
        input("bodies of 4 MiB of values, 100 at once", large_bodies),
        input("archives of 9.3 MB with 1500 MiB of zeros, 8 at once", |platform| {
            zeros(platform, 8, 8 * MIB, 1500)
        }),
        input("archives of 3.1 MB with 480 MiB of zeros, 2 at once", |platform| {
            zeros(platform, 2, 5 * MIB / 2, 480)
        }),
        input("archives of 50000 long paths, 8 at once", long_paths),
        input("largest deployments (256 MiB), 8 at once", largest_deployments),
        input("a log of a build of 100 MB, 8 at once", large_build_logs),
        input("a git repository with 300 MB of zeros", git_repository),
        input("a job that writes 1 GB to its log, read 20 at once", log_burst),
        input("50 followers of a log that grows by 300 MB", log_followers),
        input("probes without an end, 8 jobs", endless_probes),
        input("answers without an end, 50 at once, not taken", endless_answers),
        input("500 WebSockets to a job", web_sockets),
        input("1000 sessions of Socket.IO", sessions),
        Input { auth_required: true, ..input("150 guesses of a password at once", guesses) },
        Input { prepare: ten_thousand_jobs, ..input("10000 jobs listed, 20 at once", listing) },
        Input {
            prepare: large_deployments,
            ..input("300 deployments of 250 KiB listed, 20 at once", deployment_listing)
        },
    ]
}

fn nothing(_: &Platform) -> String {
    std::thread::sleep(Duration::from_secs(5));
    "idle".to_owned()
}

fn addresses(platform: &Platform) -> [SocketAddr; 2] {
    [platform.lifecycle.address(), platform.image_builder.address()]
}

fn idle_connections(platform: &Platform, count: usize) -> String {
    let begin = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ";
    let _idle = addresses(platform).map(|address| open(address, count, begin));
    let served = addresses(platform).map(|address| get(address, "/live").0);
    format!("others are answered {served:?}")
}

fn large_heads(platform: &Platform) -> String {
    let begin = format!("GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: {}", "x".repeat(31 << 10));
    let _idle = addresses(platform).map(|address| open(address, 4000, begin.as_bytes()));
    let served = addresses(platform).map(|address| get(address, "/live").0);
    format!("others are answered {served:?}")
}

fn alias_bombs(platform: &Platform) -> String {
    platform.deploy_script("target");
    let lists = [("a", "&a ", "0"), ("b", "", "*a")]
        .map(|(name, anchor, value)| format!("{name}: {anchor}[{}]", vec![value; 16_000].join(",")));
    let yaml = format!("name: target\nlabels: {{{}}}\n", lists.join(", "));
    let body = json!({"manifest_yaml": yaml}).to_string().into_bytes();
    let statuses =
        at_once(8, |_| send_json(platform.address(), "PUT", "/api/v1/job/target/0.0.1/manifest", &body).0);
    told(&statuses)
}

fn deep_manifests(platform: &Platform) -> String {
    let bodies = [
        format!("{{\"manifest\": {}", "[".repeat(MIB)),
        format!("{{\"manifest\": {{\"a\": [{}0]}}}}", "0,".repeat(MIB / 2 - 50)),
        format!("{{\"manifest\": {{\"a\": [{}0]}}}}", "0,    ".repeat(49_000)),
        format!("{{\"manifest\": {{\"a\": \"{}\"}}}}", "x".repeat(MIB - 100)),
    ];
    told(&at_once(100, |number| post(platform.address(), "/api/v1/deploy", bodies[number % 4].as_bytes()).0))
}

fn large_manifests(platform: &Platform) -> String {
    let archive = archive(&[("job.py", JOB)]);
    platform.deploy_at_once(100, |number| {
        let mut manifest = manifest(&format!("large-{number}"));
        let labels: serde_json::Map<String, Value> =
            (0..9_900).map(|label| (format!("a{label}"), json!(0))).collect();
        manifest["labels"] = labels.into();
        deployment(&manifest, &archive).to_string().into_bytes()
    })
}

fn large_bodies(platform: &Platform) -> String {
    let body = format!("{{\"config_data\": [{}0]}}", "0,".repeat(2 * MIB - 50)).into_bytes();
    told(&at_once(100, |number| {
        let path = if number % 2 == 0 { "/api/v1/plugin/x/run" } else { "/api/v1/plugin/x/1.0.0/config" };
        let method = if number % 2 == 0 { "POST" } else { "PUT" };
        send_json(platform.address(), method, path, &body).0
    }))
}

/// Deploys so many sources at once of so many MiB of zeros, with so many bytes that cannot be compressed, without which an
/// archive may not become so large.
fn zeros(platform: &Platform, count: usize, noise_size: usize, size: usize) -> String {
    let mut builder =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best()));
    append(&mut builder, "job.py", JOB);
    append(&mut builder, "noise", &noise(noise_size));
    let zeros = vec![0; 20 * MIB];
    for number in 0..size / 20 {
        append(&mut builder, &number.to_string(), &zeros);
    }
    let archive = builder.into_inner().expect("is in memory").finish().expect("is in memory");
    let body =
        |number: usize| deployment(&manifest(&format!("zeros-{number}")), &archive).to_string().into_bytes();
    platform.deploy_at_once(count, body)
}

fn long_paths(platform: &Platform) -> String {
    let mut builder =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let folders = vec!["x".repeat(200); 4].join("/");
    for number in 0..49_990 {
        append(&mut builder, &format!("{folders}/{}{number}", "y".repeat(150)), b"");
    }
    append(&mut builder, "job.py", JOB);
    let archive = builder.into_inner().expect("is in memory").finish().expect("is in memory");
    let body =
        |number: usize| deployment(&manifest(&format!("paths-{number}")), &archive).to_string().into_bytes();
    platform.deploy_at_once(8, body)
}

fn largest_deployments(platform: &Platform) -> String {
    // Three bytes of the archive are four of the request; its rest is small.
    let content = noise(180 * MIB);
    let archive = archive(&[("job.py", JOB), ("content", &content)]);
    let body = deployment(&manifest("NAME"), &archive).to_string();
    drop((content, archive));
    let (before, after) = body.split_once("\"NAME\"").expect("is in it");
    let body = |number: usize| format!("{before}\"large-{number}\"{after}").into_bytes();
    platform.deploy_at_once(8, body)
}

fn large_build_logs(platform: &Platform) -> String {
    let archive = archive(&[("job.py", JOB), ("build-log", b"100000000")]);
    let body =
        |number: usize| deployment(&manifest(&format!("log-{number}")), &archive).to_string().into_bytes();
    let outcome = platform.deploy_at_once(8, body);
    let read = at_once(20, |number| {
        get(platform.address(), &format!("/api/v1/job/log-{}/0.0.1/build-logs", number % 8)).0
    });
    format!("{outcome}; its log: {}", told(&read))
}

fn git_repository(platform: &Platform) -> String {
    let repository = platform.path("repository");
    fs_err::create_dir_all(&repository).expect("a folder can be made");
    fs_err::write(repository.join("job.py"), JOB).expect("a file can be written");
    fs_err::write(repository.join("zeros"), vec![0; 300 * MIB]).expect("a file can be written");
    let script = "git init --quiet && git add . && \
                  git -c user.name=a -c user.email=a@example.com commit --quiet --message all";
    let made =
        Command::new("sh").args(["-c", script]).current_dir(&repository).status().expect("there is sh");
    assert!(made.success());
    platform.deploy_at_once(2, |number| {
        let mut manifest = manifest(&format!("git-{number}"));
        let path = repository.canonicalize().expect("is there");
        manifest["git"]["remote"] = format!("file://{}", path.display()).into();
        json!({"manifest": manifest}).to_string().into_bytes()
    })
}

fn log_burst(platform: &Platform) -> String {
    let job = platform.deploy_script("writer");
    let written = get(platform.address(), &format!("{job}/write/1000000000")).0;
    let read = |_| get(platform.address(), "/api/v1/job/writer/0.0.1/logs?tail=0").0;
    for _ in 0..10 {
        let _ = at_once(20, read);
        std::thread::sleep(Duration::from_millis(500));
    }
    format!("{written}, then {}", told(&at_once(20, read)))
}

fn log_followers(platform: &Platform) -> String {
    let job = platform.deploy_script("writer");
    let followers: Vec<_> = (0..50).map(|_| session(platform.address(), true)).collect();
    let written = get(platform.address(), &format!("{job}/write/300000000")).0;
    let until = Instant::now() + Duration::from_secs(20);
    let read = at_once(50, |number| {
        let mut lines = 0;
        // Half of them take nothing.
        while number % 2 == 0 && Instant::now() < until {
            let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", followers[number]);
            let taken = acknowledgements(&get(platform.address(), &path).1);
            lines += taken.len();
            let _ = post(platform.address(), &path, taken.join("\x1e").as_bytes());
        }
        lines
    });
    format!("{written}, {} lines are taken", read.iter().sum::<usize>())
}

/// What a client answers to say that it has the lines: the next ones come only then.
fn acknowledgements(polled: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(polled);
    let ids = text.split('\x1e').filter_map(|packet| packet.strip_prefix("42")?.split_once('['));
    ids.map(|(id, _)| format!("43{id}[]")).collect()
}

/// A session of Socket.IO, which may follow a log; gives its id.
fn session(address: SocketAddr, follows: bool) -> String {
    let (_, open) = get(address, "/socket.io/?EIO=4&transport=polling");
    let open: Value = serde_json::from_slice(open.get(1..).unwrap_or_default()).unwrap_or_default();
    let id = open["sid"].as_str().unwrap_or("none").to_owned();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={id}");
    let subscription = json!(["subscribe_for_logs",
        {"resource_properties": {"job_name": "writer", "job_version": "0.0.1", "tail": "10000"}}]);
    let _ = post(address, &path, b"40");
    if follows {
        let _ = get(address, &path);
        let _ = post(address, &path, format!("420{subscription}").as_bytes());
    }
    id
}

fn endless_probes(platform: &Platform) -> String {
    for number in 0..8 {
        let job = platform.deploy_script(&format!("bad-{number}"));
        let _ = get(platform.address(), &format!("{job}/turn-bad"));
    }
    std::thread::sleep(Duration::from_secs(20));
    let (status, jobs) = get(platform.address(), "/api/v1/job");
    format!("{status}, a list of {} bytes", jobs.len())
}

fn endless_answers(platform: &Platform) -> String {
    let job = platform.deploy_script("endless");
    let request = format!("GET {job}/endless HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    let mut callers = open(platform.address(), 50, request.as_bytes());
    std::thread::sleep(Duration::from_secs(5));
    // Some take what comes.
    let until = Instant::now() + Duration::from_secs(5);
    let mut buffer = vec![0; 1 << 16];
    let mut taken = 0;
    while Instant::now() < until {
        for caller in &mut callers[..5] {
            taken += caller.read(&mut buffer).unwrap_or(0);
        }
    }
    format!("{} MB are taken", taken / 1_000_000)
}

fn web_sockets(platform: &Platform) -> String {
    let job = platform.deploy_script("sockets");
    let request = format!(
        "GET {job}/socket HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let callers = open(platform.address(), 500, request.as_bytes());
    told(&callers.into_iter().map(status).collect::<Vec<_>>())
}

fn status(mut connection: TcpStream) -> u16 {
    let mut head = [0; 12];
    let read = connection.read_exact(&mut head);
    read.ok().and_then(|()| std::str::from_utf8(&head[9..]).ok()?.parse().ok()).unwrap_or(0)
}

fn sessions(platform: &Platform) -> String {
    let sessions: Vec<_> = (0..1000).map(|_| session(platform.address(), false)).collect();
    format!("{} are open", sessions.iter().filter(|id| *id != "none").count())
}

fn guesses(platform: &Platform) -> String {
    let statuses = at_once(150, |number| {
        let guess = json!({"username": "admin", "password": format!("guess-{number}")}).to_string();
        post(platform.address(), "/api/v1/users/login", guess.as_bytes()).0
    });
    let right = json!({"username": "admin", "password": PASSWORD}).to_string();
    let right = post(platform.address(), "/api/v1/users/login", right.as_bytes()).0;
    format!("{}; the right one: {right}", told(&statuses))
}

fn listing(platform: &Platform) -> String {
    told(&at_once(20, |_| get(platform.address(), "/api/v1/job").0))
}

fn deployment_listing(platform: &Platform) -> String {
    told(&at_once(20, |_| get(platform.address(), "/api/v1/deploy?limit=100000").0))
}

fn ten_thousand_jobs(folder: &Path) {
    in_store(folder, async |store| {
        for number in 0..10_000 {
            let mut job = Job::new(&format!("job-{number}"), "0.0.1", JobStatus::Running, 1_700_000_000);
            let mut manifest = manifest(&job.name);
            manifest["labels"] = json!({"description": "x".repeat(400)});
            job.manifest_yaml = Some(serde_yaml::to_string(&manifest).expect("is YAML"));
            job.infrastructure_target = Some("elsewhere".to_owned());
            store.save_job(&job, &["image".to_owned()]).await.expect("is saved");
        }
    });
}

fn large_deployments(folder: &Path) {
    in_store(folder, async |store| {
        let outcome = DeploymentOutcome::Failed { error: "x".repeat(30 << 10) };
        for number in 0..300 {
            let deployment = NewDeployment {
                job_name: format!("job-{number}"),
                job_version: "0.0.1".to_owned(),
                manifest_yaml: format!("name: job-{number}\nlabels: {{a: {}}}\n", "x".repeat(250 << 10)),
                infrastructure_target: Some("elsewhere".to_owned()),
                deployed_by: Some("admin".to_owned()),
                image_name: None,
            };
            let claimed = store.claim_deployment(&deployment).await.expect("is saved");
            store.finish_deployment(&claimed.id, &outcome).await.expect("is saved");
        }
    });
}

fn in_store(folder: &Path, fill: impl AsyncFnOnce(&Store)) {
    let folder = folder.join(".racetrack-run/lifecycle");
    fs_err::create_dir_all(&folder).expect("a folder can be made");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&DatabaseUrl::file(&folder.join("lifecycle.sqlite"))).await.expect("opens");
        fill(&store).await;
        store.close().await;
    });
}

/// Bytes that cannot be compressed.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// How often each status came.
fn told(statuses: &[u16]) -> String {
    let mut counts = std::collections::BTreeMap::<u16, usize>::new();
    for status in statuses {
        *counts.entry(*status).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(status, count)| format!("{count} × {status}")).collect();
    counts.join(", ")
}
