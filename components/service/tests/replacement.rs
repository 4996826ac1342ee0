//! Plugins that get another configuration while they are called.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::hook::HookSet;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{Hook, HookResult, Plugin, PluginContext, PluginError, async_trait};
use racetrack_service::HookRuntime;
use racetrack_service::config::{self, ServiceConfig};
use racetrack_service::hooks::PluginOwned;
use racetrack_service::kept_config::KeptConfig;
use racetrack_service::settings::NoSettings;
use serde_yaml::Value;
use tokio::sync::Semaphore;

/// What has happened, as the texts of the plugins it happened to.
static DROPPED: Notes = Notes::new();
/// Who may go on.
static RELEASED: Notes = Notes::new();

/// Who has begun to answer, and who may end.
static BEGUN: Semaphore = Semaphore::const_new(0);
static GO_ON: Semaphore = Semaphore::const_new(0);

/// Texts that threads wait for.
struct Notes(Mutex<Vec<String>>, Condvar);

/// Answers with its text.
struct Configured(Config);

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    text: String,
    /// Whether its constructor waits until it is released.
    constructs_late: bool,
    /// Whether it answers when told to go on.
    answers_late: bool,
    /// Whether its destructor waits until it is released.
    drops_late: bool,
}

impl Notes {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()), Condvar::new())
    }

    fn add(&self, text: &str) {
        self.0.lock().expect("not poisoned").push(text.to_owned());
        self.1.notify_all();
    }

    fn have(&self, text: &str) -> bool {
        self.0.lock().expect("not poisoned").iter().any(|note| note == text)
    }

    fn wait_for(&self, text: &str) {
        let notes = self.0.lock().expect("not poisoned");
        let is_missing = |notes: &mut Vec<String>| !notes.iter().any(|note| note == text);
        drop(self.1.wait_while(notes, is_missing).expect("not poisoned"));
    }
}

