//! `cargo xtask remove`: one `[[plugin]]` table less in the declaration.

use std::path::Path;

use anyhow::Result;

use super::select_plugin;
use crate::checkout::Checkout;
use crate::cli::RemoveArgs;
use crate::draft::Draft;
use crate::edit;
use crate::load::load_plugins;
use crate::shell::Shell;

/// Removes a plugin from the declaration.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &RemoveArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let draft = Draft::load(declaration, checkout)?;
    let declaration = &draft.declaration;
    let plugins = load_plugins(declaration, checkout, shell)?;
    let plugin = select_plugin(declaration, &plugins, &args.name)?;
    let text = edit::remove(&declaration.document.text, plugin.declaration.position);
    draft.write(&text, checkout, shell)?;
    let manifest = &plugin.source.manifest;
    let (source, line) = (&plugin.declaration.source, declaration.line_of(&plugin.declaration));
    let title = format!("`{}` {}", manifest.name, manifest.version);
    shell.status("Removing", format_args!("{title} ({source}), which was declared at {line}"));
    Ok(())
}
