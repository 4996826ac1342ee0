//! The plugins of a test: `offers` has job types and targets, the others are told of jobs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use racetrack_core::hook::HookSet;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{
    EnvVars, Hook, HookResult, ImageDefinition, InfrastructureTargets, JobType, JobTypes, Plugin,
    PluginContext, PluginError, PostJobDelete, PostJobDeploy, async_trait,
};

use super::fake_target::FakeTarget;
use super::switches::{Journal, Switches};

/// The plugins that are told of jobs, in hook order.
pub(crate) const LISTENERS: [&str; 3] = ["first", "second", "third"];

/// What the plugins of one test share with it. They find it by the number in their configuration.
pub(crate) struct World {
    pub(crate) targets: Vec<Arc<FakeTarget>>,
    pub(crate) job_types: Vec<&'static str>,
    /// Of `first post_job_deploy` and the like.
    pub(crate) switches: Switches,
    /// The variables that each plugin gives.
    pub(crate) variables: Mutex<BTreeMap<&'static str, EnvVars>>,
    pub(crate) journal: Journal,
}

/// The worlds of the tests of this process, by their numbers.
static WORLDS: Mutex<Vec<Arc<World>>> = Mutex::new(Vec::new());

struct FakePlugin {
    name: String,
    world: Arc<World>,
}

#[derive(serde::Deserialize)]
struct Section {
    world: usize,
}

impl World {
    pub(crate) fn new(targets: &[&'static str], job_types: &[&'static str]) -> Arc<Self> {
        let journal = Journal::default();
        Arc::new(Self {
            targets: targets.iter().map(|name| FakeTarget::new(name, &journal)).collect(),
            job_types: job_types.to_vec(),
            switches: Switches::default(),
            variables: Mutex::default(),
            journal,
        })
    }

    pub(crate) fn target(&self, name: &str) -> &Arc<FakeTarget> {
        self.targets.iter().find(|target| target.name == name).expect("is a target of this test")
    }

    /// The configuration with which plugins find this world.
    pub(crate) fn configs(self: &Arc<Self>) -> BTreeMap<String, serde_yaml::Value> {
        let mut worlds = WORLDS.lock().expect("not poisoned");
        worlds.push(Arc::clone(self));
        let section: serde_yaml::Value =
            serde_yaml::from_str(&format!("world: {}", worlds.len() - 1)).expect("is YAML");
        ["offers"].into_iter().chain(LISTENERS).map(|name| (name.to_owned(), section.clone())).collect()
    }
}

impl FakePlugin {
    async fn called(&self, hook: &str, what: &str) -> HookResult {
        self.world.journal.add(format!("{} {hook} {what}", self.name).trim_end().to_owned());
        self.world.switches.follow(&format!("{} {hook}", self.name)).await
    }
}

#[async_trait]
impl Plugin for FakePlugin {
    async fn job_types(&self) -> HookResult<JobTypes> {
        let job_type = JobType::from(ImageDefinition::from_job_type("Dockerfile"));
        Ok(self.world.job_types.iter().map(|name| ((*name).to_owned(), job_type.clone())).collect())
    }

    async fn infrastructure_targets(&self) -> HookResult<InfrastructureTargets> {
        let targets = self.world.targets.iter();
        Ok(targets.map(|target| (target.name.to_owned(), target.parts())).collect())
    }

    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        self.called("job_runtime_env_vars", "").await?;
        let variables = self.world.variables.lock().expect("not poisoned");
        Ok(variables.get(self.name.as_str()).cloned().unwrap_or_default())
    }

    async fn post_job_deploy(&self, event: PostJobDeploy<'_>) -> HookResult {
        let target = event.job.infrastructure_target.as_deref().unwrap_or_default();
        let what = format!(
            "{} {} on {target} from {} by {}",
            event.manifest.name,
            event.job.version,
            event.image_name,
            event.deployer_username.unwrap_or("nobody")
        );
        self.called("post_job_deploy", &what).await
    }

    async fn post_job_delete(&self, event: PostJobDelete<'_>) -> HookResult {
        let target = event.job.infrastructure_target.as_deref().unwrap_or_default();
        let executor = event.username_executor.unwrap_or("nobody");
        let what = format!("{} {} on {target} by {executor}", event.job.name, event.job.version);
        self.called("post_job_delete", &what).await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is that of `Registration::construct`")]
fn construct(context: PluginContext) -> Result<Box<dyn Plugin>, PluginError> {
    let Section { world } = context.config()?;
    let world = Arc::clone(&WORLDS.lock().expect("not poisoned")[world]);
    Ok(Box::new(FakePlugin { name: context.manifest().name.to_string(), world }))
}

/// What is planned, and what is linked.
pub(crate) fn plan() -> (&'static ComponentPlan, &'static [Registration]) {
    const ROW: PlannedPlugin = PlannedPlugin {
        name: "offers",
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
    const OFFERS: Registration = Registration {
        name: "offers",
        version: "1.0.0",
        type_name: "FakePlugin",
        hooks: HookSet::EMPTY.with(Hook::JobTypes).with(Hook::InfrastructureTargets),
        construct,
    };
    const LISTENER: Registration = Registration {
        hooks: HookSet::EMPTY
            .with(Hook::PostJobDeploy)
            .with(Hook::PostJobDelete)
            .with(Hook::JobRuntimeEnvVars),
        ..OFFERS
    };
    static PLAN: ComponentPlan = ComponentPlan {
        component: "lifecycle",
        description: None,
        plugins: &[
            ROW,
            PlannedPlugin { name: LISTENERS[0], position: 1, ..ROW },
            PlannedPlugin { name: LISTENERS[1], position: 2, ..ROW },
            PlannedPlugin { name: LISTENERS[2], position: 3, ..ROW },
        ],
    };
    static LINKED: [Registration; 4] = [
        OFFERS,
        Registration { name: LISTENERS[0], ..LISTENER },
        Registration { name: LISTENERS[1], ..LISTENER },
        Registration { name: LISTENERS[2], ..LISTENER },
    ];
    (&PLAN, &LINKED)
}
