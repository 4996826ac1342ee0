//! Manifests made to break something.

use serde_json::{Value, json};

use super::harness::{EMPTY_CONTEXT, Server, adder, with};

#[tokio::test]
async fn hostile_manifests_are_refused_and_leave_nothing() {
    let server = Server::start().await;
    let long = "a".repeat(10_000);
    let names = [
        "", "..", "a/b", "a\\b", "a\"b", "a'b", "a\nb", "a\u{0}b", "-a", "Adder", "äd", "a b", "${HOME}",
        "{{a}}", &long,
    ];
    let versions = [
        "",
        "1",
        "1.0",
        "latest",
        "1.x",
        "1.0.0/..",
        "1.0.0\n",
        "1.0.0 ",
        "1.0.0\"",
        "99999999999999999999.0.0",
    ];
    let long_version = format!("1.0.0-{long}");
    let with_manifest = |key: &str, value: Value| with(adder("1.0.0"), &format!("/manifest/{key}"), value);
    let mut requests: Vec<(String, Value)> = Vec::new();
    requests.extend(names.map(|name| (format!("name {name:.20?}"), with_manifest("name", json!(name)))));
    requests.extend(
        versions.map(|version| (format!("version {version:?}"), with_manifest("version", json!(version)))),
    );
    let nested = (0..200).fold(json!(1), |inner, _| json!({ "a": inner }));
    for (key, value) in [
        ("version", json!(long_version)),
        ("version", json!(1.0)),
        ("owner_email", json!("nobody")),
        ("jobtype", json!("python3")),
        ("jobtype", json!(["python3:latest"])),
        ("lang", json!("python3:latest")),
        ("replicas", json!(0)),
        ("replicas", json!(-1)),
        ("replicas", json!(51)),
        ("replicas", json!(1e300)),
        ("replicas", json!(18_446_744_073_709_551_615_u64)),
        ("replicas", json!("1; rm -rf /")),
        ("git", json!("https://example.com/jobs.git")),
        ("git", json!({})),
        ("git", json!({ "remote": "x", "depth": 1 })),
        ("resources", json!({ "memory_max": "1e400" })),
        ("resources", json!({ "memory_max": "-1" })),
        ("resources", json!({ "gpu": 1 })),
        ("runtime_env", json!({ "A": { "B": 1 } })),
        ("runtime_env", json!(["A=1"])),
        ("public_endpoints", json!("/docs")),
        ("colour", json!("red")),
        ("__proto__", json!({})),
        ("labels", json!({ "a": "x".repeat(300_000) })),
        ("labels", nested),
        ("infrastructure_target", json!("../north")),
    ] {
        requests.push((format!("{key} {value:.50}"), with_manifest(key, value)));
    }
    for (what, request) in requests {
        let answer = server.post("/deploy", &request).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        answer.error(400);
    }
    assert_eq!(server.deployment_count().await, 0);
    assert_eq!(server.get("/job_family").await.ok(), json!([]));
    assert_eq!(
        server.world.journal.take(&["deploy_job", "delete_job", "job_secrets", "job_runtime"]),
        [""; 0]
    );
}

/// Places that git is not sent to, and what is said of them.
const HOSTILE_GIT: [(&str, &str, &str); 9] = [
    ("remote", "", "git.remote: the address of the repository is empty, longer than"),
    ("remote", "https://example.com/a b", "git.remote: the address of the repository is empty, longer than"),
    ("remote", "ext::sh", "git.remote: the address of the repository names a transport command"),
    ("remote", "--upload-pack=x", "git.remote: the address of the repository begins with a dash"),
    (
        "remote",
        "https://bob:hunter2@example.com/x",
        "git.remote: the address of the repository holds a password",
    ),
    ("remote", "ssh://-oProxyCommand=x/y", "git.remote: the address of the repository names no host"),
    ("branch", "--upload-pack=x", "git.branch: \"--upload-pack=x\" is not the name of a branch"),
    ("directory", "jobs/../..", "git.directory: \"jobs/../..\" is no path that stays inside the repository"),
    ("directory", "/etc", "git.directory: \"/etc\" is no path that stays inside the repository"),
];

#[tokio::test]
async fn places_that_git_is_not_sent_to_are_refused_and_not_kept() {
    let server = Server::start().await;
    for (key, value, text) in HOSTILE_GIT {
        for build_context in [Value::Null, json!(EMPTY_CONTEXT)] {
            let request = with(adder("1.0.0"), &format!("/manifest/git/{key}"), value);
            let answer = server.post("/deploy", &with(request, "/build_context", build_context)).await;
            let error = answer.error(400);
            assert!(error.contains(text) && !error.contains("hunter2"), "{error}");
        }
    }
    assert_eq!(server.deployment_count().await, 0);
    assert!(server.builder.orders().is_empty());

    server.deployed(&adder("1.0.0")).await;
    let before = server.job("1.0.0").await;
    for (key, value, text) in HOSTILE_GIT {
        let manifest = with(adder("1.0.0"), &format!("/manifest/git/{key}"), value)["manifest"].to_string();
        let answer = server.put("/job/adder/1.0.0/manifest", &json!({ "manifest_yaml": manifest })).await;
        let error = answer.error(400);
        assert!(error.contains(text) && !error.contains("hunter2"), "{error}");
    }
    assert_eq!(server.job("1.0.0").await, before);
}

