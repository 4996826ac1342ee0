//! The registry held to a plan: order, closure, and what a failing plugin does.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::hook::HookSet;
use racetrack_core::host::catalogue::{Catalogue, CatalogueError};
use racetrack_core::host::registry::Outcome;
use racetrack_core::host::start::StartError;
use racetrack_core::host::time_limit::{TimeLimit, Timer};
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{
    EnvVars, Hook, HookResult, ImageDefinition, JobType, JobTypes, Plugin, PluginContext, PluginError,
    Registry, async_trait,
};

/// A timer whose sleeps end at once when polled a second time: a hook that waits once is in time, one that waits for
/// ever is not.
struct ImpatientTimer;

struct SecondPoll(bool);

impl Future for SecondPoll {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Timer for ImpatientTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(SecondPoll(false))
    }
}

#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words");
    }
}

impl std::error::Error for Unspeakable {}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("not like this");
    }
}

/// Behaves as its name says.
struct Named(String);

#[async_trait]
impl Plugin for Named {
    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        match self.0.as_str() {
            "panics" => panic!("boom in {}", self.0),
            "hangs" => std::future::pending().await,
            "hangs-rudely" => {
                let _guard = PanicsWhenDropped;
                std::future::pending::<()>().await;
            }
            "errs" => return Err("out of paper".into()),
            "errs-rudely" => return Err(Unspeakable.into()),
            "waits" => SecondPoll(false).await,
            _ => {}
        }
        Ok(EnvVars::from([("PLUGIN".to_owned(), self.0.clone())]))
    }

    async fn job_types(&self) -> HookResult<JobTypes> {
        let job_type = JobType::from(ImageDefinition::from_job_type(&self.0));
        Ok(JobTypes::from([(
            if self.0.starts_with("same") { "same:1.0.0" } else { "python3:1.0.0" }.to_owned(),
            job_type,
        )]))
    }
}

/// Answers with its configuration and how often it has been asked, and notes when it is dropped.
struct Configured {
    text: String,
    calls: AtomicUsize,
}

/// The configurations of those that have been dropped.
static DROPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[async_trait]
impl Plugin for Configured {
    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(EnvVars::from([("PLUGIN".to_owned(), format!("{} {call}", self.text))]))
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        DROPPED.lock().expect("not poisoned").push(self.text.clone());
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    text: String,
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is that of `Registration::construct`")]
fn construct(context: PluginContext) -> Result<Box<dyn Plugin>, PluginError> {
    let name = context.manifest().name.to_string();
    match name.as_str() {
        "broken" => Err("no such mail server".into()),
        "explosive" => panic!("constructed"),
        "configured" | "configured-too" => {
            let text = context.config::<Config>()?.text;
            Ok(Box::new(Configured { text, calls: AtomicUsize::new(0) }))
        }
        _ => Ok(Box::new(Named(name))),
    }
}

fn row(name: &'static str, version: &'static str, priority: i64, position: usize) -> PlannedPlugin {
    PlannedPlugin {
        name,
        version,
        priority,
        position,
        category: None,
        url: None,
        build_date: None,
        components: &[],
        digest: "0",
        resources: &[],
    }
}

fn plan(rows: Vec<PlannedPlugin>) -> &'static ComponentPlan {
    Box::leak(Box::new(ComponentPlan { component: "lifecycle", description: None, plugins: rows.leak() }))
}

fn registration(name: &'static str, version: &'static str) -> &'static Registration {
    let hooks = HookSet::EMPTY.with(Hook::JobRuntimeEnvVars).with(Hook::JobTypes);
    Box::leak(Box::new(Registration { name, version, type_name: "Named", hooks, construct }))
}

fn limit() -> TimeLimit {
    TimeLimit { duration: Duration::from_secs(30), timer: Arc::new(ImpatientTimer) }
}

fn start(plan: &'static ComponentPlan, linked: &[&'static Registration]) -> Result<Registry, StartError> {
    Registry::start_with(plan, linked.iter().copied(), &BTreeMap::new(), limit())
}

