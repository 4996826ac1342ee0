//! Gives a plugin another configuration: another one is constructed and tried before it takes the plugin's place.

use std::future::ready;
use std::mem;
use std::sync::{Arc, PoisonError, RwLock};

use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::host::start::StartError;
use serde_yaml::Value;

use super::plugin_owned::PluginOwned;
use super::runtime::{HookRuntime, Inner};

/// The plugins, one of them constructed anew, while the former ones are still called.
#[derive(Debug)]
pub struct Replacement(HookRuntime);

/// Why a plugin does not come into being with another configuration.
#[derive(Debug, thiserror::Error)]
pub enum ReplacementError {
    /// The plugin is not there, or refuses the configuration.
    #[error(transparent)]
    Start(StartError),
    /// Its constructor does not come to an end.
    #[error("cannot construct plugin `{plugin}`")]
    Construct {
        /// The plugin.
        plugin: String,
        /// What happened.
        #[source]
        source: HookFailureCause,
    },
}

impl Replacement {
    /// Calls the plugins as they would be.
    pub const fn hooks(&self) -> &HookRuntime {
        &self.0
    }
}

impl HookRuntime {
    /// Constructs a plugin anew, with another configuration, on a thread of its own. Nothing changes for anybody until
    /// the replacement is put in place by [`replace`](Self::replace).
    ///
    /// # Errors
    /// [`ReplacementError`] when the plugin does not come into being.
    pub async fn prepare(&self, plugin: &str, config: Value) -> Result<Replacement, ReplacementError> {
        let registry = self.registry();
        let limit = registry.time_limit().duration;
        let name = plugin.to_owned();
        // The registry moves along: a plugin that is constructed late is dropped there, not here.
        let constructed = self.run_on_thread(limit, move || {
            let constructed = registry.with_config(&name, &config).map(PluginOwned::new);
            Box::pin(ready(Ok(constructed)))
        });
        let constructed = constructed.await;
        let constructed = constructed
            .map_err(|source| ReplacementError::Construct { plugin: plugin.to_owned(), source })?;
        let registry = Arc::new(constructed.map_err(ReplacementError::Start)?);
        let common = Arc::clone(&self.0.common);
        Ok(Replacement(Self(Arc::new(Inner { registry: RwLock::new(registry), common }))))
    }

    /// Puts the replacement in place, for all clones of this and every call that begins later. Calls under way end on the
    /// plugins they began with; the one that was replaced is dropped after the last of them.
    pub fn replace(&self, replacement: Replacement) {
        let new = replacement.0;
        let mut current = self.0.registry.write().unwrap_or_else(PoisonError::into_inner);
        let former = mem::replace(&mut *current, new.registry());
        drop(current);
        drop(former);
    }
}
