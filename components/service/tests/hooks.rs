//! Hooks that fail in every way there is, called as a server calls them.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use racetrack_core::hook::HookSet;
use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::host::registry::Outcome;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{EnvVars, Hook, HookResult, Plugin, async_trait};
use racetrack_service::HookRuntime;
use racetrack_service::config::{self, ServiceConfig};
use racetrack_service::hooks::TargetCall;
use racetrack_service::settings::NoSettings;

/// Long enough that a busy machine does not make a good plugin late.
const LIMIT: Duration = Duration::from_millis(500);

/// The plugins that have been let go on.
static RELEASED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static RELEASE: Condvar = Condvar::new();

/// Behaves as its name begins.
struct Named(String);

#[async_trait]
impl Plugin for Named {
    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        match self.0.split('-').next().unwrap_or_default() {
            "panics" => panic!("boom in {}", self.0),
            "hangs" => std::future::pending().await,
            "errs" => return Err("out of paper".into()),
            "waits" => tokio::time::sleep(Duration::from_millis(1)).await,
            "spawns" => tokio::spawn(std::future::ready(())).await?,
            "blocks" => {
                let released = RELEASED.lock().expect("not poisoned");
                drop(RELEASE.wait_while(released, |released| !released.contains(&self.0)));
            }
            _ => {}
        }
        Ok(EnvVars::from([("PLUGIN".to_owned(), self.0.clone())]))
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(self.job_runtime_env_vars().await?["PLUGIN"].clone()))
    }
}

