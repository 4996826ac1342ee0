//! Plugins, and what lifecycle tells of itself.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use racetrack_core::error::chain;
use racetrack_core::hook::HookSet;
use racetrack_core::plan::PlannedPlugin;
use racetrack_core::registration::Registration;
use racetrack_core::{
    Hook, HookResult, ImageDefinition, InfrastructureTarget, InfrastructureTargets, Job, JobStatus, JobType,
    JobTypes, Plugin, PluginContext, Refusal, RunAction, async_trait,
};
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_lifecycle::startup::StartupError;
use racetrack_lifecycle::{App, Lifecycle, router};
use racetrack_service::Component;
use racetrack_store::{DatabaseUrl, Permission, Scope};
use serde_json::{Value, json};

use crate::harness::{JOBS, Server, config, open, send, service, settings};

/// Offers what its name says, in its version.
struct Offering(PluginContext);

#[async_trait]
impl Plugin for Offering {
    async fn infrastructure_targets(&self) -> HookResult<InfrastructureTargets> {
        Ok(match self.name() {
            "docker" => targets(&["docker", "docker-remote"]),
            "clashing" => targets(&["docker"]),
            _ => InfrastructureTargets::new(),
        })
    }

    async fn job_types(&self) -> HookResult<JobTypes> {
        Ok(match self.name() {
            "python3" => {
                let name = format!("python3:{}", self.0.manifest().version);
                JobTypes::from([(name, JobType::from(ImageDefinition::from_job_type("Dockerfile")))])
            }
            "broken" => return Err("no Dockerfile".into()),
            _ => JobTypes::new(),
        })
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(format!("# {} {}", self.name(), self.0.manifest().version)))
    }

    async fn run_action(&self, event: RunAction<'_>) -> HookResult<Value> {
        assert!(!event.parameters.contains_key("panic"), "as asked");
        match event.parameters.get("refuse").and_then(Value::as_str) {
            Some("invalid") => return Err(Refusal::invalid("not like this").into()),
            Some("missing") => return Err(Refusal::not_found("not like this").into()),
            Some("conflict") => return Err(Refusal::conflict("not like this").into()),
            _ => {}
        }
        Ok(json!({ "by": self.name(), "with": event.parameters }))
    }
}

/// Implements no hook at all.
struct Idle;

impl Plugin for Idle {}

impl Offering {
    fn name(&self) -> &str {
        self.0.manifest().name.as_str()
    }
}

fn targets(names: &[&str]) -> InfrastructureTargets {
    names.iter().map(|name| ((*name).to_owned(), InfrastructureTarget::default())).collect()
}

const ROW: PlannedPlugin = PlannedPlugin {
    name: "docker",
    version: "1.5.0",
    priority: -1,
    position: 3,
    category: Some("infrastructure"),
    url: Some("https://example.com"),
    build_date: None,
    components: &["lifecycle"],
    digest: "0",
    resources: &[],
};

const fn row(name: &'static str, version: &'static str, position: usize) -> PlannedPlugin {
    PlannedPlugin { name, version, priority: 0, position, category: None, url: None, components: &[], ..ROW }
}

/// What the API tells of a plugin made by [`row`].
fn manifest(name: &str, version: &str) -> Value {
    json!({
        "name": name, "version": version, "build_date": null, "url": null, "priority": 0, "category": null,
        "components": [],
    })
}

fn docker_manifest() -> Value {
    json!({
        "name": "docker", "version": "1.5.0", "build_date": null, "url": "https://example.com", "priority": -1,
        "category": "infrastructure", "components": ["lifecycle"],
    })
}

fn registrations(rows: &[PlannedPlugin]) -> Vec<Registration> {
    let hooks = HookSet::EMPTY.with(Hook::InfrastructureTargets).with(Hook::JobTypes);
    let hooks = hooks.with(Hook::MarkdownDocs).with(Hook::RunAction);
    let registration = |row: &PlannedPlugin| Registration {
        name: row.name,
        version: row.version,
        type_name: "Offering",
        hooks: if row.name == "idle" { HookSet::EMPTY } else { hooks },
        construct: |context| {
            Ok(match context.manifest().name.as_str() {
                "idle" => Box::new(Idle),
                _ => Box::new(Offering(context)),
            })
        },
    };
    rows.iter().map(registration).collect()
}

