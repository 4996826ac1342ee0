//! The plugins of two locks, brought together.

use std::collections::BTreeMap;

use super::LockedPlugin;

/// Which plugin of one lock is which of another. A plugin of which one version went and another came is the same.
#[derive(Debug)]
pub struct Pairs<'a> {
    /// Those of both, each as it was and as it is.
    pub both: Vec<(&'a LockedPlugin, &'a LockedPlugin)>,
    /// Those that were not there.
    pub added: Vec<&'a LockedPlugin>,
    /// Those that are no longer there.
    pub removed: Vec<&'a LockedPlugin>,
}

impl<'a> Pairs<'a> {
    /// Compares the plugins of an expected lock with those of the actual one.
    pub fn of(expected: &'a [LockedPlugin], actual: &'a [LockedPlugin]) -> Self {
        let by_title = |plugins: &'a [LockedPlugin]| -> BTreeMap<_, _> {
            plugins.iter().map(|plugin| (plugin.title(), plugin)).collect()
        };
        let (were, are) = (by_title(expected), by_title(actual));
        let of_both = |plugin: &'a LockedPlugin| Some((*were.get(&plugin.title())?, plugin));
        let mut both: Vec<_> = actual.iter().filter_map(of_both).collect();
        let mut added: Vec<_> = actual.iter().filter(|plugin| !were.contains_key(&plugin.title())).collect();
        let mut removed: Vec<_> =
            expected.iter().filter(|plugin| !are.contains_key(&plugin.title())).collect();
        let versions = |plugins: &[&LockedPlugin], name: &str| {
            plugins.iter().filter(|plugin| plugin.name == name).count()
        };
        let of_one_version = |(was, is): &(&LockedPlugin, &LockedPlugin)| {
            was.name == is.name && versions(&removed, &was.name) == 1 && versions(&added, &is.name) == 1
        };
        let candidates = removed.iter().flat_map(|was| added.iter().map(|is| (*was, *is)));
        let renewed: Vec<_> = candidates.filter(of_one_version).collect();
        added.retain(|plugin| !renewed.iter().any(|(_, is)| is.name == plugin.name));
        removed.retain(|plugin| !renewed.iter().any(|(was, _)| was.name == plugin.name));
        both.extend(renewed);
        Self { both, added, removed }
    }

    /// The plugin as it was, if it was there.
    pub fn locked(&self, actual: &LockedPlugin) -> Option<&'a LockedPlugin> {
        let mut found = self.both.iter().filter(|(_, is)| is.title() == actual.title());
        found.next().map(|(was, _)| *was)
    }
}
