//! While lifecycle runs.

use std::sync::atomic::Ordering;

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{BEGUN, BUSIEST, GO_ON, Running, Sandbox};

/// Everything that a configuration decides, as the API tells it.
async fn told(running: &Running) -> Vec<Value> {
    let mut told = Vec::new();
    for path in [
        "/plugin",
        "/plugin/tree",
        "/plugin/job_type/versions",
        "/plugin/infrastructure_targets",
        "/plugin/greeter/docs",
        "/plugin/greeter/1.0.0/config",
        "/plugin/other/docs",
        "/plugin/other/1.0.0/config",
        "/plugin/twin/docs",
    ] {
        told.push(running.get(path).await);
    }
    told
}

#[tokio::test]
async fn a_good_configuration_is_in_force_at_once() {
    let sandbox = Sandbox::new(&[
        ("greeter", "{greeting: hello, targets: [docker]}"),
        ("other", "targets: [elsewhere]"),
    ]);
    let running = sandbox.start().await.expect("starts");
    let plugins = running.get("/plugin").await;
    assert_eq!(running.greeting("greeter").await, "hello");

    let text = "greeting: good day # a comment\njob_types: ['python3:1.0.0']\ntargets: [docker, remote]\n";
    running.configure("greeter", text).await;
    assert_eq!(running.greeting("greeter").await, "good day");
    assert_eq!(running.config("greeter").await, text);
    assert_eq!(running.get("/plugin/job_type/versions").await, json!(["python3:1.0.0"]));
    let targets = running.get("/plugin/infrastructure_targets").await;
    assert_eq!(targets, json!({ "docker": plugins[0], "elsewhere": plugins[1], "remote": plugins[0] }));
    assert_eq!(running.get("/plugin").await, plugins, "in the same order");

    running.configure("greeter", "greeting: hi").await;
    assert_eq!(running.get("/plugin/job_type/versions").await, json!([]));
    let targets = running.get("/plugin/infrastructure_targets").await;
    assert_eq!(targets, json!({ "elsewhere": plugins[1] }), "the others offer what they did");
}

#[tokio::test]
async fn a_bad_configuration_changes_nothing() {
    let sandbox = Sandbox::new(&[
        ("greeter", "{greeting: hello, job_types: ['a:1.0.0']}"),
        ("other", "{job_types: ['b:1.0.0'], targets: [docker]}"),
    ]);
    let running = sandbox.start().await.expect("starts");
    let before = told(&running).await;
    let too_long = format!("greeting: {}", "a".repeat(1 << 20));
    let square = format!("a: &a [{}0]\nb: [{}*a]\n", "0,".repeat(16_000), "*a,".repeat(16_000));
    let cannot_construct = "cannot construct plugin `greeter` 1.0.0: ";
    let refused = "what plugins would offer with this configuration of `greeter` is refused: ";
    for (text, reasons) in [
        ("greeting: [", ["the configuration of plugin `greeter` is not YAML: ", "at line 2 column 1"]),
        ("{greeting: a, greeting: b}", ["the configuration of plugin `greeter` is not YAML: ", "duplicate"]),
        (
            "a: 1\n---\nb: 2",
            ["the configuration of plugin `greeter` is not YAML: ", "more than one document"],
        ),
        (
            &square,
            [
                "the configuration of plugin `greeter` is not YAML: ",
                "more than 100000 values at line 2 column",
            ],
        ),
        ("just a text", [cannot_construct, "wrong configuration of plugin `greeter` 1.0.0 at `.`"]),
        ("greting: hi", [cannot_construct, "unknown field `greting`"]),
        ("targets: [docker, {}]", [cannot_construct, "at `targets[1]`: invalid type: map"]),
        ("greeting: Voldemort", [cannot_construct, "that name is not to be said"]),
        (
            "fails: no Dockerfile",
            [refused, "hook `job_types` of plugin `greeter` 1.0.0 failed: no Dockerfile"],
        ),
        (
            "job_types: ['b:1.0.0']",
            [refused, "`greeter` 1.0.0 and `other` 1.0.0 both offer job type `b:1.0.0`"],
        ),
        ("targets: [docker]", [refused, "both offer infrastructure target `docker`"]),
        (&too_long, ["the configuration of plugin `greeter` is longer than ", "1048576 bytes"]),
    ] {
        let text = running.refusal("greeter", text).await;
        let [begin, rest] = reasons;
        assert!(text.starts_with(begin) && text.contains(rest), "{text}");
        assert_eq!(told(&running).await, before, "after: {text}");
    }
    assert!(!sandbox.file("greeter").exists());

    running.configure("greeter", "greeting: hi").await;
    running.refusal("greeter", "greeting: Voldemort").await;
    assert_eq!(running.config("greeter").await, "greeting: hi", "what was written before stays");
}

