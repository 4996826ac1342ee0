//! `cargo xtask add`: one more `[[plugin]]` table in the declaration.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::AddArgs;
use racetrack_composer::declaration::Declaration;
use racetrack_composer::declaration::edit::{self, Entry};
use racetrack_composer::plan::Loaded;
use racetrack_composer::plan::{PlannedComponent, PlannedPlugin};
use racetrack_composer::shell::Shell;
use racetrack_composer::sources::argument::{entries, is_elsewhere, quoted};
use racetrack_composer::sources::discovery::{DiscoveredBundle, discover};
use racetrack_composer::sources::draft::Draft;
use racetrack_composer::sources::load::load_plugins;
use racetrack_composer::sources::selection::{check_component, select_plugin};

/// Adds a plugin to the declaration, and says where its hooks run.
pub(crate) fn run(declaration: Option<&Path>, args: &AddArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let draft = Draft::load(declaration, checkout)?;
    let declaration = &draft.declaration;
    for component in &args.component {
        check_component(declaration, component)?;
    }
    let after = match &args.after {
        Some(selector) => {
            let plugins = load_plugins(declaration, session)?;
            Some(select_plugin(declaration, &plugins, selector)?.declaration.position)
        }
        None => None,
    };
    let mut entries = source_entries(args, declaration, session)?;
    if !args.component.is_empty() {
        let names: Vec<_> = args.component.iter().map(|name| quoted(name)).collect();
        entries.push(("components", format!("[{}]", names.join(", "))));
    }
    let position = after.map_or(declaration.plugins.len(), |after| after + 1);
    let text = edit::add(&declaration.document.text, after, &entries);
    let loaded = draft.write(&text, session)?;
    report(&loaded, position, shell);
    Ok(())
}

fn source_entries(args: &AddArgs, declaration: &Declaration, session: &Session) -> Result<Vec<Entry>> {
    if let Some(rev) = &args.rev {
        let git = [("git", quoted(&args.source)), ("rev", quoted(rev))].into_iter();
        let subfolder = args.subfolder.iter().map(|subfolder| ("subfolder", quoted(subfolder)));
        return Ok(git.chain(subfolder).collect());
    }
    if is_elsewhere(&args.source) {
        let DiscoveredBundle { key, address, sha256 } = discover(&args.source, session)?;
        return Ok(vec![(key, quoted(&address.to_string())), ("sha256", quoted(&sha256.to_string()))]);
    }
    let current = std::env::current_dir().and_then(|current| current.canonicalize());
    let current = current.context("cannot find the current folder")?;
    Ok(entries(&args.source, &declaration.folder, &current)?)
}

fn report(loaded: &Loaded, position: usize, shell: &Shell) {
    let mut is_told = false;
    for component in &loaded.plan.components {
        let Some(turn) = component.plugins.iter().position(|plugin| plugin.position == position) else {
            continue;
        };
        let plugin = &component.plugins[turn];
        if !is_told {
            let PlannedPlugin { source, declared_at, .. } = &**plugin;
            shell.status("Adding", format_args!("{} ({source}) at {declared_at}", plugin.title()));
            is_told = true;
        }
        shell.status("Ordering", neighbours(component, turn));
    }
}

/// `` `lifecycle`: 2 of 3, after `x` 1.0.0, before `y` 1.0.0 ``.
fn neighbours(component: &PlannedComponent, turn: usize) -> String {
    let title = |index: usize| component.plugins.get(index).map(|plugin| plugin.title());
    let after = turn.checked_sub(1).and_then(title).map(|title| format!(", after {title}"));
    let before = title(turn + 1).map(|title| format!(", before {title}"));
    let (name, count) = (&component.declaration.name, component.plugins.len());
    format!("`{name}`: {} of {count}{}{}", turn + 1, after.unwrap_or_default(), before.unwrap_or_default())
}
