//! A lifecycle in this process, and requests to it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, request};
use racetrack_lifecycle::auth::Claims;
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_lifecycle::{App, Lifecycle, router, startup};
use racetrack_service::config;
use racetrack_service::health::Readiness;
use racetrack_service::metrics::Metrics;
use racetrack_service::settings::Span;
use racetrack_service::{Component, HookRuntime, Identity, Service};
use racetrack_store::{DatabaseUrl, PasswordHash, Permission, Subject, User};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::answer::Answer;
use super::fake_image_builder::FakeImageBuilder;
use super::fake_plugins::{World, plan};
use super::fake_target::FakeTarget;

/// What tokens are signed with.
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What lifecycle and image-builder show each other.
pub(crate) const COMPONENT_TOKEN: &str = "between-components";

/// A build context without a file: two empty blocks of tar, compressed by gzip, in base64.
pub(crate) const EMPTY_CONTEXT: &str = "H4sIAAAAAAAC/2NgGAWjYBSMVAAALq+17wAEAAA=";

/// A time limit for what hangs, long enough for everything else on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(3);

/// How long a test waits before it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What a lifecycle is started with.
pub(crate) struct Setup {
    pub(crate) world: Arc<World>,
    pub(crate) settings: LifecycleSettings,
    pub(crate) hook_time_limit: Option<Duration>,
    /// Where the database is, if it is not in memory.
    pub(crate) folder: Option<Arc<TempDir>>,
}

/// A lifecycle, with the fakes around it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) app: App,
    router: Router,
    pub(crate) world: Arc<World>,
    pub(crate) builder: FakeImageBuilder,
    /// A token of the administrator; empty when nobody is asked.
    pub(crate) admin: String,
    _folder: Option<Arc<TempDir>>,
}

impl Setup {
    /// Targets of these names, and the job type `python3:1.0.0`.
    pub(crate) fn new(targets: &[&'static str]) -> Self {
        Self::with_job_types(targets, &["python3:1.0.0"])
    }

    pub(crate) fn with_job_types(targets: &[&'static str], job_types: &[&'static str]) -> Self {
        let hour = || Some(Span(Duration::from_hours(1)));
        let settings = LifecycleSettings {
            state_folder: Some(std::env::temp_dir()),
            database_url: Some(DatabaseUrl::memory()),
            auth_key: Some(KEY.parse().expect("long enough")),
            admin_password: Some("correct-horse".parse().expect("is a password")),
            component_auth_token: Some(COMPONENT_TOKEN.parse().expect("is a token")),
            external_pub_url: Some("https://example.com/pub".parse().expect("is an address")),
            internal_pub_url: Some("http://lifecycle/pub".parse().expect("is an address")),
            monitor_interval: hour(),
            reconciliation_interval: hour(),
            retention_interval: hour(),
            ..LifecycleSettings::default()
        };
        Self { world: World::new(targets, job_types), settings, hook_time_limit: None, folder: None }
    }

    pub(crate) async fn start(self) -> Server {
        let builder = FakeImageBuilder::start().await;
        let Self { world, mut settings, hook_time_limit, folder } = self;
        let url = format!("http://{}", builder.address).parse().expect("is an address");
        settings.image_builder_url.get_or_insert(url);
        let config = config::load::<LifecycleSettings>(None, Default::default(), Lifecycle::HTTP_ADDRESS);
        let mut config = config.expect("defaults").service;
        config.plugins = world.configs();
        config.hook_time_limit = hook_time_limit.unwrap_or(config.hook_time_limit);
        let (plan, linked) = plan();
        let service = Service {
            identity: Identity {
                component: plan.component,
                version: "0.1.0",
                git_version: config.git_version.clone(),
                docker_tag: config.docker_tag.clone(),
            },
            hooks: HookRuntime::start(plan, linked, &config).expect("as planned"),
            readiness: Readiness::default(),
            http_address: ([127, 0, 0, 1], 0).into(),
            metrics: Metrics::install(),
        };
        let app =
            startup::open(service, settings.with_defaults(Lifecycle::HTTP_ADDRESS)).await.expect("opens");
        let router = router(app.clone());
        let mut server = Server { app, router, world, builder, admin: String::new(), _folder: folder };
        if server.app.store.user("admin").await.is_ok() {
            server.admin = server.token_of(&Subject::user("admin")).await;
        }
        server
    }
}

impl Server {
    /// A lifecycle with one target, `north`.
    pub(crate) async fn start() -> Self {
        Setup::new(&["north"]).start().await
    }

    pub(crate) fn target(&self, name: &str) -> &FakeTarget {
        self.world.target(name)
    }

    /// Asks for a path below `/api/v1`.
    pub(crate) async fn send(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        self.answer(request.header("X-Racetrack-Auth", token), body).await
    }