#[tokio::test]
async fn a_configuration_is_for_every_version_of_a_plugin() {
    let sandbox = Sandbox::new(&[]);
    let running = sandbox.start().await.expect("starts");
    let text = running.refusal("twin", "job_types: ['a:1.0.0']").await;
    assert!(text.contains("plugins `twin` 1.0.0 and `twin` 0.9.0 both offer job type `a:1.0.0`"), "{text}");
    running.configure("twin", "greeting: both").await;
    assert_eq!(running.get("/plugin/twin/0.9.0/config").await, "greeting: both");
}

#[tokio::test]
async fn only_plugins_that_are_there_are_configured() {
    let sandbox = Sandbox::new(&[]);
    let running = sandbox.start().await.expect("starts");
    for (plugin, text) in [
        ("greeter/2.0.0", "plugin named \"greeter\" 2.0.0 was not found"),
        ("nobody/1.0.0", "plugin named \"nobody\" 1.0.0 was not found"),
        ("..%2Fgreeter/1.0.0", "plugin named \"../greeter\" 1.0.0 was not found"),
    ] {
        let path = format!("/plugin/{plugin}/config");
        let not_found = (404, json!({ "error": text, "type": "EntityNotFound" }));
        assert_eq!(running.call(Method::GET, &path, String::new()).await, not_found);
        assert_eq!(running.call(Method::PUT, &path, r#"{"config_data": ""}"#.to_owned()).await, not_found);
    }
    let path = "/plugin/greeter/1.0.0/config";
    for body in ["", "greeting: hi", "{}", r#"{"config_data": {"greeting": "hi"}}"#] {
        let (status, answer) = running.call(Method::PUT, path, body.to_owned()).await;
        assert_eq!((status, &answer["type"]), (400, &json!("ValueError")), "{body}");
    }
}

#[tokio::test]
async fn configurations_are_for_administrators() {
    let sandbox = Sandbox::new(&[("greeter", "greeting: hunter2")]);
    let running = sandbox.start_with(true).await.expect("starts");
    for (method, body) in [(Method::GET, ""), (Method::PUT, r#"{"config_data": "greeting: hi"}"#)] {
        let (status, answer) = running.call(method, "/plugin/greeter/1.0.0/config", body.to_owned()).await;
        assert_eq!((status, &answer["type"]), (401, &json!("UnauthorizedError")), "{answer}");
    }
    let routes = racetrack_lifecycle::router::route_list(&running.app);
    let of_configs = routes.iter().filter(|route| route.path.ends_with("/config"));
    let accesses: Vec<_> = of_configs.map(|route| route.access).collect();
    assert_eq!(accesses, [racetrack_lifecycle::auth::Access::Staff; 2]);
    assert!(!sandbox.file("greeter").exists());
    let running = sandbox.start().await.expect("starts");
    assert_eq!(running.greeting("greeter").await, "hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_configuration_is_written_at_a_time() {
    let sandbox = Sandbox::new(&[]);
    let running = sandbox.start().await.expect("starts");
    let texts: Vec<_> =
        (0..8).map(|number| format!("{{greeting: number {number}, is_busy: true}}")).collect();
    let writes = texts.iter().map(|text| {
        let (running, text) = (running.clone(), text.clone());
        tokio::spawn(async move { running.configure("greeter", &text).await })
    });
    for write in join_all(writes.collect::<Vec<_>>()).await {
        write.expect("is good");
    }
    assert_eq!(BUSIEST.load(Ordering::SeqCst), 1);
    let last = running.config("greeter").await;
    assert!(texts.iter().any(|text| last == text.as_str()), "{last}");
    let greeting = running.greeting("greeter").await;
    assert!(last.as_str().expect("is a text").contains(greeting.as_str().expect("is a text")));
    let again = sandbox.start().await.expect("starts");
    assert_eq!((again.config("greeter").await, again.greeting("greeter").await), (last, greeting));
}

#[tokio::test]
async fn what_is_being_written_is_written_when_its_caller_goes_away() {
    let sandbox = Sandbox::new(&[]);
    let running = sandbox.start().await.expect("starts");
    let caller = running.clone();
    let write =
        tokio::spawn(async move { caller.configure("greeter", "{greeting: late, waits: true}").await });
    BEGUN.acquire().await.expect("is open").forget();
    write.abort();
    assert!(write.await.expect_err("is gone").is_cancelled());
    assert_eq!(running.greeting("greeter").await, "");

    GO_ON.add_permits(1);
    // Waits for its turn.
    running.configure("other", "greeting: next").await;
    assert_eq!(running.greeting("greeter").await, "late");
    assert_eq!(running.config("greeter").await, "{greeting: late, waits: true}");
}
