//! The declaration: whether it can be built, and whether everything in it is of use.

use anyhow::Result;
use racetrack_bundle::{Diagnostic, Diagnostics};
use racetrack_core::Hook;

use super::Finding;
use racetrack_composer::checkout::Checkout;
use racetrack_composer::codes;
use racetrack_composer::lockfile;
use racetrack_composer::plan::Loaded;
use racetrack_composer::plan::{BuildPlan, PlannedPlugin};
use racetrack_composer::quantity::counted;
use racetrack_composer::workspace::assemble as workspace;
use racetrack_composer::workspace::cargo_lock as lock;
use racetrack_composer::workspace::generate::CheckoutManifest;

/// The check of plugins.
const PLUGINS: &str = "plugins";

/// Looks at the plugins, the generated workspaces and the locks of a declaration.
pub(crate) fn distribution(loaded: &Loaded, checkout: &Checkout) -> Result<Vec<Finding>> {
    let mut found = plugins(&loaded.plan);
    found.extend(workspaces(loaded, checkout)?);
    found.extend(locks(loaded, checkout));
    Ok(found)
}

/// What keeps a declaration from being looked at any further: mistakes, and sources that are not here yet, which are none.
pub(crate) fn rejected(diagnostics: &Diagnostics) -> Vec<Finding> {
    const CHECK: &str = "declaration";
    let all = diagnostics.0.iter();
    let (absent, mistakes): (Vec<_>, Vec<_>) = all.partition(|one| one.code == codes::NOT_FETCHED);
    let unused = mistakes.iter().filter(|mistake| mistake.code == codes::UNUSED_PLUGIN);
    let mut found: Vec<_> = unused.map(|mistake| dead(mistake)).collect();
    if !mistakes.is_empty() {
        found.push(Finding::wrong(
            CHECK,
            format!("{} in it or its plugins", counted(mistakes.len(), "mistake")),
            "it cannot be built",
            "run `cargo xtask check`, which shows them",
        ));
    }
    if !absent.is_empty() {
        found.push(Finding::note(
            CHECK,
            format!("{} not fetched yet", counted(absent.len(), "plugin source")),
            "builds fetch them first; without them, plugins, workspaces and locks were not looked at",
            "run `cargo xtask fetch`, then look again",
        ));
    }
    found
}

/// A plugin that no component would hold.
fn dead(diagnostic: &Diagnostic) -> Finding {
    let Diagnostic { message, location, help, .. } = diagnostic;
    Finding::wrong(PLUGINS, format!("{message} ({location})"), "it would be in no binary", help.join("; "))
}

fn plugins(plan: &BuildPlan) -> Vec<Finding> {
    let mut dead = Vec::new();
    let mut seen = Vec::new();
    for plugin in plan.components.iter().flat_map(|component| &component.plugins) {
        if seen.contains(&plugin.position) {
            continue;
        }
        seen.push(plugin.position);
        let what = format!("plugin {} ({})", plugin.title(), plugin.declared_at);
        let hooks: Vec<_> = plugin.hooks.iter().map(|hook| format!("`{hook}`")).collect();
        if hooks.is_empty() {
            dead.push(Finding::wrong(
                PLUGINS,
                format!("{what} implements no hook"),
                "it is compiled into the binaries and never called",
                "remove its table from the declaration, or implement a hook",
            ));
        } else if is_never_called(plugin, plan) {
            dead.push(Finding::wrong(
                PLUGINS,
                format!("{what} implements {}, which no component that holds it calls", hooks.join(", ")),
                "it is compiled into the binaries and never called",
                "widen its `components`, or remove its table from the declaration",
            ));
        }
    }
    if dead.is_empty() {
        let count = counted(seen.len(), "plugin");
        dead.push(Finding::fine(PLUGINS, format!("{count}, each with a hook that is called")));
    }
    dead
}

/// Whether no component that holds the plugin calls one of its hooks. A component that the catalogue of hooks does not
/// know may call any of them.
fn is_never_called(plugin: &PlannedPlugin, plan: &BuildPlan) -> bool {
    let catalogue = Hook::catalogue();
    let holders = plan
        .components
        .iter()
        .filter(|component| component.plugins.iter().any(|held| held.position == plugin.position));
    holders.map(|component| component.declaration.name.as_str()).all(|holder| {
        catalogue.iter().any(|hook| hook.components.contains(&holder))
            && !catalogue
                .iter()
                .any(|hook| plugin.hooks.contains(&hook.hook.name()) && hook.components.contains(&holder))
    })
}

fn workspaces(loaded: &Loaded, checkout: &Checkout) -> Result<Vec<Finding>> {
    let manifest = CheckoutManifest::load(&checkout.root)?;
    let mut found = Vec::new();
    for component in &loaded.plan.components {
        let name = &component.declaration.name;
        if workspace::difference(component, &loaded.declaration, &manifest, checkout)?.is_some() {
            found.push(Finding::note(
                "workspaces",
                format!("the generated workspace of `{name}` is not what the declaration gives"),
                "an editor that looks into it sees something old; builds bring it up to date first",
                "run `cargo xtask build`",
            ));
        }
    }
    if found.is_empty() {
        found.push(Finding::fine("workspaces", "what was generated is up to date"));
    }
    Ok(found)
}

fn locks(loaded: &Loaded, checkout: &Checkout) -> Vec<Finding> {
    let declaration = &loaded.declaration;
    let crates = declaration.component_names().map(|name| {
        (lock::committed_path(&declaration.folder, name), "run `cargo xtask build` and commit it")
    });
    let plugins = (lockfile::path(declaration), "run `cargo xtask lock` and commit it");
    let missing = crates.chain([plugins]).filter(|(path, _)| !path.exists());
    let missing = missing.map(|(path, help)| {
        let what = format!("there is no {}", checkout.display(&path));
        let why = "another machine, or the next build, may build something else; `build --locked` refuses to";
        Finding::note("locks", what, why, help)
    });
    let mut found: Vec<_> = missing.collect();
    if found.is_empty() {
        found.push(Finding::fine("locks", "every component and the declaration have one"));
    }
    found
}