#[tokio::test]
async fn hostile_texts_of_a_manifest_do_not_stand_as_yaml() {
    let server = Server::start().await;
    let mut request = adder("1.0.0");
    request["manifest"]["jobtype_extra"] = json!({ "note": "x\nname: evil\nreplicas: 50" });
    request["manifest"]["runtime_env"] = json!({ "A": "*alias", "B": "!!python/object", "C": "yes", "D": "1_000", "E": "~", "F": "\u{feff}\u{85}\u{2028}" });
    server.deployed(&request).await;
    let given = server.target("north").last_request();
    assert_eq!((given.manifest.name.as_str(), given.manifest.replicas), ("adder", 1));
    assert_eq!(json!(given.manifest.runtime_env), request["manifest"]["runtime_env"]);
    let job = server.job("1.0.0").await;
    assert_eq!(job["manifest"]["jobtype_extra"], request["manifest"]["jobtype_extra"]);
    assert_eq!(server.builder.orders()[0].body["manifest"], request["manifest"]);
}

#[tokio::test]
async fn hostile_yaml_is_refused_as_another_manifest() {
    let server = Server::start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    let yaml = record["manifest_yaml"].as_str().expect("is a text");
    let laughs = (1..=9).fold("labels:\n  l0: &l0 [lol, lol]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*l{}", level - 1); 9].join(", ");
        format!("{text}  l{level}: &l{level} [{aliases}]\n")
    });
    for (what, added) in [
        ("aliases of aliases", laughs),
        ("an alias of nothing", "labels: {a: *nothing}\n".to_owned()),
        ("an alias of itself", "labels: &a {b: *a}\n".to_owned()),
        ("deep nesting", format!("labels: {{a: {}{}}}\n", "[".repeat(50_000), "]".repeat(50_000))),
        ("a second document", "---\nname: evil\n".to_owned()),
        ("a key twice", "name: adder\n".to_owned()),
        ("a huge number", "replicas: 99999999999999999999999999\n".to_owned()),
        ("no number", "replicas: .nan\n".to_owned()),
        ("a null byte", "labels: {a: \"\u{0}\"}\n".to_owned()),
        ("a tab", "labels:\n\ta: 1\n".to_owned()),
        ("a merge key", "<<: {replicas: 2}\n".to_owned()),
        ("too much", "#".repeat(300_000)),
    ] {
        let answer = server
            .put("/job/adder/1.0.0/manifest", &json!({ "manifest_yaml": format!("{yaml}{added}") }))
            .await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        answer.error(400);
    }
    assert_eq!(server.job("1.0.0").await, record["job"]);
}

/// A list of lists of zeros, by an alias: short as a text, and its square as values.
fn square(size: usize) -> String {
    let list = |item: &str| vec![item; size].join(",");
    format!("labels: {{a: &a [{}], b: [{}]}}\n", list("0"), list("*a"))
}

#[tokio::test]
async fn yaml_that_stands_for_more_than_it_says_is_refused_with_its_place() {
    let server = Server::start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    let yaml = record["manifest_yaml"].as_str().expect("is a text");
    let line = yaml.lines().count() + 1;
    let long = "x".repeat(60_000);
    for (added, text) in [
        (
            square(16_000),
            format!("the anchor `&a` is not allowed at line {line} column 13; write the value out"),
        ),
        (
            format!("labels: {{a: [{}0]}}\n", "0,".repeat(20_000)),
            "there are more than 20000 values".to_owned(),
        ),
        (
            format!("labels: {{a: {}}}\n", "[".repeat(100_000)),
            "more than 64 sequences and mappings".to_owned(),
        ),
        ("labels: {a: {b: 1, b: 2}}\n".to_owned(), format!("duplicate key `b` at line {line} column 20")),
        ("labels: {a: {<<: {b: 1}}}\n".to_owned(), "the merge key `<<` is not supported".to_owned()),
        (
            "---\n".to_owned(),
            format!("there is more than one document: another one starts at line {line} column 1; keep one"),
        ),
    ] {
        let manifest = json!({ "manifest_yaml": format!("{yaml}{added}") });
        let error = server.put("/job/adder/1.0.0/manifest", &manifest).await.error(400);
        assert!(error.contains(&text) && error.len() < 500, "{error:?} does not say {text:?}");
    }
    let tags = format!("%TAG ! tag:{long}\n---\n{yaml}labels: [{}]\n", "!a 1,".repeat(10_000));
    let error = server.put("/job/adder/1.0.0/manifest", &json!({ "manifest_yaml": tags })).await.error(400);
    assert!(error.contains("a `%TAG` directive is not supported at line 1 column 1"), "{error}");
    assert_eq!(server.job("1.0.0").await, record["job"]);

    // What only looks like it stays a text.
    let texts = "labels:\n  a: '*a'\n  b: |\n    &a [1]\n    <<: *a\n  c: \"&x\"\n  d: R&D *\n";
    server.put("/job/adder/1.0.0/manifest", &json!({ "manifest_yaml": format!("{yaml}{texts}") })).await.ok();
    let labels = &server.job("1.0.0").await["manifest"]["labels"];
    assert_eq!(*labels, json!({ "a": "*a", "b": "&a [1]\n<<: *a\n", "c": "&x", "d": "R&D *" }));
}

