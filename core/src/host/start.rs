//! What can keep a component from starting: plugins that differ from the plan, or that cannot be constructed.

use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::Value;

use crate::host::failure::HookFailureCause;
use crate::host::plan::{ComponentPlan, PlannedPlugin};
use crate::model::plugin_manifest::PluginManifest;
use crate::model::plugin_manifest::UnknownCategory;
use crate::model::plugin_name::InvalidPluginName;
use crate::model::version::InvalidVersion;
use crate::sdk::registration::Registration;

/// Why the plugins of a component could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The binary does not hold the plugins it was planned with.
    #[error(
        "the plugins linked into `{component}` are not the planned ones: {difference}; rebuild it with `cargo xtask build`"
    )]
    NotAsPlanned {
        /// The component.
        component: &'static str,
        /// What differs.
        difference: PlanDifference,
    },
    /// The rows of the plan are not sorted, or two have one place.
    #[error(
        "the build plan of `{component}` is not in hook order at plugin `{name}` {version}; rebuild it with `cargo xtask build`"
    )]
    PlanOutOfOrder {
        /// The component.
        component: &'static str,
        /// The plugin of the first row that is out of place.
        name: &'static str,
        /// Its version.
        version: &'static str,
    },
    /// A row of the plan has an invalid name.
    #[error("the build plan holds the invalid plugin name `{name}`")]
    PlannedName {
        /// The text that is no name.
        name: &'static str,
        /// Why.
        #[source]
        source: InvalidPluginName,
    },
    /// A row of the plan has an invalid version.
    #[error("the build plan holds an invalid version of plugin `{name}`")]
    PlannedVersion {
        /// The plugin.
        name: &'static str,
        /// Why.
        #[source]
        source: InvalidVersion,
    },
    /// A row of the plan has an unknown category.
    #[error("the build plan holds an invalid category of plugin `{name}`")]
    PlannedCategory {
        /// The plugin.
        name: &'static str,
        /// Why.
        #[source]
        source: UnknownCategory,
    },
    /// The configuration has a section for a plugin that is not linked.
    #[error(
        "the configuration has a section for plugin `{name}`, which `{component}` does not hold; it holds {known}"
    )]
    ConfigForUnknownPlugin {
        /// The component.
        component: &'static str,
        /// The name found in the configuration.
        name: String,
        /// The plugins there are.
        known: String,
    },
    /// The constructor of a plugin failed.
    #[error("cannot construct plugin `{name}` {version}")]
    Construct {
        /// The plugin.
        name: &'static str,
        /// Its version.
        version: &'static str,
        /// What happened.
        #[source]
        source: HookFailureCause,
    },
}

/// How the linked plugins differ from the planned ones. Each list holds `name version` texts, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanDifference {
    /// Planned, but nothing registered it.
    pub missing: Vec<String>,
    /// Registered, but not planned.
    pub unplanned: Vec<String>,
    /// Registered more than once.
    pub repeated: Vec<String>,
}

impl fmt::Display for PlanDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (&self.missing, "planned but not linked"),
            (&self.unplanned, "linked but not planned"),
            (&self.repeated, "registered more than once"),
        ];
        let mut separator = "";
        for (plugins, meaning) in parts.iter().filter(|(plugins, _)| !plugins.is_empty()) {
            write!(f, "{separator}{} ({meaning})", plugins.join(", "))?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Pairs each planned row with its registration, one to one, in hook order.
pub(crate) fn match_plan(
    plan: &'static ComponentPlan,
    registrations: impl IntoIterator<Item = &'static Registration>,
) -> Result<Vec<(&'static PlannedPlugin, &'static Registration)>, StartError> {
    check_order(plan)?;
    let mut difference = PlanDifference::default();
    let mut linked: BTreeMap<(&str, &str), &'static Registration> = BTreeMap::new();
    for registration in registrations {
        let key = (registration.name, registration.version);
        if linked.insert(key, registration).is_some() {
            difference.repeated.push(shown(key));
        }
    }
    let mut rows = Vec::with_capacity(plan.plugins.len());
    for row in plan.plugins {
        let key = (row.name, row.version);
        match linked.remove(&key) {
            Some(registration) => rows.push((row, registration)),
            None => difference.missing.push(shown(key)),
        }
    }
    difference.unplanned = linked.into_keys().map(shown).collect();
    difference.missing.sort();
    difference.repeated.sort();
    difference.repeated.dedup();
    if difference == PlanDifference::default() {
        return Ok(rows);
    }
    Err(StartError::NotAsPlanned { component: plan.component, difference })
}

/// Refuses a configuration for a plugin that is not there: it is a misspelling, or meant for another component.
pub(crate) fn check_configs(
    plan: &ComponentPlan,
    configs: &BTreeMap<String, Value>,
) -> Result<(), StartError> {
    let unknown = configs.keys().find(|name| !plan.plugins.iter().any(|row| row.name == name.as_str()));
    let Some(name) = unknown else { return Ok(()) };
    let known = plan.plugins.iter().map(|row| row.name);
    Err(config_for_unknown_plugin(plan.component, name, known))
}

/// The refusal of a configuration for a plugin that is not there.
pub(crate) fn config_for_unknown_plugin<'a>(
    component: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> StartError {
    let mut known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
    known.dedup();
    let known = if known.is_empty() { "no plugin".to_owned() } else { known.join(", ") };
    StartError::ConfigForUnknownPlugin { component, name: name.to_owned(), known }
}

/// The plugin manifest that a row was made from.
pub(crate) fn manifest_of(row: &PlannedPlugin) -> Result<PluginManifest, StartError> {
    let name = row.name;
    let plugin_name = name.parse().map_err(|source| StartError::PlannedName { name, source })?;
    let version = row.version.parse().map_err(|source| StartError::PlannedVersion { name, source })?;
    let category = row.category.map(str::parse).transpose();
    let mut manifest = PluginManifest::new(plugin_name, version);
    manifest.category = category.map_err(|source| StartError::PlannedCategory { name, source })?;
    manifest.priority = row.priority;
    manifest.url = row.url.map(str::to_owned);
    manifest.build_date = row.build_date.map(str::to_owned);
    manifest.components = row.components.iter().map(|component| (*component).to_owned()).collect();
    Ok(manifest)
}

fn check_order(plan: &ComponentPlan) -> Result<(), StartError> {
    let place = |row: &PlannedPlugin| (row.priority, row.position);
    match plan.plugins.windows(2).find(|pair| place(&pair[0]) >= place(&pair[1])) {
        None => Ok(()),
        Some(pair) => Err(StartError::PlanOutOfOrder {
            component: plan.component,
            name: pair[1].name,
            version: pair[1].version,
        }),
    }
}

fn shown((name, version): (&str, &str)) -> String {
    format!("`{name}` {version}")
}