/// A lifecycle with these plugins that asks nobody who they are.
async fn opened(rows: Vec<PlannedPlugin>) -> Result<App, StartupError> {
    let settings = LifecycleSettings { auth_required: Some(false), ..settings() };
    let registrations = registrations(&rows);
    open(service(rows, registrations), settings).await
}

async fn app() -> Router {
    let rows = vec![ROW, row("python3", "2.10.0", 0), row("python3", "2.9.0", 1), row("idle", "1.0.0", 2)];
    router(opened(rows).await.expect("nothing clashes"))
}

async fn call(app: &Router, method: Method, path: &str, body: &str) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned()));
    let answer = send(app, request.expect("a request")).await;
    assert_eq!(answer.headers["content-type"], "application/json", "{path}");
    (answer.status, answer.json())
}

async fn get(app: &Router, path: &str) -> (u16, Value) {
    call(app, Method::GET, path, "").await
}

fn failed(status: u16, class: &str, text: &str) -> (u16, Value) {
    (status, json!({ "error": text, "type": class }))
}

#[tokio::test]
async fn every_path_is_also_served_below_lifecycle() {
    let app = app().await;
    for path in ["/live", "/health", "/api/v1/plugin", "/api/v1/plugin/tree", "/api/v1/plugin/docker/docs"] {
        let answer = get(&app, path).await;
        assert_eq!(answer.0, 200, "{path}");
        assert_eq!(get(&app, &format!("/lifecycle{path}")).await, answer);
    }
    assert_eq!(get(&app, "/lifecycle/nope").await.0, 404);
    assert_eq!(get(&app, "/plugin").await.0, 404);
}

#[tokio::test]
async fn health_tells_who_this_is() {
    let app = app().await;
    assert_eq!(get(&app, "/live").await, (200, json!({ "service": "lifecycle", "live": true })));
    let health = json!({
        "service": "lifecycle", "live": true, "database_connected": true, "git_version": "dev", "docker_tag": "", "auth_required": false,
    });
    assert_eq!(get(&app, "/health").await, (200, health));
    // The server makes it ready.
    let reason = "lifecycle is starting, or about to stop";
    let not_ready = json!({ "service": "lifecycle", "ready": false, "reason": reason });
    assert_eq!(get(&app, "/ready").await, (503, not_ready));
}

#[tokio::test]
async fn health_says_why_writes_fail() {
    let app = opened(vec![ROW]).await.expect("opens");
    app.store.close().await;
    let (status, health) = get(&router(app), "/health").await;
    assert_eq!((status, &health["database_connected"]), (500, &json!(false)));
    let reason = health["error"].as_str().expect("a reason");
    assert!(reason.starts_with("cannot write in the database: "), "{reason}");
}

#[tokio::test]
async fn a_second_lifecycle_on_one_database_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let database_url = DatabaseUrl::file(&folder.path().join("lifecycle.sqlite"));
    let open_one = || {
        let settings = LifecycleSettings { database_url: Some(database_url.clone()), ..settings() };
        open(service(Vec::new(), Vec::new()), settings)
    };
    let _first = open_one().await.expect("opens");
    let refusal = chain(&open_one().await.expect_err("is in use"));
    let holder = format!("process {}, listening on ", std::process::id());
    assert!(refusal.contains("is in use by lifecycle on ") && refusal.contains(&holder), "{refusal}");
}

#[tokio::test]
async fn plugins_are_listed_in_hook_order() {
    let manifests = json!([
        docker_manifest(),
        manifest("python3", "2.10.0"),
        manifest("python3", "2.9.0"),
        manifest("idle", "1.0.0"),
    ]);
    assert_eq!(get(&app().await, "/api/v1/plugin").await, (200, manifests));
}

#[tokio::test]
async fn what_plugins_offer_is_listed() {
    let app = app().await;
    let versions = json!(["python3:2.10.0", "python3:2.9.0"]);
    assert_eq!(get(&app, "/api/v1/plugin/job_type/versions").await, (200, versions));
    let targets = json!({ "docker": docker_manifest(), "docker-remote": docker_manifest() });
    assert_eq!(get(&app, "/api/v1/plugin/infrastructure_targets").await, (200, targets));
}