#[async_trait]
impl Plugin for Configured {
    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        if self.0.answers_late {
            BEGUN.add_permits(1);
            GO_ON.acquire().await?.forget();
        }
        Ok(Some(self.0.text.clone()))
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        if self.0.drops_late {
            RELEASED.wait_for(&self.0.text);
        }
        DROPPED.add(&self.0.text);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is that of `Registration::construct`")]
fn construct(context: PluginContext) -> Result<Box<dyn Plugin>, PluginError> {
    let config: Config = context.config()?;
    if config.constructs_late {
        RELEASED.wait_for(&config.text);
    }
    Ok(Box::new(Configured(config)))
}

fn service_config(sections: &[(&str, &str)], kept: &[(&str, &str)]) -> ServiceConfig {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = config::load::<NoSettings>(None, Default::default(), address).expect("defaults");
    let kept = kept.iter().map(|(plugin, text)| KeptConfig {
        plugin: plugin.parse().expect("is a name"),
        config: yaml(text),
        file: PathBuf::from(format!("state/plugins/{plugin}.yaml")),
    });
    ServiceConfig {
        plugins: sections.iter().map(|(name, text)| ((*name).to_owned(), yaml(text))).collect(),
        kept_configs: kept.collect(),
        ..config.service
    }
}

fn start(config: &ServiceConfig) -> Result<HookRuntime, String> {
    const ROW: PlannedPlugin = PlannedPlugin {
        name: "one",
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
    const ONE: Registration = Registration {
        name: "one",
        version: "1.0.0",
        type_name: "Configured",
        hooks: HookSet::EMPTY.with(Hook::MarkdownDocs),
        construct,
    };
    static PLAN: ComponentPlan = ComponentPlan {
        component: "lifecycle",
        description: None,
        plugins: &[ROW, PlannedPlugin { name: "two", position: 1, ..ROW }],
    };
    static LINKED: [Registration; 2] = [ONE, Registration { name: "two", ..ONE }];
    HookRuntime::start(&PLAN, &LINKED, config).map_err(|error| chain(&error))
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).expect("is YAML")
}

/// What every plugin answers now.
async fn texts(hooks: &HookRuntime) -> Vec<String> {
    let outcomes = hooks.call_every(Hook::MarkdownDocs, Arc::new(()), |plugin, ()| plugin.markdown_docs());
    let text = |docs: Option<String>| docs.expect("has docs");
    outcomes.await.into_iter().map(|outcome| text(outcome.result.expect("answers"))).collect()
}

#[tokio::test]
async fn a_call_under_way_ends_on_the_plugin_it_began_with() {
    let hooks = start(&service_config(&[("two", "text: two")], &[])).expect("starts");
    let held = yaml("{text: held, answers_late: true, drops_late: true}");
    hooks.replace(hooks.prepare("one", held).await.expect("fits"));
    let caller = hooks.clone();
    let under_way = tokio::spawn(async move { texts(&caller).await });
    BEGUN.acquire().await.expect("is open").forget();

    let former = hooks.registry().find("one", "1.0.0").expect("is there").clone();
    hooks.replace(hooks.prepare("one", yaml("text: new")).await.expect("fits"));
    assert_eq!(texts(&hooks).await, ["new", "two"]);
    let by_entry =
        hooks.call_one(&former, Hook::MarkdownDocs, Arc::new(()), |plugin, ()| plugin.markdown_docs());
    assert_eq!(
        by_entry.await.expect("answers").as_deref(),
        Some("new"),
        "whoever found it before the change"
    );
    // Whoever keeps an entry keeps the plugin.
    drop(PluginOwned::new(former));

    GO_ON.add_permits(1);
    assert_eq!(under_way.await.expect("ends"), ["held", "two"], "nobody waits for the destructor");
    assert!(!DROPPED.have("held"));
    RELEASED.add("held");
    DROPPED.wait_for("held");
    assert_eq!(texts(&hooks).await, ["new", "two"]);
}

#[tokio::test]
async fn a_plugin_that_does_not_come_into_being_changes_nothing() {
    let hooks = start(&service_config(&[("one", "text: old")], &[])).expect("starts");
    let refusal = async |plugin: &str, text: &str| {
        chain(&hooks.prepare(plugin, yaml(text)).await.expect_err("is refused"))
    };
    assert_eq!(
        refusal("one", "text: {}").await,
        "cannot construct plugin `one` 1.0.0: wrong configuration of plugin `one` 1.0.0 at `text`: invalid type: map, \
         expected a string"
    );
    let unknown = refusal("three", "text: a").await;
    assert!(unknown.contains("plugin `three`, which `lifecycle` does not hold"), "{unknown}");
    assert_eq!(texts(&hooks).await, ["old", ""]);
}

#[tokio::test]
async fn a_constructor_that_blocks_is_given_up() {
    let config = service_config(&[("one", "text: old")], &[]);
    let hooks =
        start(&ServiceConfig { hook_time_limit: Duration::from_millis(500), ..config }).expect("starts");
    let late = hooks.prepare("one", yaml("{text: late, constructs_late: true}")).await;
    assert_eq!(
        chain(&late.expect_err("is refused")),
        "cannot construct plugin `one`: it blocked its thread for more than 500 ms, and was given up"
    );
    RELEASED.add("late");
    DROPPED.wait_for("late");
    assert_eq!(texts(&hooks).await, ["old", ""], "also when it comes late");
}

#[tokio::test]
async fn a_replacement_that_is_not_used_is_dropped() {
    let hooks = start(&service_config(&[("one", "text: stays")], &[])).expect("starts");
    let replacement = hooks.prepare("one", yaml("text: tried")).await.expect("fits");
    assert_eq!(texts(replacement.hooks()).await, ["tried", ""]);
    assert_eq!(texts(&hooks).await, ["stays", ""]);
    drop(replacement);
    DROPPED.wait_for("tried");
    assert_eq!(texts(&hooks).await, ["stays", ""]);
}

#[tokio::test]
async fn what_is_kept_goes_before_the_section_of_the_file() {
    let sections = [("one", "not even: good"), ("two", "text: from the file")];
    let hooks =
        start(&service_config(&sections, &[("one", "text: kept"), ("gone", "text: a")])).expect("starts");
    assert_eq!(texts(&hooks).await, ["kept", "from the file"]);
    assert_eq!(hooks.section("one"), Some(&yaml("not even: good")));
    assert_eq!(hooks.section("gone"), None);
}

#[tokio::test]
async fn a_start_that_fails_names_the_file_only_where_it_is_to_blame() {
    let refusal =
        |sections: &[_], kept: &[_]| start(&service_config(sections, kept)).expect_err("is refused");
    assert_eq!(
        refusal(&[], &[("two", "text: fine"), ("one", "txet: a")]),
        "plugin `one` is not usable with the configuration that it was given at run time, which is kept in \
         state/plugins/one.yaml; remove that file to go back to the plugin's section of the configuration file: cannot \
         construct plugin `one` 1.0.0: wrong configuration of plugin `one` 1.0.0 at `txet`: unknown field `txet`, expected \
         one of `text`, `constructs_late`, `answers_late`, `drops_late`"
    );
    let of_the_section = refusal(&[("one", "txet: a")], &[("two", "text: fine")]);
    assert!(of_the_section.starts_with("cannot construct plugin `one` 1.0.0: "), "{of_the_section}");
}