/// Lets a blocked plugin go on, also when the test fails.
struct ReleaseAtEnd(&'static str);

impl Drop for ReleaseAtEnd {
    fn drop(&mut self) {
        if let Ok(mut released) = RELEASED.lock() {
            released.insert(self.0.to_owned());
        }
        RELEASE.notify_all();
    }
}

fn config() -> ServiceConfig {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = config::load::<NoSettings>(None, Default::default(), address).expect("defaults");
    ServiceConfig { hook_time_limit: LIMIT, ..config.service }
}

fn started(names: &[&'static str]) -> HookRuntime {
    let row = |(position, name): (usize, &&'static str)| PlannedPlugin {
        name,
        version: "1.0.0",
        priority: 0,
        position,
        category: None,
        url: None,
        build_date: None,
        components: &[],
        digest: "0",
        resources: &[],
    };
    let plan = Box::leak(Box::new(ComponentPlan {
        component: "lifecycle",
        description: None,
        plugins: names.iter().enumerate().map(row).collect::<Vec<_>>().leak(),
    }));
    let registration = |name: &&'static str| Registration {
        name,
        version: "1.0.0",
        type_name: "Named",
        hooks: HookSet::EMPTY.with(Hook::JobRuntimeEnvVars).with(Hook::MarkdownDocs),
        construct: |context| Ok(Box::new(Named(context.manifest().name.to_string()))),
    };
    let registrations: &'static [_] = names.iter().map(registration).collect::<Vec<_>>().leak();
    HookRuntime::start(plan, registrations, &config()).expect("as planned")
}

async fn env_vars(hooks: &HookRuntime) -> Vec<String> {
    let outcomes =
        hooks.call_every(Hook::JobRuntimeEnvVars, Arc::new(()), |plugin, ()| plugin.job_runtime_env_vars());
    let shown = |(index, outcome): (usize, Outcome<EnvVars>)| {
        assert_eq!(outcome.plugin, index, "one outcome per plugin, in hook order");
        match outcome.result {
            Ok(vars) => vars["PLUGIN"].clone(),
            Err(failure) => failure.one_line(),
        }
    };
    outcomes.await.into_iter().enumerate().map(shown).collect()
}

#[tokio::test]
async fn every_plugin_is_called_whatever_the_others_do() {
    let _release = (ReleaseAtEnd("blocks-first"), ReleaseAtEnd("blocks-last"));
    let names = ["blocks-first", "good", "panics", "errs", "hangs", "waits", "spawns", "blocks-last"];
    let hooks = started(&names);
    let failed = |name: &str, cause: &str| {
        format!("hook `job_runtime_env_vars` of plugin `{name}` 1.0.0 failed: {cause}")
    };
    let blocked = "it blocked its thread for more than 500 ms, and was given up";
    assert_eq!(
        env_vars(&hooks).await,
        [
            failed("blocks-first", blocked),
            "good".to_owned(),
            failed("panics", "it panicked: boom in panics"),
            failed("errs", "out of paper"),
            failed("hangs", "it did not finish within 500 ms"),
            "waits".to_owned(),
            "spawns".to_owned(),
            failed("blocks-last", blocked),
        ]
    );
}

#[tokio::test]
async fn hooks_that_block_take_no_thread_from_others() {
    let _release = ReleaseAtEnd("blocks-many");
    let hooks = started(&["blocks-many", "good"]);
    let registry = hooks.registry();
    let [blocks, good] = registry.entries() else { panic!("two plugins") };
    let docs =
        |entry| hooks.call_one(entry, Hook::MarkdownDocs, Arc::new(()), |plugin, ()| plugin.markdown_docs());
    let blocked = futures_util::future::join_all((0..20).map(|_| docs(blocks))).await;
    for result in blocked {
        let failure = result.expect_err("is given up");
        assert!(matches!(failure.cause, HookFailureCause::Blocked { limit: LIMIT }), "{failure:?}");
    }
    let answer = docs(good).await.expect("answers");
    assert_eq!(answer.as_deref(), Some("good"));
}

#[tokio::test]
async fn a_plugin_released_late_disturbs_no_later_round() {
    let release = ReleaseAtEnd("blocks-late");
    let hooks = started(&["blocks-late", "good"]);
    let blocked = env_vars(&hooks).await;
    assert!(blocked[0].contains("it blocked its thread"), "{}", blocked[0]);
    drop(release);
    assert_eq!(env_vars(&hooks).await, ["blocks-late", "good"]);
}

#[tokio::test]
async fn one_plugin_is_called_alone() {
    let hooks = started(&["good", "panics"]);
    let registry = hooks.registry();
    let [good, panics] = registry.entries() else { panic!("two plugins") };
    let docs =
        |entry| hooks.call_one(entry, Hook::MarkdownDocs, Arc::new(()), |plugin, ()| plugin.markdown_docs());
    assert_eq!(docs(good).await.expect("answers").as_deref(), Some("good"));
    assert_eq!(
        docs(panics).await.expect_err("panics").one_line(),
        "hook `markdown_docs` of plugin `panics` 1.0.0 failed: it panicked: boom in panics"
    );
}

#[tokio::test]
async fn the_event_reaches_every_plugin() {
    let hooks = started(&["a", "b"]);
    let event = Arc::new("the event".to_owned());
    let outcomes = hooks
        .call_every(Hook::JobRuntimeEnvVars, event, |_, event| Box::pin(async move { Ok(event.clone()) }));
    let answers: Vec<_> =
        outcomes.await.into_iter().map(|outcome| outcome.result.expect("answers")).collect();
    assert_eq!(answers, ["the event", "the event"]);
}

#[tokio::test]
async fn parts_of_targets_are_guarded_like_hooks() {
    let _release = ReleaseAtEnd("blocks-target");
    let hooks = started(&["good"]);
    let call = TargetCall { target: "docker", plugin: 0, method: "delete_job", limit: Some(LIMIT) };
    let ask = |name: &str| {
        let plugin = Named(name.to_owned());
        hooks.call_target(call, move || Box::pin(async move { plugin.job_runtime_env_vars().await }))
    };
    for good in ["good", "waits", "spawns"] {
        assert_eq!(ask(good).await.expect("answers")["PLUGIN"], good);
    }
    for (bad, cause) in [
        ("errs", "out of paper"),
        ("panics", "it panicked: boom in panics"),
        ("hangs", "it did not finish within 500 ms"),
        ("blocks-target", "it blocked its thread for more than 500 ms, and was given up"),
    ] {
        let failed = "`delete_job` of infrastructure target `docker` (plugin `good` 1.0.0) failed";
        assert_eq!(ask(bad).await.expect_err(bad).one_line(), format!("{failed}: {cause}"));
    }
}
