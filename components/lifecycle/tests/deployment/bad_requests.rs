//! Requests that are wrong, whatever they are about.

use std::io::Read;

use axum::body::Body;
use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use racetrack_service::setting_value::Size;
use serde_json::{Value, json};

use super::harness::{EMPTY_CONTEXT, Server, Setup, adder, with};

async fn assert_nothing_is_kept(server: &Server) {
    assert_eq!(server.deployment_count().await, 0);
    assert_eq!(server.jobs().await, [""; 0]);
    assert_eq!(server.get("/job_family").await.ok(), json!([]));
    assert_eq!(server.audit_types().await, [""; 0]);
    assert_eq!(
        server.world.journal.take(&["deploy_job", "delete_job", "job_secrets", "job_runtime"]),
        [""; 0]
    );
    assert_eq!(server.builder.orders().len(), 0);
}

#[tokio::test]
async fn a_body_that_is_no_deployment_is_refused_with_its_place() {
    let server = Server::start().await;
    let whole = adder("1.0.0").to_string();
    let deep = format!("{{\"manifest\": {{\"labels\": {}1{}}}}}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&[u8], &str); 16] = [
        (b"", "EOF while parsing"),
        (&whole.as_bytes()[..whole.len() - 1], "EOF while parsing"),
        (&whole.as_bytes()[..whole.len() / 2], "EOF while parsing"),
        (&[whole.as_bytes(), b"{}"].concat(), "trailing characters"),
        (b"name: adder\n", "expected"),
        (b"\xff\xfe", "expected value"),
        (b"{\"manifest\": {\"name\": \"\xff\"}}", "invalid unicode"),
        (b"null", "invalid type: null"),
        (b"\"text\"", "invalid type: string"),
        (b"{}", "missing field `manifest`"),
        (b"{\"manifest\": []}", "manifest: invalid type: sequence"),
        (b"{\"manifest\": {\"name\": \"a\", \"name\": \"b\"}}", "duplicate"),
        (b"{\"manifest\": {}, \"manifest\": {}}", "duplicate field `manifest`"),
        (b"{\"manifest\": {}, \"colour\": 1}", "unknown field `colour`"),
        (b"{\"manifest\": {\"name\": \"\\ud800\"}}", "hex escape"),
        (deep.as_bytes(), "recursion limit exceeded"),
    ];
    for (body, text) in cases {
        let answer = server.send(&server.admin, Method::POST, "/deploy", body.to_vec()).await;
        let error = answer.error(400);
        assert!(error.contains(text), "{error:?} does not say {text:?}");
        assert!(error.len() < 500, "the error repeats the request: {error:?}");
    }
    assert_nothing_is_kept(&server).await;
}