#[tokio::test]
async fn the_tree_is_sorted_by_name_and_version() {
    let app = app().await;
    let (_, manifests) = get(&app, "/api/v1/plugin").await;
    let offer = |name: &str| json!({ "name": name, "active_jobs": 0 });
    let tree = json!({
        "plugins": manifests,
        "job_type_plugins_data": [
            { "name": "python3", "version": "2.9.0", "job_types": [offer("python3:2.9.0")] },
            { "name": "python3", "version": "2.10.0", "job_types": [offer("python3:2.10.0")] },
        ],
        "infrastructure_plugins_data": [
            { "name": "docker", "version": "1.5.0", "infrastructures": [offer("docker"), offer("docker-remote")] },
        ],
    });
    assert_eq!(get(&app, "/api/v1/plugin/tree").await, (200, tree));
}

#[tokio::test]
async fn the_tree_counts_what_the_caller_may_read() {
    let rows = vec![row("python3", "2.9.0", 0)];
    let app = open(service(rows.clone(), registrations(&rows)), settings()).await.expect("opens");
    let server = Server { router: router(app.clone()), app };
    for (name, version) in JOBS {
        let mut job = Job::new(name, version, JobStatus::Running, 0);
        job.job_type_version = Some("python3:2.9.0".to_owned());
        server.app.store.save_job(&job, &[]).await.expect("is saved");
    }
    let permission = Permission::for_family(Scope::ReadJob, "adder");
    for (token, count) in [
        (server.user("nobody", &[]).await, 0),
        (server.user("reader", &[permission]).await, 2),
        (server.admin().await, 3),
    ] {
        let tree = server.get(&token, "/plugin/tree").await.ok();
        let offer = json!([{ "name": "python3:2.9.0", "active_jobs": count }]);
        assert_eq!(tree["job_type_plugins_data"][0]["job_types"], offer);
    }
}

#[tokio::test]
async fn documentation_is_that_of_the_highest_version() {
    let app = app().await;
    assert_eq!(get(&app, "/api/v1/plugin/python3/docs").await, (200, json!("# python3 2.10.0")));
    assert_eq!(get(&app, "/api/v1/plugin/idle/docs").await, (200, Value::Null));
    assert_eq!(
        get(&app, "/api/v1/plugin/X/docs").await,
        failed(404, "EntityNotFound", "plugin named \"X\" was not found")
    );
}

#[tokio::test]
async fn an_action_is_run_with_the_parameters_of_query_and_body() {
    let app = app().await;
    let run = |path: &'static str, body: &'static str| call(&app, Method::POST, path, body);
    let with = |parameters: Value| (200, json!({ "by": "docker", "with": parameters }));
    assert_eq!(run("/api/v1/plugin/docker/run", "").await, with(json!({})));
    assert_eq!(
        run("/api/v1/plugin/docker/run?a=1&b=2&a=3", "{\"b\": {\"c\": null}}").await,
        with(json!({ "a": "3", "b": { "c": null } }))
    );
    assert_eq!(
        run("/api/v1/plugin/docker/run", "[]").await,
        failed(400, "ValueError", "the body is not a JSON object")
    );
    assert_eq!(
        run("/api/v1/plugin/nope/run", "").await,
        failed(404, "EntityNotFound", "plugin named \"nope\" was not found")
    );
}

#[tokio::test]
async fn a_failing_action_tells_whoever_asked_for_it() {
    let app = app().await;
    let run = |path: &'static str| call(&app, Method::POST, path, "");
    assert_eq!(
        run("/api/v1/plugin/docker/run?panic=1").await,
        failed(
            500,
            "HookFailure",
            "hook `run_action` of plugin `docker` 1.5.0 failed: it panicked: as asked"
        )
    );
    assert_eq!(
        run("/api/v1/plugin/idle/run").await,
        failed(404, "EntityNotFound", "this plugin has no action to run")
    );
}

