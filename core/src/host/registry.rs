//! The plugins of a running component, in hook order.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_yaml::Value;

use crate::host::failure::{HookFailure, HookFailureCause};

use crate::host::plan::{ComponentPlan, PlannedPlugin};
use crate::host::progress::Progress;
use crate::host::round::Round;
use crate::host::start::{self, StartError};
use crate::host::time_limit::TimeLimit;
use crate::model::plugin_manifest::PluginManifest;
use crate::sdk::context::PluginContext;
use crate::sdk::hook::{Hook, HookSet};
use crate::sdk::hook_result::HookResult;
use crate::sdk::plugin::Plugin;
use crate::sdk::registration::{self, Registration};

/// The plugins of a component, constructed, in hook order, with one list per hook.
pub struct Registry {
    component: &'static str,
    entries: Vec<PluginEntry>,
    by_hook: [Vec<Target>; Hook::COUNT],
    limit: TimeLimit,
}

/// One plugin of the registry. Clones share the plugin.
#[derive(Clone)]
pub struct PluginEntry {
    /// What the plugin manifest says.
    pub manifest: PluginManifest,
    /// The place of the plugin's table among those of the component's plugins, from 0.
    pub position: usize,
    /// The digest of the plugin's source, in hexadecimal.
    pub digest: &'static str,
    /// The hooks the plugin implements.
    pub hooks: HookSet,
    plugin: Arc<dyn Plugin>,
    row: &'static PlannedPlugin,
    registration: &'static Registration,
}

/// A plugin in the list of one hook. The lists hold the plugins themselves, so that a round walks over one short row of
/// memory.
struct Target {
    plugin: Arc<dyn Plugin>,
    entry: usize,
}

/// What one call of a hook gave: the plugin, and its answer or its failure.
pub struct Outcome<T> {
    /// The index of the plugin among the registry's [entries](Registry::entries).
    pub plugin: usize,
    /// What it answered.
    pub result: Result<T, HookFailure>,
}

impl Registry {
    /// Constructs the plugins that are linked into this binary, after checking that they are exactly the planned ones.
    ///
    /// `configs` holds the run-time configuration of plugins by name.
    ///
    /// # Errors
    /// [`StartError`] when the linked plugins differ from the plan, a configuration names no plugin, or a plugin
    /// cannot be constructed.
    pub fn start(
        plan: &'static ComponentPlan,
        configs: &BTreeMap<String, Value>,
        limit: TimeLimit,
    ) -> Result<Self, StartError> {
        Self::start_with(plan, registration::linked(), configs, limit)
    }

    /// Like [`start`](Self::start), for given registrations instead of the linked ones.
    ///
    /// # Errors
    /// The same.
    pub fn start_with(
        plan: &'static ComponentPlan,
        registrations: impl IntoIterator<Item = &'static Registration>,
        configs: &BTreeMap<String, Value>,
        limit: TimeLimit,
    ) -> Result<Self, StartError> {
        let rows = start::match_plan(plan, registrations)?;
        start::check_configs(plan, configs)?;
        let entries = rows.into_iter().map(|(row, found)| {
            let config = configs.get(row.name).cloned().unwrap_or(Value::Null);
            construct(row, found, config)
        });
        Ok(Self::of(plan.component, entries.collect::<Result<_, _>>()?, limit))
    }

    /// A registry like this one, in which one plugin has been constructed anew, with another configuration. The other
    /// plugins are shared, and this registry stays as it is.
    ///
    /// A configuration is for every version of the plugin, as it is in the configuration file. Order and hooks are the
    /// same, so an index means the same plugin in both registries. The plugins that are replaced are dropped with this
    /// registry.
    ///
    /// # Errors
    /// [`StartError`] when there is no plugin of that name, or a version of it cannot be constructed.
    pub fn with_config(&self, plugin: &str, config: &Value) -> Result<Self, StartError> {
        let is_meant = |entry: &PluginEntry| entry.manifest.name.as_str() == plugin;
        if !self.entries.iter().any(is_meant) {
            let known = self.entries.iter().map(|entry| entry.manifest.name.as_str());
            return Err(start::config_for_unknown_plugin(self.component, plugin, known));
        }
        let entries = self.entries.iter().map(|entry| {
            if is_meant(entry) {
                construct(entry.row, entry.registration, config.clone())
            } else {
                Ok(entry.clone())
            }
        });
        Ok(Self::of(self.component, entries.collect::<Result<_, _>>()?, self.limit.clone()))
    }