fn started(names: &[&'static str]) -> Registry {
    let rows = names.iter().enumerate().map(|(position, name)| row(name, "1.0.0", 0, position)).collect();
    let linked: Vec<_> = names.iter().rev().map(|name| registration(name, "1.0.0")).collect();
    start(plan(rows), &linked).expect("as planned")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn env_vars(registry: &Registry) -> Vec<String> {
    let outcomes = Mutex::new(Vec::new());
    let each = |outcome: Outcome<EnvVars>| {
        outcomes.lock().expect("not poisoned").push(match outcome.result {
            Ok(vars) => vars["PLUGIN"].clone(),
            Err(failure) => failure.one_line(),
        });
    };
    block_on(registry.call_every(Hook::JobRuntimeEnvVars, |plugin| plugin.job_runtime_env_vars(), each));
    outcomes.into_inner().expect("not poisoned")
}

#[test]
fn hooks_run_by_priority_then_position_whatever_the_linker_does() {
    let rows = vec![
        row("z", "1.0.0", -1, 3),
        row("b", "9.0.0", 0, 0),
        row("b", "1.0.0", 0, 2),
        row("a", "1.0.0", 5, 1),
    ];
    let keys = [("a", "1.0.0"), ("b", "1.0.0"), ("b", "9.0.0"), ("z", "1.0.0")];
    let linked: Vec<_> = keys.iter().map(|(name, version)| registration(name, version)).collect();
    let reversed: Vec<_> = linked.iter().rev().copied().collect();
    for linked in [linked, reversed] {
        let registry = start(plan(rows.clone()), &linked).expect("as planned");
        assert_eq!(env_vars(&registry), ["z", "b", "b", "a"]);
        let versions: Vec<_> =
            registry.implementing(Hook::JobTypes).map(|entry| entry.manifest.version.as_str()).collect();
        assert_eq!(versions, ["1.0.0", "9.0.0", "1.0.0", "1.0.0"]);
        assert_eq!(registry.implementing(Hook::RunAction).len(), 0);
        assert_eq!(registry.named("b").map(|entry| entry.manifest.version.as_str()), Some("9.0.0"));
    }
}

#[test]
fn a_plan_out_of_order_is_refused() {
    for (first, second) in [((1, 0), (0, 1)), ((0, 1), (0, 0)), ((0, 1), (0, 1))] {
        let rows = vec![row("a", "1.0.0", first.0, first.1), row("b", "1.0.0", second.0, second.1)];
        let linked = [registration("a", "1.0.0"), registration("b", "1.0.0")];
        let error = start(plan(rows), &linked).expect_err("out of order");
        assert!(error.to_string().contains("not in hook order at plugin `b` 1.0.0"), "{error}");
    }
}

#[test]
fn linked_and_planned_plugins_must_be_the_same() {
    let rows = vec![row("dropped", "1.0.0", 0, 0), row("twice", "1.0.0", 0, 1), row("moved", "1.0.0", 0, 2)];
    let linked =
        [registration("twice", "1.0.0"), registration("twice", "1.0.0"), registration("moved", "1.0.1")];
    let error = start(plan(rows), &linked).expect_err("differs");
    assert_eq!(
        error.to_string(),
        "the plugins linked into `lifecycle` are not the planned ones: `dropped` 1.0.0, `moved` 1.0.0 (planned but not \
         linked), `moved` 1.0.1 (linked but not planned), `twice` 1.0.0 (registered more than once); rebuild it with \
         `cargo xtask build`"
    );
}

#[test]
fn a_plugin_that_cannot_be_constructed_stops_the_start() {
    let text = |name: &'static str| {
        let error =
            start(plan(vec![row(name, "1.0.0", 0, 0)]), &[registration(name, "1.0.0")]).expect_err("refused");
        chain(&error)
    };
    assert_eq!(text("broken"), "cannot construct plugin `broken` 1.0.0: no such mail server");
    assert_eq!(text("explosive"), "cannot construct plugin `explosive` 1.0.0: it panicked: constructed");
}

#[test]
fn a_configuration_for_an_unknown_plugin_is_refused() {
    let configs = BTreeMap::from([("skynet-wacher".to_owned(), serde_yaml::Value::Null)]);
    let plan = plan(vec![row("skynet-watcher", "1.0.0", 0, 0)]);
    let linked = [registration("skynet-watcher", "1.0.0")];
    let error = Registry::start_with(plan, linked, &configs, limit()).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the configuration has a section for plugin `skynet-wacher`, which `lifecycle` does not hold; it holds \
         `skynet-watcher`"
    );
}

fn config(yaml: &str) -> serde_yaml::Value {
    serde_yaml::from_str(yaml).expect("is YAML")
}

#[test]
fn a_new_configuration_puts_one_plugin_in_the_place_of_another() {
    let old = started(&["configured-too", "first", "configured", "last"]);
    assert_eq!(env_vars(&old), [" 1", "first", " 1", "last"]);
    let new = old.with_config("configured", &config("text: replaced")).expect("fits");
    assert_eq!(env_vars(&new), [" 2", "first", "replaced 1", "last"], "the others are shared");
    assert_eq!(env_vars(&old), [" 3", "first", " 2", "last"], "the old one is not changed");
    let newer = new.with_config("configured", &config("text: replaced again")).expect("fits");
    assert_eq!(env_vars(&newer), [" 4", "first", "replaced again 1", "last"]);

    let was_dropped = || DROPPED.lock().expect("not poisoned").contains(&"replaced".to_owned());
    assert!(!was_dropped());
    drop(new);
    assert!(was_dropped(), "with the last registry that holds it");
    assert_eq!(env_vars(&newer), [" 5", "first", "replaced again 2", "last"]);
}

