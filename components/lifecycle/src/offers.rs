//! What the plugins offer: job types, and infrastructure targets.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use racetrack_core::host::catalogue::{Catalogue, CatalogueError, Offer};
use racetrack_core::host::registry::Outcome;
use racetrack_core::{Hook, InfrastructureTarget, JobType};
use racetrack_service::hooks::{HookCall, PluginOwned, Replacement};
use racetrack_service::{ApiError, HookRuntime, plugin_endpoints};

use crate::request_error::RequestError;

/// What the plugins said they offer when they were last asked.
#[derive(Clone, Debug)]
pub(crate) struct Offers {
    /// How jobs are made.
    pub(crate) job_types: Arc<PluginOwned<Catalogue<JobType>>>,
    /// Where jobs run.
    pub(crate) targets: Arc<PluginOwned<Catalogue<InfrastructureTarget>>>,
}

/// What the plugins offer now: it changes when a plugin is given another configuration. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct CurrentOffers(Arc<RwLock<Arc<Offers>>>);

/// Why no infrastructure target can be chosen.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetChoiceError {
    #[error("No infrastructure targets available. Install appropriate plugin.")]
    None,
    #[error("Selected infrastructure target \"{selected}\" is unavailable. Available are {}.", .available.join(", "))]
    Unavailable { selected: String, available: Vec<String> },
    #[error("Multiple infrastructure targets available: [{}]. Please pick one.", .0.join(", "))]
    Ambiguous(Vec<String>),
}

impl Offers {
    /// Asks every plugin.
    ///
    /// # Errors
    /// [`CatalogueError`] when a plugin fails, or two offer the same.
    pub(crate) async fn collect(hooks: &HookRuntime) -> Result<Self, CatalogueError> {
        let job_types = plugin_endpoints::collect_job_types(hooks).await?;
        let hook = Hook::InfrastructureTargets;
        let targets = hooks.call_every(hook, Arc::new(()), |plugin, ()| plugin.infrastructure_targets());
        let targets = Catalogue::collect(&hooks.registry(), hook, targets.await)?;
        Ok(Self::new(job_types, targets))
    }

    /// Asks one plugin anew, in all its versions. What the others said holds.
    ///
    /// # Errors
    /// [`CatalogueError`] when it fails, or offers what another one does.
    pub(crate) async fn renewed(&self, hooks: &HookRuntime, plugin: &str) -> Result<Self, CatalogueError> {
        let hook = Hook::JobTypes;
        let job_types = renewed(hooks, plugin, hook, &self.job_types, |plugin, ()| plugin.job_types());
        let job_types = job_types.await?;
        let hook = Hook::InfrastructureTargets;
        let ask: HookCall<(), _> = |plugin, ()| plugin.infrastructure_targets();
        let targets = renewed(hooks, plugin, hook, &self.targets, ask).await?;
        Ok(Self::new(job_types, targets))
    }

    /// The target of this name.
    pub(crate) fn target(&self, name: &str) -> Result<&Offer<InfrastructureTarget>, TargetChoiceError> {
        self.targets.get(name).ok_or_else(|| {
            let available = self.target_names();
            if available.is_empty() {
                return TargetChoiceError::None;
            }
            TargetChoiceError::Unavailable { selected: name.to_owned(), available }
        })
    }

    /// Where a job goes: where its manifest wants it, else to the only target, else where the settings say.
    pub(crate) fn choose_target(
        &self,
        wanted: Option<&str>,
        default: Option<&str>,
    ) -> Result<String, TargetChoiceError> {
        let mut names = self.target_names();
        match (wanted, names.as_slice(), default) {
            (_, [], _) => Err(TargetChoiceError::None),
            (None, [_], _) => Ok(names.remove(0)),
            (Some(name), ..) | (None, _, Some(name)) => self.target(name).map(|_| name.to_owned()),
            (None, _, None) => Err(TargetChoiceError::Ambiguous(names)),
        }
    }

    fn new(job_types: Catalogue<JobType>, targets: Catalogue<InfrastructureTarget>) -> Self {
        Self {
            job_types: Arc::new(PluginOwned::new(job_types)),
            targets: Arc::new(PluginOwned::new(targets)),
        }
    }

    fn target_names(&self) -> Vec<String> {
        self.targets.iter().map(|(name, _)| name.to_owned()).collect()
    }
}

impl CurrentOffers {
    pub(crate) fn new(offers: Offers) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(offers))))
    }

    /// What they offer at this moment.
    pub(crate) fn get(&self) -> Arc<Offers> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other plugins in place, with what they offer.
    pub(crate) fn replace(&self, hooks: &HookRuntime, replacement: Replacement, offers: Offers) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        hooks.replace(replacement);
        *current = Arc::new(offers);
    }
}

async fn renewed<T: Clone + Send + 'static>(
    hooks: &HookRuntime,
    plugin: &str,
    hook: Hook,
    former: &Catalogue<T>,
    ask: HookCall<(), BTreeMap<String, T>>,
) -> Result<Catalogue<T>, CatalogueError> {
    let registry = hooks.registry();
    let mut outcomes = Vec::new();
    for (index, entry) in registry.entries().iter().enumerate() {
        let result = if entry.manifest.name.as_str() != plugin {
            let own = former.iter().filter(|(_, offer)| offer.plugin == index);
            Ok(own.map(|(name, offer)| (name.to_owned(), offer.item.clone())).collect())
        } else if entry.hooks.contains(hook) {
            hooks.call_one(entry, hook, Arc::new(()), ask).await
        } else {
            continue;
        };
        outcomes.push(Outcome { plugin: index, result });
    }
    Catalogue::collect(&registry, hook, outcomes)
}

impl From<TargetChoiceError> for RequestError {
    fn from(error: TargetChoiceError) -> Self {
        ApiError::invalid(error.to_string()).into()
    }
}
