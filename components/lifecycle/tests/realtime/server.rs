//! A server on loopback, with the routes as lifecycle has them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::routing::get;
use racetrack_core::hook::HookSet;
use racetrack_core::host::catalogue::Catalogue;
use racetrack_core::host::registry::Outcome;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{Hook, InfrastructureTarget, InfrastructureTargets, Job, JobStatus, Plugin};
use racetrack_lifecycle::Lifecycle;
use racetrack_lifecycle::auth::Admission;
use racetrack_lifecycle::realtime::change_events;
use racetrack_lifecycle::realtime::log_streaming::{Admit, Limits, LogSource, LogStreaming};
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_service::config::{self, Config};
use racetrack_service::hooks::PluginOwned;
use racetrack_service::{ApiError, Component, HookRuntime, http};
use racetrack_store::{DatabaseUrl, Store};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::recording_streamer::{Asked, RecordingStreamer};
use crate::soon;

/// A running server, and all that is behind it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) streamer: Arc<RecordingStreamer>,
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
    targets: Arc<Mutex<Targets>>,
    pub(crate) streaming: LogStreaming,
    stop: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// The targets that there are now.
type Targets = Arc<PluginOwned<Catalogue<InfrastructureTarget>>>;

struct Idle;

impl Plugin for Idle {}

const PLUGIN: PlannedPlugin = PlannedPlugin {
    name: "recorder",
    version: "1.5.0",
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
    type_name: "Idle",
    hooks: HookSet::EMPTY,
    construct: |_| Ok(Box::new(Idle)),
};

/// The jobs that there are, and the targets they are on.
const JOBS: [(&str, &str, Option<&str>); 12] = [
    ("adder", "0.0.1", Some("test")),
    ("adder", "0.0.2", Some("test")),
    ("blocking", "1.0.0", Some("test")),
    ("ending", "1.0.0", Some("test")),
    ("failing", "1.0.0", Some("test")),
    ("mute", "1.0.0", Some("mute")),
    ("nowhere", "1.0.0", None),
    ("panicking", "1.0.0", Some("test")),
    ("secret", "1.0.0", Some("test")),
    ("stranded", "1.0.0", Some("island")),
    ("unclosable", "1.0.0", Some("test")),
    ("waiting", "1.0.0", Some("test")),
];

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        let (streamer, asked) = RecordingStreamer::start();
        let hooks = hooks();
        let targets = Arc::new(Mutex::new(targets(&hooks, &streamer)));
        let source = LogSource { limits, ..source(hooks, Arc::clone(&targets)).await };
        let store = source.store.clone();
        let streaming = LogStreaming::new(source);
        let (stop, stopping) = watch::channel(false);

        let (changes, stop_events) = (store.clone(), stopping.clone());
        let events = move |upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>| {
            let end = until(stop_events);
            change_events::serve(upgrade, changes.changes(), async {
                end.await;
                change_events::End::Stopping
            })
        };
        let root = Router::new()
            .route("/websocket/events", get(events))
            .route("/live", get(async || "alive"))
            .merge(streaming.routes());
        let router = http::complete(root.clone().nest("/lifecycle", root));

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let server = axum::serve(listener, router).with_graceful_shutdown(until(stopping));
        let serving = tokio::spawn(server.into_future());
        Self { address, store, streamer, asked, targets, streaming, stop, serving }
    }

    /// What the streamer is asked for next.
    pub(crate) async fn asked(&mut self) -> Asked {
        soon(self.asked.recv()).await.expect("the streamer is there")
    }

    /// The session that is created next.
    pub(crate) async fn created(&mut self) -> racetrack_core::LogsSession {
        match self.asked().await {
            Asked::Create(session) => session,
            Asked::Close(id) => panic!("{id} is closed"),
        }
    }

    /// Puts another streamer in place, as another configuration of its plugin does.
    pub(crate) fn replace_streamer(&mut self) {
        (self.streamer, self.asked) = RecordingStreamer::start();
        *self.targets.lock().expect("not poisoned") = targets(&hooks(), &self.streamer);
    }

    /// Puts a job where it is, or moves it.
    pub(crate) async fn deploy(&self, name: &str, version: &str, target: Option<&str>) {
        deploy(&self.store, name, version, target).await;
    }

    /// Says that the server stops.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the server has answered all requests.
    pub(crate) async fn stopped(self) {
        soon(self.serving).await.expect("does not panic").expect("ends well");
    }
}

fn hooks() -> HookRuntime {
    let config: Config<LifecycleSettings> =
        config::load(None, Default::default(), Lifecycle::HTTP_ADDRESS).expect("defaults");
    HookRuntime::start(&PLAN, &[REGISTRATION], &config.service).expect("as planned")
}

fn targets(hooks: &HookRuntime, streamer: &Arc<RecordingStreamer>) -> Targets {
    let target = InfrastructureTarget::default().with_logs_streamer(streamer.clone());
    let targets = InfrastructureTargets::from([
        ("test".to_owned(), target),
        ("mute".to_owned(), InfrastructureTarget::default()),
    ]);
    let targets = vec![Outcome { plugin: 0, result: Ok(targets) }];
    let targets = Catalogue::collect(&hooks.registry(), Hook::InfrastructureTargets, targets);
    Arc::new(PluginOwned::new(targets.expect("nothing clashes")))
}

async fn source(hooks: HookRuntime, targets: Arc<Mutex<Targets>>) -> LogSource {
    let store = Store::open(&DatabaseUrl::memory()).await.expect("a database in memory");
    for (name, version, target) in JOBS {
        deploy(&store, name, version, target).await;
    }
    let current = move || Arc::clone(&targets.lock().expect("not poisoned"));
    let jobs = store.clone();
    let admit: Admit = Arc::new(move |client, name, version| {
        let has_pass = client.request.headers.contains_key("x-pass") || client.auth["token"] == "7";
        let is_allowed = name != "secret" || has_pass;
        let (jobs, name, version) = (jobs.clone(), name.to_owned(), version.to_owned());
        Box::pin(async move {
            if !is_allowed {
                return Err(ApiError::unauthorized("you may not read this"));
            }
            let found = jobs.resolve_job(&name, &version).await;
            let record = found.map_err(|error| ApiError::not_found(error.to_string()))?;
            Ok(Admission { record, lost: Box::pin(std::future::pending()) })
        })
    });
    LogSource::new(store, Arc::new(current), hooks, admit)
}

async fn deploy(store: &Store, name: &str, version: &str, target: Option<&str>) {
    let mut job = Job::new(name, version, JobStatus::Running, 0);
    job.infrastructure_target = target.map(str::to_owned);
    store.save_job(&job, &[]).await.expect("is saved");
}

async fn until(mut stopping: watch::Receiver<bool>) {
    // Without a sender nobody can say any more that it stops.
    if stopping.wait_for(|is_stopping| *is_stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
}