#[tokio::test]
async fn a_manifest_of_an_older_lifecycle_that_is_refused_now_stays_listed() {
    let server = Server::start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    server.deployed(&adder("1.0.1")).await;
    let yaml = format!("{}{}", record["manifest_yaml"].as_str().expect("is a text"), square(3000));
    let kept = Some(yaml.clone());
    server
        .app
        .store
        .update_job("adder", "1.0.0", |record| record.job.manifest_yaml = kept)
        .await
        .expect("is there");

    let list = server.get("/job").await;
    assert!(list.text().len() < 40_000, "the list is {} bytes", list.text().len());
    let list = list.ok();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    let job = server.job("1.0.0").await;
    assert_eq!((&job["manifest"], &job["manifest_yaml"]), (&Value::Null, &json!(yaml)));
    assert_eq!(server.get("/job/portfolio").await.ok().as_array().map(Vec::len), Some(2));
    for path in ["redeploy", "reprovision"] {
        let error = server.post(&format!("/job/adder/1.0.0/{path}"), &json!({})).await.error(400);
        assert!(
            error.contains(
                "validating manifest: cannot read the job manifest: there are more than 20000 values"
            ),
            "{error}"
        );
    }
    let sound = json!({ "manifest_yaml": record["manifest_yaml"] });
    server.put("/job/adder/1.0.0/manifest", &sound).await.ok();
    server.post("/job/adder/1.0.0/redeploy", &json!({})).await.ok();
}

/// Whoever keeps such a job did nothing wrong: only what is sent now has to do without.
#[tokio::test]
async fn a_manifest_with_an_anchor_that_an_older_lifecycle_has_taken_is_used() {
    let server = Server::start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    let yaml = format!("{}{}", record["manifest_yaml"].as_str().expect("is a text"), square(3));
    let kept = Some(yaml.clone());
    let update =
        server.app.store.update_job("adder", "1.0.0", |record| record.job.manifest_yaml = kept).await;
    update.expect("is there");
    let labels = json!({ "a": [0, 0, 0], "b": [[0, 0, 0], [0, 0, 0], [0, 0, 0]] });
    assert_eq!(server.job("1.0.0").await["manifest"]["labels"], labels);
    for path in ["redeploy", "reprovision"] {
        server.post(&format!("/job/adder/1.0.0/{path}"), &json!({})).await.ok();
        assert_eq!(server.job("1.0.0").await["manifest_yaml"], yaml);
    }
    let orders = server.builder.orders();
    assert_eq!(orders.last().expect("was built").body["manifest"]["labels"], labels);
    let sent = json!({ "manifest_yaml": yaml });
    let error = server.put("/job/adder/1.0.0/manifest", &sent).await.error(400);
    assert!(error.contains("the anchor `&a` is not allowed"), "{error}");
}

#[tokio::test]
async fn only_the_source_of_a_job_is_large() {
    let server = Server::start().await;
    let many: serde_json::Map<_, _> =
        (0..100_000).map(|number| (format!("{number:08}"), json!(""))).collect();
    for (pointer, value, text) in [
        ("/manifest/labels", json!({ "a": vec![0; 1_000_000] }), "more than 50000 values"),
        (
            "/manifest/labels",
            json!({ "a": "x".repeat(2 << 20) }),
            "more than 1048576 bytes beside `build_context`",
        ),
        ("/secret_vars", json!({ "runtime_env": many }), "more than"),
        ("/build_flags", json!(vec![""; 500_000]), "more than 50000 values"),
    ] {
        let error = server.post("/deploy", &with(adder("1.0.0"), pointer, value)).await.error(400);
        assert!(error.contains(text), "{error}");
    }
    let nested = (0..60).fold(json!(vec![0; 20_000]), |inner, _| json!([inner]));
    let error = server
        .post("/deploy", &with(adder("1.0.0"), "/manifest/labels", json!({ "a": nested })))
        .await
        .error(400);
    assert!(error.contains("the job manifest is larger than 122880 bytes"), "{error}");
    assert_eq!(server.deployment_count().await, 0);
}