#[tokio::test]
async fn a_refusal_of_an_action_is_the_callers_mistake_and_no_failure_of_the_plugin() {
    let app = app().await;
    for (kind, status, class) in [
        ("invalid", 400, "ValueError"),
        ("missing", 404, "EntityNotFound"),
        ("conflict", 409, "AlreadyExists"),
    ] {
        let path = format!("/api/v1/plugin/docker/run?refuse={kind}");
        assert_eq!(call(&app, Method::POST, &path, "").await, failed(status, class, "not like this"));
    }
    let request = Request::get("/metrics").body(Body::empty()).expect("a request");
    let text = String::from_utf8(send(&app, request).await.body.to_vec()).expect("is text");
    assert!(!text.contains("cause=\"refused\""), "{text}");
}

#[tokio::test]
async fn plugins_cannot_be_changed_at_run_time() {
    let app = app().await;
    let changes = [
        (Method::POST, "/api/v1/plugin/upload"),
        (Method::POST, "/lifecycle/api/v1/plugin/upload/docker-1.6.0.zip?replace=1"),
        (Method::DELETE, "/api/v1/plugin/docker/1.5.0"),
        (Method::DELETE, "/api/v1/plugin/all"),
    ];
    for (method, path) in changes {
        let (status, envelope) = call(&app, method, path, "PK").await;
        assert_eq!((status, envelope["type"].as_str()), (409, Some("AlreadyExists")), "{path}");
        let text = envelope["error"].as_str().expect("is a text");
        assert!(text.contains("racetrack.toml") && text.contains("`cargo xtask build`"), "{text}");
    }
}

#[tokio::test]
async fn calls_and_failures_are_counted() {
    let app = app().await;
    call(&app, Method::POST, "/api/v1/plugin/docker/run?panic=1", "").await;
    let request = Request::get("/metrics").body(Body::empty()).expect("a request");
    let answer = send(&app, request).await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.body.to_vec()).expect("is text");
    for line in [
        "racetrack_hook_failures_total{hook=\"run_action\",plugin=\"docker\",version=\"1.5.0\",cause=\"panic\"}",
        "racetrack_hook_duration_seconds_bucket{hook=\"job_types\",plugin=\"python3\",version=\"2.9.0\",le=\"30\"}",
        "racetrack_http_requests_total{method=\"POST\",route=\"/api/v1/plugin/{name}/run\",status=\"500\"}",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn plugins_that_clash_or_fail_keep_lifecycle_from_starting() {
    let clash = opened(vec![ROW, row("clashing", "1.0.0", 0)]).await;
    let text = clash.expect_err("a clash").to_string();
    assert!(
        text.starts_with(
            "plugins `docker` 1.5.0 and `clashing` 1.0.0 both offer infrastructure target `docker`"
        ),
        "{text}"
    );
    let failure = opened(vec![row("broken", "1.0.0", 0)]).await.expect_err("fails");
    assert_eq!(failure.to_string(), "hook `job_types` of plugin `broken` 1.0.0 failed");
    assert_eq!(failure.source().map(ToString::to_string).as_deref(), Some("no Dockerfile"));
}

#[test]
fn lifecycle_that_asks_nobody_is_for_its_own_machine() {
    let check = |address: &str, auth_required: Option<bool>| {
        let mut config = config();
        config.service.http_address = address.parse().expect("an address");
        config.component.auth_required = auth_required;
        Lifecycle::check(&config).map_err(|error| error.to_string())
    };
    for (address, auth_required) in [
        ("127.0.0.1:7202", Some(false)),
        ("127.8.9.1:0", Some(false)),
        ("[::1]:7202", Some(false)),
        ("[::ffff:127.0.0.1]:7202", Some(false)),
        ("0.0.0.0:7202", None),
        ("192.0.2.1:80", Some(true)),
    ] {
        assert_eq!(check(address, auth_required), Ok(()), "{address}");
    }
    for address in ["0.0.0.0:7202", "[::]:7202", "192.0.2.1:80"] {
        let text = check(address, Some(false)).expect_err(address);
        assert!(text.starts_with(&format!("refusing to listen on {address}: ")), "{text}");
        assert!(text.contains("auth-required"), "{text}");
    }
    assert_eq!(Lifecycle::HTTP_ADDRESS, SocketAddr::from((Ipv4Addr::LOCALHOST, 7202)));
}
