//! What the plugins of a component offer together: job types and infrastructure targets, each offered once.

use std::collections::BTreeMap;

use crate::host::failure::HookFailure;
use crate::host::registry::{Outcome, Registry};
use crate::model::plugin_name::PluginName;
use crate::model::version::Version;
use crate::sdk::hook::Hook;

/// Everything of one kind that the plugins offer, by name.
#[derive(Debug)]
pub struct Catalogue<T>(BTreeMap<String, Offer<T>>);

/// One thing on offer, and who offers it.
#[derive(Debug)]
pub struct Offer<T> {
    /// The index of the plugin among the registry's entries.
    pub plugin: usize,
    /// The thing.
    pub item: T,
}

/// Why the offers of the plugins do not make a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The hook of a plugin failed.
    #[error(transparent)]
    Hook(#[from] HookFailure),
    /// Two plugins offer one name.
    #[error(
        "plugins `{}` {} and `{}` {} both offer {kind} `{name}`; \
         remove one of them from racetrack.toml, or narrow its `components`",
        .plugins[0].0, .plugins[0].1, .plugins[1].0, .plugins[1].1
    )]
    OfferedTwice {
        /// What is offered: `job type` or `infrastructure target`.
        kind: &'static str,
        /// The name that both offer.
        name: String,
        /// The plugins that offer it, in hook order.
        plugins: Box<[(PluginName, Version); 2]>,
    },
}

impl CatalogueError {
    /// Whether it comes from this plugin, or from what it offers beside another one.
    pub fn concerns(&self, plugin: &str) -> bool {
        match self {
            Self::Hook(failure) => failure.plugin.as_str() == plugin,
            Self::OfferedTwice { plugins, .. } => plugins.iter().any(|(name, _)| name.as_str() == plugin),
        }
    }
}

impl<T> Catalogue<T> {
    /// Makes the catalogue of what `hook` gave.
    ///
    /// # Errors
    /// [`CatalogueError`] at the first failure, or the first name that is offered twice, in hook order.
    pub fn collect(
        registry: &Registry,
        hook: Hook,
        outcomes: Vec<Outcome<BTreeMap<String, T>>>,
    ) -> Result<Self, CatalogueError> {
        let mut offers = BTreeMap::new();
        for Outcome { plugin, result } in outcomes {
            for (name, item) in result? {
                if let Some(Offer { plugin: first, .. }) = offers.get(&name) {
                    return Err(offered_twice(registry, hook, name, *first, plugin));
                }
                offers.insert(name, Offer { plugin, item });
            }
        }
        Ok(Self(offers))
    }

    /// The thing of that name.
    pub fn get(&self, name: &str) -> Option<&Offer<T>> {
        self.0.get(name)
    }

    /// Everything, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Offer<T>)> {
        self.0.iter().map(|(name, offer)| (name.as_str(), offer))
    }
}

fn offered_twice(
    registry: &Registry,
    hook: Hook,
    name: String,
    first: usize,
    second: usize,
) -> CatalogueError {
    let kind = if hook == Hook::JobTypes { "job type" } else { "infrastructure target" };
    let plugins = [first, second].map(|index| {
        let manifest = &registry.entries()[index].manifest;
        (manifest.name.clone(), manifest.version.clone())
    });
    CatalogueError::OfferedTwice { kind, name, plugins: Box::new(plugins) }
}
