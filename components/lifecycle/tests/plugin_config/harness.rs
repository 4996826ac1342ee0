//! A lifecycle in this process, with plugins that do as they are configured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use racetrack_core::error::chain;
use racetrack_core::hook::HookSet;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{
    DeployJob, Hook, HookResult, ImageDefinition, InfrastructureTarget, InfrastructureTargets, Job,
    JobDeployer, JobMonitor, JobSecrets, JobStatus, JobType, JobTypes, Plugin, PluginContext, PluginError,
    async_trait,
};
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_lifecycle::{App, Lifecycle, router, startup};
use racetrack_service::config;
use racetrack_service::health::Readiness;
use racetrack_service::metrics::Metrics;
use racetrack_service::{Component, HookRuntime, Identity, Service};
use racetrack_store::DatabaseUrl;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// Who has begun to say what it offers, and who may end, of those that wait.
pub(crate) static BEGUN: Semaphore = Semaphore::const_new(0);
pub(crate) static GO_ON: Semaphore = Semaphore::const_new(0);

/// How many busy plugins say what they offer at this moment, and how many did at most.
static BUSY: AtomicUsize = AtomicUsize::new(0);
pub(crate) static BUSIEST: AtomicUsize = AtomicUsize::new(0);

/// Says and offers what its configuration says.
struct Configured(Arc<Offered>);

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Offered {
    greeting: String,
    job_types: Vec<String>,
    targets: Vec<String>,
    /// Whether it waits before it says what it offers.
    waits: bool,
    /// Whether it takes its time to say what it offers.
    is_busy: bool,
    /// What it fails with, instead of saying what it offers.
    fails: Option<String>,
}

/// Where the state is kept, and what the configuration file says.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    sections: BTreeMap<&'static str, &'static str>,
}

/// A lifecycle that runs.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) app: App,
    router: Router,
}

#[async_trait]
impl Plugin for Configured {
    async fn job_types(&self) -> HookResult<JobTypes> {
        if self.0.waits {
            BEGUN.add_permits(1);
            GO_ON.acquire().await?.forget();
        }
        if self.0.is_busy {
            BUSIEST.fetch_max(BUSY.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            BUSY.fetch_sub(1, Ordering::SeqCst);
        }
        if let Some(reason) = &self.0.fails {
            return Err(reason.clone().into());
        }
        let job_type = JobType::from(ImageDefinition::from_job_type("Dockerfile"));
        Ok(self.0.job_types.iter().map(|name| (name.clone(), job_type.clone())).collect())
    }

    async fn infrastructure_targets(&self) -> HookResult<InfrastructureTargets> {
        let target = || {
            let part = Arc::new(Self(Arc::clone(&self.0)));
            let mut target = InfrastructureTarget::default();
            target.job_deployer = Some(Arc::clone(&part) as _);
            target.job_monitor = Some(part);
            target
        };
        Ok(self.0.targets.iter().map(|name| (name.clone(), target())).collect())
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(self.0.greeting.clone()))
    }
}

/// Has every job, at the greeting's address.
#[async_trait]
impl JobDeployer for Configured {
    async fn deploy_job(&self, request: DeployJob<'_>) -> HookResult<Job> {
        let (name, version) = (&request.manifest.name, &request.manifest.version);
        let mut job = Job::new(name, version, JobStatus::Starting, request.deployment_timestamp);
        job.internal_name = Some(self.0.greeting.clone());
        Ok(job)
    }

    async fn delete_job(&self, _: &str, _: &str) -> HookResult {
        Ok(())
    }

    async fn job_exists(&self, _: &str, _: &str) -> HookResult<bool> {
        Ok(true)
    }

    async fn save_job_secrets(&self, _: &str, _: &str, _: &JobSecrets) -> HookResult {
        Ok(())
    }

    async fn get_job_secrets(&self, _: &str, _: &str) -> HookResult<JobSecrets> {
        Ok(JobSecrets::default())
    }
}

#[async_trait]
impl JobMonitor for Configured {
    async fn list_jobs(&self) -> HookResult<Vec<Job>> {
        Err("asks nobody".into())
    }

    async fn check_job_condition(
        &self,
        _: &Job,
        _: i64,
        on_job_alive: &(dyn Fn() + Send + Sync),
        _: bool,
    ) -> HookResult {
        on_job_alive();
        Ok(())
    }

