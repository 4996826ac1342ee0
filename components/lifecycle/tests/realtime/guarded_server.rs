//! A whole lifecycle on loopback that asks callers who they are, with a job whose log streams.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Request};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use racetrack_core::hook::HookSet;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{
    Hook, HookResult, InfrastructureTarget, InfrastructureTargets, Job, JobStatus, Plugin, async_trait,
};
use racetrack_lifecycle::auth::Claims;
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_lifecycle::{Lifecycle, router, startup};
use racetrack_service::config::{self, Config};
use racetrack_service::health::Readiness;
use racetrack_service::metrics::Metrics;
use racetrack_service::peer::TrustedProxies;
use racetrack_service::{Component, HookRuntime, Identity, Service};
use racetrack_store::{DatabaseUrl, PasswordHash, Permission, Store, Subject, User};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::recording_streamer::{Asked, RecordingStreamer};
use crate::soon;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A running lifecycle.
pub(crate) struct GuardedServer {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
}

/// Offers a target whose streamer hands out a line per session.
struct Streaming {
    /// Its streamer says there what it is asked for.
    _asked: Mutex<mpsc::UnboundedReceiver<Asked>>,
    streamer: std::sync::Arc<RecordingStreamer>,
}

#[async_trait]
impl Plugin for Streaming {
    async fn infrastructure_targets(&self) -> HookResult<InfrastructureTargets> {
        let target = InfrastructureTarget::default().with_logs_streamer(self.streamer.clone());
        Ok(InfrastructureTargets::from([("test".to_owned(), target)]))
    }
}

const PLUGIN: PlannedPlugin = PlannedPlugin {
    name: "streaming",
    version: "1.0.0",
    priority: 0,
    position: 0,
    category: None,
    url: None,
    build_date: None,
    components: &["lifecycle"],
    digest: "0",
    resources: &[],
};

const PLAN: ComponentPlan = ComponentPlan { component: "lifecycle", description: None, plugins: &[PLUGIN] };

const REGISTRATION: Registration = Registration {
    name: PLUGIN.name,
    version: PLUGIN.version,
    type_name: "Streaming",
    hooks: HookSet::EMPTY.with(Hook::InfrastructureTargets),
    construct: |_| {
        let (streamer, asked) = RecordingStreamer::start();
        Ok(Box::new(Streaming { _asked: Mutex::new(asked), streamer }))
    },
};

/// What the server of a component does.
async fn note_peer(
    State(proxies): State<TrustedProxies>,
    ConnectInfo(connection): ConnectInfo<SocketAddr>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    let peer = proxies.peer(connection.ip(), request.headers());
    request.extensions_mut().insert(peer);
    next.run(request).await
}

impl GuardedServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(LifecycleSettings::default()).await
    }

    /// Starts with the jobs `adder` 1.0.0 and 2.0.0.
    pub(crate) async fn start_with(settings: LifecycleSettings) -> Self {
        Self::start_behind(TrustedProxies::default(), settings).await
    }

    /// The same, behind proxies.
    pub(crate) async fn start_behind(proxies: TrustedProxies, settings: LifecycleSettings) -> Self {
        let settings = LifecycleSettings {
            state_folder: Some(std::env::temp_dir()),
            database_url: Some(DatabaseUrl::memory()),
            auth_key: Some(KEY.parse().expect("long enough")),
            admin_password: Some("correct-horse".parse().expect("is a password")),
            ..settings
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let app = startup::open(service(), settings.with_defaults(address)).await.expect("opens");
        let store = app.store.clone();
        for version in ["1.0.0", "2.0.0"] {
            let mut job = Job::new("adder", version, JobStatus::Running, 0);
            job.infrastructure_target = Some("test".to_owned());
            store.save_job(&job, &[]).await.expect("is saved");
        }
        let routes = router(app).layer(from_fn_with_state(proxies, note_peer));
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
        Self { address, store }
    }

    /// A token of a new user who is let in.
    pub(crate) async fn user(&self, username: &str, permissions: &[Permission]) -> String {
        let user = User { is_active: true, ..User::new(username, PasswordHash::new("none"), 0) };
        self.store.create_user(&user, permissions).await.expect("is made");
        let subject = Subject::user(username);
        let token = self.store.token_for(&subject).await.expect("is there");
        signed(&subject, &token.seed)
    }

    /// Status, headers and body of the answer to a request with these headers, sent from an address of this machine.
    pub(crate) async fn send(
        &self,
        from: Option<IpAddr>,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, HeaderMap, Value) {
        let mut connector = HttpConnector::new();
        connector.set_local_address(from);
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = soon(client.request(request.body(Body::empty()).expect("a request"))).await;
        let (parts, body) = answer.expect("answers").into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.expect("a body");
        (parts.status.as_u16(), parts.headers, serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// A token as it is shown.
pub(crate) fn signed(subject: &Subject, seed: &str) -> String {
    let claims = Claims {
        seed: seed.to_owned(),
        subject: subject.name.clone(),
        subject_type: subject.kind,
        scopes: None,
        expiry_time: None,
    };
    claims.sign(&KEY.parse().expect("long enough"))
}

fn service() -> Service {
    let config: Config<LifecycleSettings> =
        config::load(None, Default::default(), Lifecycle::HTTP_ADDRESS).expect("defaults");
    Service {
        identity: Identity {
            component: PLAN.component,
            version: "0.1.0",
            git_version: config.service.git_version.clone(),
            docker_tag: config.service.docker_tag.clone(),
        },
        hooks: HookRuntime::start(&PLAN, &[REGISTRATION], &config.service).expect("as planned"),
        readiness: Readiness::default(),
        http_address: ([127, 0, 0, 1], 0).into(),
        metrics: Metrics::install(),
    }
}
