//! `cargo xtask plan`: the plugins of each component in hook order, and the call order of each hook.
//!
//! The JSON form is
//! `{"components": {NAME: {"package", "plugins": [PLUGIN], "hooks": {HOOK: [{"name", "version"}]}}}}`, where each
//! `PLUGIN` is `{"name", "version", "priority", "position", "category", "source", "digest", "hooks": [HOOK]}`. The
//! plugins are in hook order; `position` counts all `[[plugin]]` tables of the declaration from 0; `category` is null
//! where the manifest has none. `hooks` holds the hooks that some plugin of the component implements.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::checkout::Checkout;
use crate::cli::{Format, PlanArgs};
use crate::load::load;
use crate::plan::{BuildPlan, PlannedComponent, PlannedPlugin};
use crate::shell::{Shell, print_data};

#[derive(Serialize)]
struct PlanView<'a> {
    components: BTreeMap<&'a str, ComponentView<'a>>,
}

#[derive(Serialize)]
struct ComponentView<'a> {
    package: &'a str,
    plugins: Vec<PluginView<'a>>,
    hooks: BTreeMap<&'a str, Vec<CallView<'a>>>,
}

#[derive(Serialize)]
struct PluginView<'a> {
    name: &'a str,
    version: &'a str,
    priority: i64,
    position: usize,
    category: Option<&'a str>,
    source: &'a str,
    digest: &'a str,
    hooks: &'a [&'static str],
}

#[derive(Serialize)]
struct CallView<'a> {
    name: &'a str,
    version: &'a str,
}

/// Prints the plan.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &PlanArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let plan = load(declaration, &args.overrides, checkout, shell)?.plan;
    let text = match args.format {
        Format::Text => text(&plan),
        Format::Json => {
            serde_json::to_string_pretty(&view(&plan)).context("cannot write the plan as JSON")? + "\n"
        }
    };
    print_data(&text)
}

fn view(plan: &BuildPlan) -> PlanView<'_> {
    PlanView {
        components: plan
            .components
            .iter()
            .map(|one| (one.declaration.name.as_str(), component(one)))
            .collect(),
    }
}

fn component(component: &PlannedComponent) -> ComponentView<'_> {
    let hooks = component.hooks().into_iter();
    ComponentView {
        package: &component.declaration.package,
        plugins: component.plugins.iter().map(|plugin| PluginView::of(plugin)).collect(),
        hooks: hooks.map(|(hook, plugins)| (hook, plugins.into_iter().map(CallView::of).collect())).collect(),
    }
}

impl<'a> PluginView<'a> {
    fn of(plugin: &'a PlannedPlugin) -> Self {
        Self {
            name: plugin.manifest.name.as_str(),
            version: plugin.manifest.version.as_str(),
            priority: plugin.manifest.priority,
            position: plugin.position,
            category: plugin.manifest.category.map(racetrack_core::Category::as_str),
            source: &plugin.source,
            digest: &plugin.digest,
            hooks: &plugin.hooks,
        }
    }
}

impl<'a> CallView<'a> {
    fn of(plugin: &'a PlannedPlugin) -> Self {
        Self { name: plugin.manifest.name.as_str(), version: plugin.manifest.version.as_str() }
    }
}

fn text(plan: &BuildPlan) -> String {
    let mut text = String::new();
    for component in &plan.components {
        let separator = if text.is_empty() { "" } else { "\n" };
        write_component(component, separator, &mut text).expect("a String takes any text");
    }
    text
}

fn write_component(component: &PlannedComponent, separator: &str, text: &mut String) -> std::fmt::Result {
    writeln!(text, "{separator}{} ({})", component.declaration.name, component.declaration.package)?;
    if component.plugins.is_empty() {
        return writeln!(text, "  no plugins");
    }
    let title = |plugin: &PlannedPlugin| format!("{} {}", plugin.manifest.name, plugin.manifest.version);
    let width = component.plugins.iter().map(|plugin| title(plugin).len()).max().unwrap_or_default();
    writeln!(text, "  plugins, in hook order:")?;
    for plugin in &component.plugins {
        let (priority, position) = (plugin.manifest.priority, plugin.position);
        let title = title(plugin);
        writeln!(
            text,
            "    {title:width$}  priority {priority:>3}, position {position:>2}, from {}",
            plugin.source
        )?;
    }
    let hooks = component.hooks();
    let width = hooks.keys().map(|hook| hook.len()).max().unwrap_or_default();
    writeln!(text, "  hooks, in the order they reach the plugins:")?;
    for (hook, plugins) in &hooks {
        let order: Vec<_> = plugins.iter().map(|plugin| title(plugin)).collect();
        writeln!(text, "    {hook:width$}  {}", order.join(" -> "))?;
    }
    Ok(())
}