#[test]
fn a_configuration_is_for_every_version_of_a_plugin() {
    let rows =
        vec![row("configured", "2.0.0", 0, 0), row("a", "1.0.0", 0, 1), row("configured", "1.0.0", 1, 2)];
    let keys = [("a", "1.0.0"), ("configured", "1.0.0"), ("configured", "2.0.0")];
    let linked: Vec<_> = keys.iter().map(|(name, version)| registration(name, version)).collect();
    let registry = start(plan(rows), &linked).expect("as planned");
    let registry = registry.with_config("configured", &config("text: both")).expect("fits");
    assert_eq!(env_vars(&registry), ["both 1", "a", "both 1"]);
    let versions: Vec<_> = registry.entries().iter().map(|entry| entry.manifest.version.as_str()).collect();
    assert_eq!(versions, ["2.0.0", "1.0.0", "1.0.0"]);
    let found = registry.find("configured", "1.0.0").expect("is there");
    assert_eq!(found.position, 2);
    assert!(registry.find("a", "2.0.0").is_none());
}

#[test]
fn a_bad_configuration_makes_no_registry() {
    let registry = started(&["configured", "plain"]);
    let refusal = |plugin: &str, yaml: &str| {
        chain(&registry.with_config(plugin, &config(yaml)).expect_err("is refused"))
    };
    assert_eq!(
        refusal("configured", "txet: a"),
        "cannot construct plugin `configured` 1.0.0: wrong configuration of plugin `configured` 1.0.0 at `txet`: unknown \
         field `txet`, expected `text`"
    );
    assert_eq!(
        refusal("nobody", "text: a"),
        "the configuration has a section for plugin `nobody`, which `lifecycle` does not hold; it holds `configured`, \
         `plain`"
    );
    assert_eq!(env_vars(&registry), [" 1", "plain"]);
}

#[test]
fn one_plugin_that_fails_stops_no_other() {
    let registry =
        started(&["first", "panics", "errs", "errs-rudely", "hangs", "hangs-rudely", "waits", "last"]);
    assert_eq!(
        env_vars(&registry),
        [
            "first",
            "hook `job_runtime_env_vars` of plugin `panics` 1.0.0 failed: it panicked: boom in panics",
            "hook `job_runtime_env_vars` of plugin `errs` 1.0.0 failed: out of paper",
            "hook `job_runtime_env_vars` of plugin `errs-rudely` 1.0.0 failed: it panicked: no words",
            "hook `job_runtime_env_vars` of plugin `hangs` 1.0.0 failed: it did not finish within 30 s",
            "hook `job_runtime_env_vars` of plugin `hangs-rudely` 1.0.0 failed: it panicked: not like this",
            "waits",
            "last",
        ]
    );
}

#[test]
fn one_name_is_offered_once() {
    let collect = |registry: &Registry| {
        let mut outcomes = Vec::new();
        block_on(registry.call_every(
            Hook::JobTypes,
            |plugin| plugin.job_types(),
            |outcome| outcomes.push(outcome),
        ));
        Catalogue::collect(registry, Hook::JobTypes, outcomes)
    };
    let catalogue = collect(&started(&["same", "other"])).expect("no clash");
    assert_eq!(
        catalogue.iter().map(|(name, offer)| (name, offer.plugin)).collect::<Vec<_>>(),
        [("python3:1.0.0", 1), ("same:1.0.0", 0)]
    );
    let error = collect(&started(&["same", "other", "same-too"])).expect_err("a clash");
    assert!(matches!(error, CatalogueError::OfferedTwice { .. }));
    let concerned = ["same", "same-too", "other"].map(|plugin| error.concerns(plugin));
    assert_eq!(concerned, [true, true, false]);
    assert!(
        error
            .to_string()
            .starts_with("plugins `same` 1.0.0 and `same-too` 1.0.0 both offer job type `same:1.0.0`"),
        "{error}"
    );
}

#[test]
fn an_unimplemented_hook_has_its_default() {
    let registry = started(&["plain"]);
    let entry = registry.named("plain").expect("is there");
    let docs = block_on(registry.call_one(entry, Hook::MarkdownDocs, |plugin| plugin.markdown_docs()));
    assert_eq!(docs.expect("has a default"), None);
    let parameters = serde_json::Map::new();
    let event = racetrack_core::RunAction::new(&parameters);
    let failure = block_on(registry.call_one(entry, Hook::RunAction, |plugin| plugin.run_action(event)));
    assert_eq!(
        failure.expect_err("has no action").one_line(),
        "hook `run_action` of plugin `plain` 1.0.0 failed: this plugin has no action to run"
    );
}