#[tokio::test]
async fn values_of_the_wrong_type_are_refused_with_their_path() {
    let server = Server::start().await;
    let cases = [
        ("/force", json!("yes"), "force: invalid type"),
        ("/build_flags", json!("--pull"), "build_flags: invalid type"),
        ("/build_flags", json!([1]), "build_flags[0]: invalid type"),
        ("/build_context", json!({}), "build_context: invalid type"),
        ("/git_credentials", json!({ "username": "bob" }), "missing field `password`"),
        ("/git_credentials", json!("hunter2"), "git_credentials: invalid type, expected an object"),
        (
            "/git_credentials",
            json!({ "username": "bob", "password": ["hunter2"] }),
            "password: invalid type, expected",
        ),
        (
            "/secret_vars",
            json!({ "build_env": "hunter2" }),
            "secret_vars.build_env: invalid type, expected a map",
        ),
        (
            "/secret_vars",
            json!({ "runtime_env": { "A": 31337 } }),
            "secret_vars.runtime_env.A: invalid type, expected",
        ),
        ("/secret_vars", json!({ "other": {} }), "unknown field `other`"),
    ];
    for (pointer, value, text) in cases {
        let error = server.post("/deploy", &with(adder("1.0.0"), pointer, value)).await.error(400);
        assert!(error.contains(text), "{error:?} does not say {text:?}");
        assert!(!error.contains("hunter2") && !error.contains("31337"), "a secret is told: {error}");
    }
    assert_nothing_is_kept(&server).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_as_json() {
    let mut setup = Setup::new(&["north"]);
    setup.settings.max_request_size = Some(Size(1000));
    let server = setup.start().await;
    let request = with(adder("1.0.0"), "/build_context", "A".repeat(1000));
    let error = server.post("/deploy", &request).await.error(413);
    assert!(error.contains("larger than 1000 bytes"), "{error}");

    // Without a length that could be looked at beforehand.
    let chunks = stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000])));
    let body = Body::from_stream(chunks);
    server.send(&server.admin, Method::POST, "/deploy", body).await.error(413);
    // Only deployments have the size of a job's source.
    let large = json!({ "manifest_yaml": "#".repeat(5 << 20) });
    server.put("/job/adder/1.0.0/manifest", &large).await.error(404);
    assert_nothing_is_kept(&server).await;
    server.deployed(&adder("1.0.0")).await;
    server.put("/job/adder/1.0.0/manifest", &large).await.error(413);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let server = Server::start().await;
    let whole = adder("1.0.0").to_string();
    let half = whole.as_bytes()[..20].to_vec();
    let broken = stream::iter([Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
    server.send(&server.admin, Method::POST, "/deploy", Body::from_stream(broken)).await.error(400);
    assert_nothing_is_kept(&server).await;
}

/// An archive in base64 with one entry of a kind, its checksum right.
fn context(path: &str, kind: tar::EntryType) -> String {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.as_mut_bytes()[157..168].copy_from_slice(b"/etc/passwd");
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_cksum();
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    builder.append(&header, std::io::empty()).expect("is in memory");
    let packed = builder.into_inner().and_then(GzEncoder::finish).expect("is in memory");
    BASE64_STANDARD.encode(packed)
}

#[tokio::test]
async fn bad_contexts_are_refused_before_there_is_a_deployment() {
    use tar::EntryType::{Link, Regular, Symlink};
    let server = Server::start().await;
    let sound = context("adder.py", Regular);
    let cases = [
        ("\u{0}not base64\n=".to_owned(), "build_context: it is not base64"),
        (String::new(), "build_context: it is cut off"),
        (BASE64_STANDARD.encode("no archive"), "build_context: it is not a tar archive compressed by gzip"),
        (sound[..32].to_owned(), "build_context: it is cut off"),
        (context("../x", Regular), "build_context: ../x: the path is not plain text that stays inside"),
        (context("/etc/x", Regular), "build_context: /etc/x: the path is not plain text that stays inside"),
        (context("x", Symlink), "build_context: x: symbolic links are not allowed"),
        (context("x", Link), "build_context: x: hard links are not allowed"),
    ];
    for (context, text) in cases {
        let request = with(adder("1.0.0"), "/build_context", context);
        let error = server.post("/deploy", &request).await.error(400);
        assert!(error.contains(text), "{error:?} does not say {text:?}");
    }
    assert_nothing_is_kept(&server).await;
    server.deployed(&with(adder("1.0.0"), "/build_context", sound.as_str())).await;
    assert_eq!(server.builder.orders()[0].body["build_context"], sound, "is handed on as it came");
}

/// An archive in base64 of so many files, each of so many zeros.
fn zeros(files: usize, size: usize) -> String {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for number in 0..files {
        let mut header = tar::Header::new_gnu();
        header.set_size(size as u64);
        builder
            .append_data(&mut header, number.to_string(), std::io::repeat(0).take(size as u64))
            .expect("is in memory");
    }
    let packed = builder.into_inner().and_then(GzEncoder::finish).expect("is in memory");
    BASE64_STANDARD.encode(packed)
}

#[tokio::test]
async fn contexts_that_image_builder_would_not_unpack_are_refused_before_there_is_a_deployment() {
    let mut setup = Setup::new(&["north"]);
    setup.settings.max_unpacked_size = Some(Size(100_000));
    setup.settings.max_unpacked_entries = Some(10);
    let server = setup.start().await;
    for (context, text) in [
        (zeros(1, 200_000), "build_context: it is larger than 100000 bytes unpacked"),
        (zeros(10, 20_000), "build_context: it is larger than 100000 bytes unpacked"),
        (zeros(11, 0), "build_context: it has more than 10 files and folders"),
    ] {
        let error = server.post("/deploy", &with(adder("1.0.0"), "/build_context", context)).await.error(400);
        assert!(error.contains(text), "{error:?} does not say {text:?}");
    }
    assert_nothing_is_kept(&server).await;
    server.deployed(&with(adder("1.0.0"), "/build_context", zeros(10, 1000))).await;
}

#[tokio::test]
async fn variables_that_a_job_cannot_have_are_refused_before_there_is_a_deployment() {
    let server = Server::start().await;
    let long = "x".repeat(131_072);
    let of_build = "is not a name of a variable of the build; write ASCII letters";
    let of_job = "is not a name of an environment variable; leave out `=`";
    let reserved = "is a name that the platform sets itself; choose another name";
    let zero = "has a zero byte in its value; remove it";
    let cases = [
        ("/manifest/runtime_env", json!({ "A=B": "x" }), format!("manifest.runtime_env: `A=B` {of_job}")),
        ("/manifest/runtime_env", json!({ "": "x" }), format!("manifest.runtime_env: `` {of_job}")),
        ("/manifest/runtime_env", json!({ "A\u{0}": "x" }), format!("manifest.runtime_env: `A\\0` {of_job}")),
        (
            "/manifest/runtime_env",
            json!({ "A": "hunter2\u{0}" }),
            format!("manifest.runtime_env: `A` {zero}"),
        ),
        (
            "/manifest/runtime_env",
            json!({ "AUTH_TOKEN": "x" }),
            format!("manifest.runtime_env: `AUTH_TOKEN` {reserved}"),
        ),
        (
            "/secret_vars",
            json!({ "runtime_env": { "A": long } }),
            "`A` is longer than 131071 bytes with its value".to_owned(),
        ),
        ("/manifest/build_env", json!({ "A=B": "x" }), format!("manifest.build_env: `A=B` {of_build}")),
        ("/manifest/build_env", json!({ "A-B": "x" }), format!("manifest.build_env: `A-B` {of_build}")),
        ("/manifest/build_env", json!({ "A": "\u{0}" }), format!("manifest.build_env: `A` {zero}")),
        (
            "/secret_vars",
            json!({ "runtime_env": { "PUB_URL": "hunter2" } }),
            format!("secret_vars.runtime_env: `PUB_URL` {reserved}"),
        ),
        (
            "/secret_vars",
            json!({ "runtime_env": { "A=": "hunter2" } }),
            format!("secret_vars.runtime_env: `A=` {of_job}"),
        ),
        (
            "/secret_vars",
            json!({ "build_env": { "1A": "hunter2" } }),
            format!("secret_vars.build_env: `1A` {of_build}"),
        ),
        (
            "/secret_vars",
            json!({ "build_env": { "A": "hunter2\u{0}" } }),
            format!("secret_vars.build_env: `A` {zero}"),
        ),
    ];
    for (pointer, value, text) in cases {
        let error = server.post("/deploy", &with(adder("1.0.0"), pointer, value)).await.error(400);
        assert!(error.contains(&text), "{error:?} does not say {text:?}");
        assert!(!error.contains("hunter2"), "a value is told: {error}");
    }
    let several = with(adder("1.0.0"), "/manifest/runtime_env", json!({ "A=": "", "JOB_NAME": "" }));
    let error = server.post("/deploy", &several).await.error(400);
    assert!(error.contains("`A=`") && error.contains("`JOB_NAME`"), "{error}");
    assert_nothing_is_kept(&server).await;

    let fine = json!({ "a.b": "1=2\n", "AUTH_TOKENS": "ä", "PATH": "/bin" });
    let record = server.deployed(&with(adder("1.0.0"), "/manifest/runtime_env", fine)).await;
    let yaml = record["manifest_yaml"].as_str().expect("is a text").replace("AUTH_TOKENS", "AUTH_TOKEN");
    let error = server.put("/job/adder/1.0.0/manifest", &json!({ "manifest_yaml": yaml })).await.error(400);
    assert!(error.contains("manifest.runtime_env: `AUTH_TOKEN` is a name that the platform sets"), "{error}");
    // As an older lifecycle took it.
    let kept = Some(yaml);
    server
        .app
        .store
        .update_job("adder", "1.0.0", |record| record.job.manifest_yaml = kept)
        .await
        .expect("is there");
    let builds = server.builder.orders().len();
    let error = server.post("/job/adder/1.0.0/redeploy", &json!({})).await.error(400);
    assert!(error.contains("`AUTH_TOKEN` is a name that the platform sets"), "{error}");
    assert_eq!(server.builder.orders().len(), builds, "nothing is built");
}

#[tokio::test]
async fn what_image_builder_refuses_fails_the_deployment() {
    let server = Server::start().await;
    let refusal = json!({ "error": "it has more than 10 files and folders", "type": "ValueError" });
    server.builder.answer(super::fake_image_builder::BuildAnswer::Refused(400, refusal));
    let record = server.failed(&with(adder("1.0.0"), "/build_context", EMPTY_CONTEXT)).await;
    let error = "building an image: image-builder refused: it has more than 10 files and folders";
    assert_eq!(record["error"], error);
}

#[tokio::test]
async fn odd_paths_are_jobs_that_are_not_there() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    for path in [
        "/job/..%2F..%2Fetc/passwd",
        "/job/%2e%2e/latest",
        "/job/adder/..%2f1.0.0",
        "/job/adder/1.0.0%2F",
        "/job/adder%00/1.0.0",
        "/job/ADDER/1.0.0",
        "/job/adder'%20OR%20'1'='1/1.0.0",
        "/job/%0a/latest",
        "/job/adder/x.x.x.x",
        "/job/adder/9999999999999999999999.x",
        "/job/..%2Fadder/1.0.0/logs",
        "/deploy/..%2Fx",
        "/deploy/%00",
    ] {
        let status = server.get(path).await.status;
        assert_eq!(status, 404, "{path}");
        server.get(path).await.error(404);
    }
    let long = format!("/job/{}/latest", "a".repeat(10_000));
    server.get(&long).await.error(404);
    for path in ["/job/adder/../adder/1.0.0", "/job//adder/1.0.0", "/job/adder/1.0.0//logs"] {
        server.get(path).await.error(404);
    }
    for path in ["/job/%ff/1.0.0", "/job/adder/%ff", "/deploy/%ff", "/auth/can-call-job/adder/1.0.0/%ff"] {
        let error = server.get(path).await.error(400);
        assert!(error.contains("UTF-8"), "{error}");
    }
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
}