    async fn read_recent_logs(&self, _: &Job, _: usize) -> HookResult<String> {
        Ok(String::new())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is that of `Registration::construct`")]
fn construct(context: PluginContext) -> Result<Box<dyn Plugin>, PluginError> {
    let offered: Offered = context.config()?;
    if offered.greeting == "Voldemort" {
        return Err("that name is not to be said".into());
    }
    Ok(Box::new(Configured(Arc::new(offered))))
}

/// `greeter`, `other` and two versions of `twin`, in hook order.
fn plan() -> (&'static ComponentPlan, &'static [Registration]) {
    const ROW: PlannedPlugin = PlannedPlugin {
        name: "greeter",
        version: "1.0.0",
        priority: 0,
        position: 0,
        category: None,
        url: None,
        build_date: None,
        components: &[],
        digest: "0",
        resources: &[],
    };
    const GREETER: Registration = Registration {
        name: "greeter",
        version: "1.0.0",
        type_name: "Configured",
        hooks: HookSet::EMPTY.with(Hook::JobTypes).with(Hook::InfrastructureTargets).with(Hook::MarkdownDocs),
        construct,
    };
    static PLAN: ComponentPlan = ComponentPlan {
        component: "lifecycle",
        description: None,
        plugins: &[
            ROW,
            PlannedPlugin { name: "other", position: 1, ..ROW },
            PlannedPlugin { name: "twin", position: 2, ..ROW },
            PlannedPlugin { name: "twin", version: "0.9.0", position: 3, ..ROW },
        ],
    };
    static LINKED: [Registration; 4] = [
        GREETER,
        Registration { name: "other", ..GREETER },
        Registration { name: "twin", ..GREETER },
        Registration { name: "twin", version: "0.9.0", ..GREETER },
    ];
    (&PLAN, &LINKED)
}

impl Sandbox {
    pub(crate) fn new(sections: &[(&'static str, &'static str)]) -> Self {
        let folder = tempfile::tempdir().expect("can be made");
        Self { folder, sections: sections.iter().copied().collect() }
    }

    /// Starts as the component does, asking nobody who they are.
    pub(crate) async fn start(&self) -> Result<Running, String> {
        self.start_with(false).await
    }

    pub(crate) async fn start_with(&self, auth_required: bool) -> Result<Running, String> {
        let settings = LifecycleSettings {
            state_folder: Some(self.folder.path().to_owned()),
            database_url: Some(DatabaseUrl::memory()),
            auth_key: Some("0123456789abcdef0123456789abcdef".parse().expect("long enough")),
            auth_required: Some(auth_required),
            ..LifecycleSettings::default()
        };
        let config = config::load::<LifecycleSettings>(None, Default::default(), Lifecycle::HTTP_ADDRESS);
        let mut config = config.expect("defaults").service;
        let yaml = |text: &str| serde_yaml::from_str(text).expect("is YAML");
        config.plugins = self.sections.iter().map(|(name, text)| ((*name).to_owned(), yaml(text))).collect();
        config.kept_configs = Lifecycle::kept_configs(&settings).map_err(|error| chain(&*error))?;
        let (plan, linked) = plan();
        let service = Service {
            identity: Identity {
                component: plan.component,
                version: "0.1.0",
                git_version: config.git_version.clone(),
                docker_tag: config.docker_tag.clone(),
            },
            hooks: HookRuntime::start(plan, linked, &config).map_err(|error| chain(&error))?,
            readiness: Readiness::default(),
            http_address: ([127, 0, 0, 1], 0).into(),
            metrics: Metrics::install(),
        };
        let app = startup::open(service, settings.with_defaults(Lifecycle::HTTP_ADDRESS)).await;
        let app = app.map_err(|error| chain(&error))?;
        Ok(Running { router: router(app.clone()), app })
    }

    /// Where the configuration of a plugin is kept.
    pub(crate) fn file(&self, plugin: &str) -> PathBuf {
        self.folder.path().join("plugins").join(format!("{plugin}.yaml"))
    }
}

impl Running {
    pub(crate) async fn call(&self, method: Method, path: &str, body: String) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).body(Body::from(body));
        let response = self.router.clone().oneshot(request.expect("a request")).await.expect("answers");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("is JSON"))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call(Method::GET, path, String::new()).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Writes the configuration of version 1.0.0 of a plugin.
    pub(crate) async fn write(&self, plugin: &str, text: &str) -> (u16, Value) {
        let body = json!({ "config_data": text }).to_string();
        self.call(Method::PUT, &format!("/plugin/{plugin}/1.0.0/config"), body).await
    }

    /// Writes one that is good.
    pub(crate) async fn configure(&self, plugin: &str, text: &str) {
        assert_eq!(self.write(plugin, text).await, (200, Value::Null));
    }

    /// Writes one that is bad; why it is.
    pub(crate) async fn refusal(&self, plugin: &str, text: &str) -> String {
        let (status, answer) = self.write(plugin, text).await;
        assert_eq!((status, &answer["type"]), (400, &json!("ValueError")), "{answer}");
        answer["error"].as_str().expect("is a text").to_owned()
    }

    pub(crate) async fn config(&self, plugin: &str) -> Value {
        self.get(&format!("/plugin/{plugin}/1.0.0/config")).await
    }

    pub(crate) async fn greeting(&self, plugin: &str) -> Value {
        self.get(&format!("/plugin/{plugin}/docs")).await
    }
}