    /// The component whose plugins these are.
    pub const fn component(&self) -> &'static str {
        self.component
    }

    /// Every plugin, in hook order.
    pub fn entries(&self) -> &[PluginEntry] {
        &self.entries
    }

    /// The plugins that implement a hook, in the order in which it reaches them.
    pub fn implementing(&self, hook: Hook) -> impl ExactSizeIterator<Item = &PluginEntry> {
        self.by_hook[hook.index()].iter().map(|target| &self.entries[target.entry])
    }

    /// The plugin of that name; of several versions the one with the highest.
    pub fn named(&self, name: &str) -> Option<&PluginEntry> {
        let of_that_name = self.entries.iter().filter(|entry| entry.manifest.name.as_str() == name);
        of_that_name.max_by(|left, right| left.manifest.version.cmp(&right.manifest.version))
    }

    /// The plugin of that name and version.
    pub fn find(&self, name: &str, version: &str) -> Option<&PluginEntry> {
        let is_meant = |manifest: &PluginManifest| {
            manifest.name.as_str() == name && manifest.version.as_str() == version
        };
        self.entries.iter().find(|entry| is_meant(&entry.manifest))
    }

    /// Calls a hook on every plugin that implements it, one after the other, and hands each outcome to `each`.
    #[inline]
    pub fn call_every<'a, T>(
        &'a self,
        hook: Hook,
        call: impl Fn(&'a dyn Plugin) -> BoxFuture<'a, HookResult<T>>,
        each: impl FnMut(Outcome<T>),
    ) -> impl Future<Output = ()> {
        self.round(hook, 0, None, call, each)
    }

    /// Like [`call_every`](Self::call_every), from the plugin at index `first` of the hook's list on, noting in
    /// `progress` which plugin is being called.
    pub fn call_from<'a, 'p, T>(
        &'a self,
        hook: Hook,
        first: usize,
        progress: &'p Progress,
        call: impl Fn(&'a dyn Plugin) -> BoxFuture<'a, HookResult<T>>,
        each: impl FnMut(Outcome<T>),
    ) -> impl Future<Output = ()>
    where
        'a: 'p,
    {
        self.round(hook, first, Some(progress), call, each)
    }

    /// Calls a hook on one plugin, whether it implements the hook or not.
    ///
    /// # Errors
    /// [`HookFailure`] when the hook fails.
    pub async fn call_one<'a, T>(
        &'a self,
        entry: &'a PluginEntry,
        hook: Hook,
        call: impl Fn(&'a dyn Plugin) -> BoxFuture<'a, HookResult<T>>,
    ) -> Result<T, HookFailure> {
        let mut answer = None;
        let plugin = |index: usize| (index == 0).then_some(&*entry.plugin);
        let blame = |_, cause| entry.failure(hook, cause);
        Round::new(plugin, 0, &self.limit, None, call, blame, |_, result| {
            answer = Some(result);
        })
        .await;
        answer.expect("a round over one plugin has one answer")
    }

    /// The registry of these plugins, with the list of each hook.
    fn of(component: &'static str, entries: Vec<PluginEntry>, limit: TimeLimit) -> Self {
        let mut by_hook: [Vec<Target>; Hook::COUNT] = Default::default();
        for hook in Hook::catalogue().iter().map(|descriptor| descriptor.hook) {
            let implementing = entries.iter().enumerate().filter(|(_, entry)| entry.hooks.contains(hook));
            let targets =
                implementing.map(|(index, entry)| Target { plugin: Arc::clone(&entry.plugin), entry: index });
            by_hook[hook.index()] = targets.collect();
        }
        Self { component, entries, by_hook, limit }
    }

    fn round<'a, 'p, T>(
        &'a self,
        hook: Hook,
        first: usize,
        progress: Option<&'p Progress>,
        call: impl Fn(&'a dyn Plugin) -> BoxFuture<'a, HookResult<T>>,
        mut each: impl FnMut(Outcome<T>),
    ) -> impl Future<Output = ()>
    where
        'a: 'p,
    {
        let targets = &self.by_hook[hook.index()];
        let plugin = |index: usize| targets.get(index).map(|target| &*target.plugin);
        let blame = move |index: usize, cause| self.entries[targets[index].entry].failure(hook, cause);
        let finished = move |index: usize, result| {
            each(Outcome { plugin: targets[index].entry, result });
        };
        Round::new(plugin, first, &self.limit, progress, call, blame, finished)
    }

    /// The failure of the plugin at index `index` of the hook's list.
    pub fn failure_at(
        &self,
        hook: Hook,
        index: usize,
        cause: HookFailureCause,
    ) -> Outcome<std::convert::Infallible> {
        let plugin = self.by_hook[hook.index()][index].entry;
        Outcome { plugin, result: Err(self.entries[plugin].failure(hook, cause)) }
    }

    /// How long one hook of one plugin may take.
    pub const fn time_limit(&self) -> &TimeLimit {
        &self.limit
    }
}

impl PluginEntry {
    /// A failure of this plugin.
    pub fn failure(&self, hook: Hook, cause: HookFailureCause) -> HookFailure {
        let manifest = &self.manifest;
        HookFailure { hook, plugin: manifest.name.clone(), version: manifest.version.clone(), cause }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("component", &self.component)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PluginEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginEntry({} {})", self.manifest.name, self.manifest.version)
    }
}

fn construct(
    row: &'static PlannedPlugin,
    registration: &'static Registration,
    config: Value,
) -> Result<PluginEntry, StartError> {
    let manifest = start::manifest_of(row)?;
    let context = PluginContext::new(manifest.clone(), row.resources, config);
    let failed = |source| StartError::Construct { name: row.name, version: row.version, source };
    // The text of an error is the plugin's code as well, so it is made inside.
    let constructed =
        catch_unwind(AssertUnwindSafe(|| (registration.construct)(context).map_err(HookFailureCause::from)));
    let plugin =
        constructed.map_err(|payload| failed(HookFailureCause::from_panic(&*payload)))?.map_err(failed)?;
    Ok(PluginEntry {
        manifest,
        position: row.position,
        digest: row.digest,
        hooks: registration.hooks,
        plugin: plugin.into(),
        row,
        registration,
    })
}