#[tokio::test]
async fn parameters_that_are_wrong_or_come_twice_are_refused() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    for query in
        ["tail=-1", "tail=x", "tail=", "tail=1.5", "tail=99999999999999999999", "tail=1&tail=2", "tail=%ff"]
    {
        for log in ["logs", "logs/plain", "build-logs", "build-logs/plain"] {
            server.get(&format!("/job/adder/1.0.0/{log}?{query}")).await.error(400);
        }
    }
    for query in ["limit=-1", "limit=x", "limit=4294967296", "limit=1&limit=2"] {
        server.get(&format!("/deploy?{query}")).await.error(400);
    }
    assert_eq!(server.get("/deploy?limit=0").await.ok(), json!([]));
    assert_eq!(server.get("/deploy?limit=4294967295").await.ok().as_array().map(Vec::len), Some(1));
    server.target("north").log("a\n");
    let huge = format!("/job/adder/1.0.0/logs?tail={}", u32::MAX);
    assert_eq!(server.get(&huge).await.ok(), json!({ "logs": "a\n" }));
    let huge = format!("/job/adder/1.0.0/build-logs?tail={}", u32::MAX);
    assert_eq!(server.get(&huge).await.ok(), json!({ "logs": "step 1\nstep 2\n" }));
}

#[tokio::test]
async fn bodies_of_other_requests_are_checked_as_strictly() {
    let server = Server::start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    let id = record["id"].as_str().expect("is a text");
    for (method, path) in [
        (Method::POST, "/job/adder/1.0.0/move".to_owned()),
        (Method::PUT, "/job/adder/1.0.0/manifest".to_owned()),
        (Method::PUT, "/job/adder/1.0.0/public-endpoints".to_owned()),
        (Method::PUT, "/maintenance".to_owned()),
        (Method::PUT, format!("/deploy/{id}/phase")),
        (Method::PUT, format!("/deploy/{id}/warnings")),
    ] {
        let is_internal = path.starts_with("/deploy");
        let token = if is_internal { super::harness::COMPONENT_TOKEN } else { &server.admin };
        for body in ["", "{", "null", "[]", "{}", "\u{0}"] {
            let answer = server.send(token, method.clone(), &path, body).await;
            answer.error(400);
        }
    }
    assert_eq!(server.job("1.0.0").await, record["job"]);
    assert_eq!(server.get("/maintenance").await.ok(), json!({ "maintenance_mode": false }));
    let after = server.get(&format!("/deploy/{id}")).await.ok();
    assert_eq!((&after["phase"], &after["warnings"]), (&Value::Null, &Value::Null));
}
