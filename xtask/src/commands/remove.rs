//! `cargo xtask remove`: one `[[plugin]]` table less in the declaration.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::Result;

use crate::cli::RemoveArgs;
use racetrack_composer::declaration::edit;
use racetrack_composer::sources::draft::Draft;
use racetrack_composer::sources::load::load_plugins;
use racetrack_composer::sources::selection::select_plugin;

/// Removes a plugin from the declaration.
pub(crate) fn run(declaration: Option<&Path>, args: &RemoveArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let draft = Draft::load(declaration, checkout)?;
    let declaration = &draft.declaration;
    let plugins = load_plugins(declaration, session)?;
    let plugin = select_plugin(declaration, &plugins, &args.name)?;
    let text = edit::remove(&declaration.document.text, plugin.declaration.position);
    draft.write(&text, session)?;
    let manifest = &plugin.source.manifest;
    let (source, line) = (&plugin.declaration.source, declaration.line_of(&plugin.declaration));
    let title = format!("`{}` {}", manifest.name, manifest.version);
    shell.status("Removing", format_args!("{title} ({source}), which was declared at {line}"));
    Ok(())
}
