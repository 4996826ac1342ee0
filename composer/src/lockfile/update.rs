//! Accepting one plugin as it is now, and nothing else.

use std::collections::BTreeMap;

use super::difference::Difference;
use super::{Lock, LockedPlugin, capture};
use crate::plan::Loaded;

/// Why one plugin cannot be accepted alone: the lock would describe something that never was.
#[derive(Debug, thiserror::Error)]
#[error("`{plugin}` cannot be locked alone; `cargo xtask lock` accepts all that has changed:\n  {}", .others.join("\n  "))]
pub struct Inconsistent {
    /// The plugin that was to be locked.
    pub plugin: String,
    /// What else would have to be accepted.
    pub others: Vec<String>,
}

/// The lock with the entries of plugin `name` as they are now and all others as they were. Content of other plugins that
/// was not accepted stays so; what decides the order of hooks cannot be split.
pub fn update(lock: &Lock, loaded: &Loaded, name: &str) -> Result<Lock, Inconsistent> {
    let actual = Lock::of(loaded);
    let others = |lock: &Lock| lock.without(name).differences(&actual.without(name));
    let inseparable: Vec<_> = others(lock).into_iter().filter(is_inseparable).collect();
    if !inseparable.is_empty() {
        let others = inseparable.into_iter().map(|difference| difference.to_string()).collect();
        return Err(Inconsistent { plugin: name.to_owned(), others });
    }
    let locked = |plugin: &LockedPlugin| lock.plugins.iter().find(|locked| locked.title() == plugin.title());
    let plugins: Vec<_> = actual
        .plugins
        .into_iter()
        .map(|plugin| match locked(&plugin) {
            Some(locked) if plugin.name != name => locked.clone(),
            _ => plugin,
        })
        .collect();
    let digests: BTreeMap<_, _> =
        plugins.iter().map(|plugin| (plugin.title(), plugin.digest.clone())).collect();
    let components = loaded.plan.components.iter();
    let components = components.map(|component| capture::component(component, &digests)).collect();
    Ok(Lock { toolchain: lock.toolchain.clone(), plugins, components })
}

impl Lock {
    /// The lock as if the plugin were not there.
    fn without(&self, name: &str) -> Self {
        let mut lock = self.clone();
        lock.plugins.retain(|plugin| plugin.name != name);
        let is_other = |title: &String| title.split(' ').next() != Some(name);
        for component in &mut lock.components {
            component.plugins.retain(is_other);
            component.hooks.values_mut().for_each(|titles| titles.retain(is_other));
            component.hooks.retain(|_, titles| !titles.is_empty());
            component.plan.clear();
        }
        lock
    }
}

/// What a plugin is made of is its own business; what puts it into components and orders is not.
fn is_inseparable(difference: &Difference) -> bool {
    match difference {
        Difference::Toolchain(_) => false,
        Difference::Plugin { change, .. } => {
            !["source", "digest", "sha256", "allow-build-script"].contains(&change.field)
        }
        _ => true,
    }
}
