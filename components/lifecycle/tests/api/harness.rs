//! A lifecycle in this process, and requests to it.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{Job, JobStatus};
use racetrack_lifecycle::auth::Claims;
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_lifecycle::startup::StartupError;
use racetrack_lifecycle::{App, Lifecycle, router, startup};
use racetrack_service::config::{self, Config};
use racetrack_service::health::Readiness;
use racetrack_service::metrics::Metrics;
use racetrack_service::{Component, HookRuntime, Identity, Service};
use racetrack_store::{DatabaseUrl, PasswordHash, Permission, Scope, Subject, User};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::conformance;

/// What tokens are signed with.
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The password of the administrator `admin`.
pub(crate) const PASSWORD: &str = "correct-horse";

/// The jobs that are there.
pub(crate) const JOBS: [(&str, &str); 3] = [("adder", "1.0.0"), ("adder", "2.0.0"), ("primer", "1.0.0")];

/// A lifecycle without plugins that asks callers who they are.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) router: Router,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(settings()).await
    }

    pub(crate) async fn start_with(settings: LifecycleSettings) -> Self {
        let app = open(service(Vec::new(), Vec::new()), settings).await.expect("opens");
        let server = Self { router: router(app.clone()), app };
        server.save_jobs().await;
        server
    }

    /// Makes the jobs of [`JOBS`] be there, as they were deployed.
    pub(crate) async fn save_jobs(&self) {
        for (name, version) in JOBS {
            let job = Job::new(name, version, JobStatus::Running, 1_700_000_000);
            self.app.store.save_job(&job, &[]).await.expect("is saved");
        }
    }

    /// Asks for a path below `/api/v1`. An empty token is not shown, and a body of null not sent.
    pub(crate) async fn send(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send_to_root(token, method, &format!("/api/v1{path}"), body).await
    }

    /// Calls a job. An empty token is not shown.
    pub(crate) async fn call(&self, token: &str, method: Method, path: &str) -> Answer {
        self.send_to_root(token, method, path, Body::empty()).await
    }

    /// Asks for a path from the root.
    pub(crate) async fn send_to_root(&self, token: &str, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("X-Racetrack-Auth", token);
        }
        send(&self.router, request.body(body).expect("a request")).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(token, Method::GET, path, &Value::Null).await
    }

    /// Asks for a path that is not below `/api/v1`.
    pub(crate) async fn get_from_root(&self, path: &str) -> Answer {
        send(&self.router, Request::get(path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(token, Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(token, Method::PUT, path, body).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(token, Method::DELETE, path, &Value::Null).await
    }

    /// The token that a login answers.
    pub(crate) async fn login(&self, username: &str, password: &str) -> Answer {
        self.post("", "/users/login", &json!({ "username": username, "password": password })).await
    }

    /// A token of the first administrator.
    pub(crate) async fn admin(&self) -> String {
        self.token_of(&Subject::user("admin")).await
    }

    /// A token of a new user who is let in.
    pub(crate) async fn user(&self, username: &str, permissions: &[Permission]) -> String {
        let user = User { is_active: true, ..User::new(username, PasswordHash::new("none"), 0) };
        self.app.store.create_user(&user, permissions).await.expect("is made");
        self.token_of(&Subject::user(username)).await
    }

    /// A token of a new ESC, whose id is its name.
    pub(crate) async fn esc(&self, id: &str, permissions: &[Permission]) -> String {
        self.app.store.create_esc(id, Some(id)).await.expect("is made");
        self.app.store.grant(&Subject::esc(id), permissions).await.expect("is granted");
        self.token_of(&Subject::esc(id)).await
    }

    /// A token of a subject that is good.
    pub(crate) async fn token_of(&self, subject: &Subject) -> String {
        signed(subject, &self.app.store.token_for(subject).await.expect("is made").seed, KEY)
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("is JSON")
    }

    /// The status and the text of an error.
    pub(crate) fn error(&self) -> (u16, String) {
        let text = self.json()["error"].as_str().map(str::to_owned);
        (self.status, text.unwrap_or_else(|| format!("no error: {self:?}")))
    }

    /// What was answered when all went well.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json");
        self.json()
    }

    /// The cookie that browsers keep.
    #[track_caller]
    pub(crate) fn cookie(&self) -> &str {
        self.headers["set-cookie"].to_str().expect("is text")
    }
}

/// A token as it is shown.
pub(crate) fn signed(subject: &Subject, seed: &str, key: &str) -> String {
    sign(subject, seed, key, None)
}

/// A token for calls only, as browsers have it in a cookie.
pub(crate) fn for_calls(subject: &Subject, seed: &str) -> String {
    sign(subject, seed, KEY, Some(vec![Scope::CallJob]))
}

/// A token of a part of Racetrack.
pub(crate) fn internal_token(scopes: &[Scope]) -> String {
    sign(&Subject::internal("pub"), "", KEY, Some(scopes.to_vec()))
}

fn sign(subject: &Subject, seed: &str, key: &str, scopes: Option<Vec<Scope>>) -> String {
    let Subject { kind, name } = subject.clone();
    let seed = seed.to_owned();
    let claims = Claims { seed, subject: name, subject_type: kind, scopes, expiry_time: None };
    claims.sign(&key.parse().expect("long enough"))
}

/// Settings of a lifecycle that forgets everything when it ends.
pub(crate) fn settings() -> LifecycleSettings {
    LifecycleSettings {
        state_folder: Some(std::env::temp_dir()),
        database_url: Some(DatabaseUrl::memory()),
        auth_key: Some(KEY.parse().expect("long enough")),
        admin_password: Some(PASSWORD.parse().expect("is a password")),
        ..LifecycleSettings::default()
    }
}

pub(crate) fn config() -> Config<LifecycleSettings> {
    config::load(None, Default::default(), Lifecycle::HTTP_ADDRESS).expect("defaults")
}

/// What lifecycle runs on, with plugins as planned.
pub(crate) fn service(rows: Vec<PlannedPlugin>, registrations: Vec<Registration>) -> Service {
    let registrations: &'static [_] = registrations.leak();
    let plan = Box::leak(Box::new(ComponentPlan {
        component: "lifecycle",
        description: None,
        plugins: rows.leak(),
    }));
    let config = config().service;
    Service {
        identity: Identity {
            component: plan.component,
            version: "0.1.0",
            git_version: config.git_version.clone(),
            docker_tag: config.docker_tag.clone(),
        },
        hooks: HookRuntime::start(plan, registrations, &config).expect("as planned"),
        readiness: Readiness::default(),
        http_address: ([127, 0, 0, 1], 0).into(),
        metrics: Metrics::install(),
    }
}

pub(crate) async fn open(service: Service, settings: LifecycleSettings) -> Result<App, StartupError> {
    startup::open(service, settings.with_defaults(Lifecycle::HTTP_ADDRESS)).await
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = router.clone().oneshot(request).await.expect("answers");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
    conformance::check(router, &method, &path, &answer).await;
    answer
}
