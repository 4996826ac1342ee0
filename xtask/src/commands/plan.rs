//! `cargo xtask plan`: the plugins of each component in hook order, and the call order of each hook.
//!
//! The JSON form is
//! `{"components": {NAME: {"package", "plugins": [PLUGIN], "hooks": {HOOK: [{"name", "version"}]}}}}`, where each
//! `PLUGIN` is `{"name", "version", "priority", "position", "category", "source", "digest", "hooks": [HOOK]}`. The
//! plugins are in hook order; `position` counts the component's own plugins from 0, in the order of the declaration;
//! `category` is null where the manifest has none. `hooks` holds the hooks that some plugin of the component implements.
//!
//! With `--explain` each component has `"explanations": {HOOK: [{"first": PARTY, "second": PARTY, "reason": REASON}]}` as
//! well, one for each two plugins that follow each other. A `PARTY` is `{"name", "version", "priority", "priority_at",
//! "manifest", "declared_at"}`. A `REASON` is `{"kind": "priority"}`, `{"kind": "position"}`, `{"kind": "constraints",
//! "chain": [CONSTRAINT]}` or `{"kind": "waits", "for_plugin": PARTY, "chain": [CONSTRAINT]}`, where a `CONSTRAINT` is
//! `{"first", "second", "key", "at"}`.

use racetrack_composer::session::Session;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::{Format, PlanArgs};
use racetrack_composer::files::write_if_changed;
use racetrack_composer::plan::Loaded;
use racetrack_composer::plan::explain::{self, Explanations, explain};
use racetrack_composer::plan::graph::{dot, svg};
use racetrack_composer::plan::view::{ComponentView, calls_text};
use racetrack_composer::plan::{BuildPlan, PlannedComponent, PlannedPlugin};
use racetrack_composer::shell::{Shell, print_data};
use racetrack_composer::sources::load::load;

#[derive(Serialize)]
struct PlanView<'a> {
    components: BTreeMap<&'a str, ComponentView>,
}

#[derive(Serialize)]
struct ExplainedView<'a> {
    components: BTreeMap<&'a str, ExplainedComponentView>,
}

#[derive(Serialize)]
struct ExplainedComponentView {
    #[serde(flatten)]
    component: ComponentView,
    explanations: Explanations,
}

/// Prints the plan.
pub(crate) fn run(declaration: Option<&Path>, args: &PlanArgs, session: &Session) -> Result<()> {
    let shell = &session.shell;
    let loaded = load(declaration, &args.overrides.overrides, session)?;
    let plan = &loaded.plan;
    if let Some(path) = &args.graph {
        return draw(plan, path, shell);
    }
    let json =
        |plan: Result<String, _>| plan.context("cannot write the plan as JSON").map(|text| text + "\n");
    let text = match (args.format, args.explain) {
        (Format::Text, false) => text(plan),
        (Format::Text, true) => explained_text(&loaded),
        (Format::Json, false) => json(serde_json::to_string_pretty(&view(plan)))?,
        (Format::Json, true) => json(serde_json::to_string_pretty(&explained_view(&loaded)))?,
    };
    print_data(&text)
}

/// Writes the plan as a picture: in the form that the extension of `path` names, or in both where it has none of them.
fn draw(plan: &BuildPlan, path: &Path, shell: &Shell) -> Result<()> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let file = |extension: &str| {
        let mut file = path.as_os_str().to_owned();
        file.push(format!(".{extension}"));
        PathBuf::from(file)
    };
    let files = match extension {
        Some("dot") => vec![(path.to_path_buf(), dot(plan))],
        Some("svg") => vec![(path.to_path_buf(), svg(plan))],
        _ => vec![(file("dot"), dot(plan)), (file("svg"), svg(plan))],
    };
    for (file, text) in files {
        write_if_changed(&file, text.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))?;
        shell.status("Drawing", file.display());
    }
    Ok(())
}

fn explained_text(loaded: &Loaded) -> String {
    let components = loaded.plan.components.iter();
    let texts: Vec<_> =
        components.map(|component| explain::text(component, &explain(loaded, component))).collect();
    texts.join("\n")
}

fn explained_view(loaded: &Loaded) -> ExplainedView<'_> {
    let components = loaded.plan.components.iter();
    let explained = components.map(|one| {
        let view =
            ExplainedComponentView { component: ComponentView::of(one), explanations: explain(loaded, one) };
        (one.declaration.name.as_str(), view)
    });
    ExplainedView { components: explained.collect() }
}

fn view(plan: &BuildPlan) -> PlanView<'_> {
    PlanView {
        components: plan
            .components
            .iter()
            .map(|one| (one.declaration.name.as_str(), ComponentView::of(one)))
            .collect(),
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
    let line_width = component.plugins.iter().map(|plugin| plugin.declared_at.chars().count()).max();
    let line_width = line_width.unwrap_or_default();
    writeln!(text, "  plugins, in hook order:")?;
    for plugin in &component.plugins {
        let (title, priority) = (title(plugin), plugin.manifest.priority);
        let PlannedPlugin { declared_at, source, .. } = &**plugin;
        writeln!(
            text,
            "    {title:width$}  priority {priority:>3}, {declared_at:line_width$}, from {source}"
        )?;
    }
    let hooks = component.hooks();
    let width = hooks.keys().map(|hook| hook.len()).max().unwrap_or_default();
    writeln!(text, "  hooks, in the order they reach the plugins:")?;
    for (hook, plugins) in &hooks {
        let order: Vec<_> = plugins.iter().map(|plugin| title(plugin)).collect();
        writeln!(text, "    {hook:width$}  {}", calls_text(hook, &order))?;
    }
    Ok(())
}