    async fn answer(&self, request: request::Builder, body: impl Into<Body>) -> Answer {
        let request = request.body(body.into()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("answers");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Asks for the health, without a token, until the status is this one; what was answered with it.
    pub(crate) async fn until_health(&self, status: u16) -> Value {
        let mut last = Value::Null;
        let asking = async {
            loop {
                let answer = self.answer(Request::get("/health"), "").await;
                last = answer.json();
                if answer.status == status {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, asking).await;
        assert!(in_time.is_ok(), "the health never has status {status}; it was {last:#}");
        last
    }

    /// What the administrator is answered.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&self.admin, Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&self.admin, Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(&self.admin, Method::PUT, path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(&self.admin, Method::DELETE, path, "").await
    }

    /// Begins a deployment; its id.
    #[track_caller]
    pub(crate) fn deploy(&self, request: &Value) -> impl Future<Output = String> {
        let answer = self.post("/deploy", request);
        async move { answer.await.ok()["id"].as_str().expect("is a text").to_owned() }
    }

    /// The record of a deployment that is over.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        self.until(&format!("/deploy/{id}"), |record| record["status"] != "in_progress").await
    }

    /// Deploys, and waits until the job is up; its record.
    pub(crate) async fn deployed(&self, request: &Value) -> Value {
        let record = self.ended(&self.deploy(request).await).await;
        assert_eq!(record["status"], "done", "{record}");
        record
    }

    /// Deploys, and waits until that has failed; its record.
    pub(crate) async fn failed(&self, request: &Value) -> Value {
        let record = self.ended(&self.deploy(request).await).await;
        assert_eq!(record["status"], "failed", "{record}");
        record
    }

    /// Asks for a path until the answer is as it should be.
    pub(crate) async fn until(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let asking = async {
            loop {
                last = self.get(path).await.json();
                if is_wanted(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, asking).await;
        assert!(in_time.is_ok(), "{path} still answers {last}");
        last
    }

    pub(crate) async fn job(&self, version: &str) -> Value {
        self.get(&format!("/job/adder/{version}")).await.ok()
    }

    /// The jobs there are, as `adder 1.0.0 running`.
    pub(crate) async fn jobs(&self) -> Vec<String> {
        let jobs = self.get("/job").await.ok();
        let text = |job: &Value, key: &str| job[key].as_str().expect("is a text").to_owned();
        let shown = |job: &Value| ["name", "version", "status"].map(|key| text(job, key)).join(" ");
        jobs.as_array().expect("is a list").iter().map(shown).collect()
    }

    /// The audit trail, oldest first.
    pub(crate) async fn audit(&self) -> Vec<Value> {
        let events = self.get("/audit/events").await.ok();
        events.as_array().expect("is a list").iter().rev().cloned().collect()
    }

    /// The kinds of the events in the audit trail, oldest first.
    pub(crate) async fn audit_types(&self) -> Vec<String> {
        let events = self.audit().await;
        events.iter().map(|event| event["event_type"].as_str().expect("is a text").to_owned()).collect()
    }

    /// How many deployments were ever begun.
    pub(crate) async fn deployment_count(&self) -> usize {
        self.get("/deploy").await.ok().as_array().expect("is a list").len()
    }

    /// A token of a new user who is let in.
    pub(crate) async fn user(&self, username: &str, permissions: &[Permission]) -> String {
        let user = User { is_active: true, ..User::new(username, PasswordHash::new("none"), 0) };
        self.app.store.create_user(&user, permissions).await.expect("is made");
        self.token_of(&Subject::user(username)).await
    }

    /// A token of a subject that is good.
    pub(crate) async fn token_of(&self, subject: &Subject) -> String {
        let seed = self.app.store.token_for(subject).await.expect("is made").seed;
        let Subject { kind, name } = subject.clone();
        let claims = Claims { seed, subject: name, subject_type: kind, scopes: None, expiry_time: None };
        claims.sign(&KEY.parse().expect("long enough"))
    }
}

/// A request to deploy the job `adder` of this version.
pub(crate) fn adder(version: &str) -> Value {
    json!({ "manifest": manifest("adder", version) })
}

pub(crate) fn manifest(name: &str, version: &str) -> Value {
    json!({
        "name": name,
        "version": version,
        "owner_email": "nobody@example.com",
        "jobtype": "python3:latest",
        "git": { "remote": "https://example.com/jobs.git" },
    })
}

/// The request with another value at a pointer such as `/manifest/replicas`.
pub(crate) fn with(mut request: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("is a pointer");
    request.pointer_mut(parent).expect("is there")[key] = value.into();
    request
}

/// The same request, made although the version is there.
pub(crate) fn forced(request: Value) -> Value {
    with(request, "/force", true)
}
