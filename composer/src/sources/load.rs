//! From the disk to a plan: the declaration, the plugin sources it names, and what keeps them from being built.

use crate::session::Session;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use racetrack_bundle::{Diagnostic, Diagnostics, Location};
use toml::de::DeTable;

use crate::cargo::cargo_configuration_files;
use crate::checkout::Checkout;
use crate::codes;
use crate::declaration::{Declaration, PartialDeclaration};
use crate::plan::{Loaded, LoadedPlugin, plan};
use crate::rejected::Rejected;
use crate::sources::overrides::{self, Override};
use crate::sources::plugin::load_plugin;
use crate::sources::provide::{is_at_hand, provide};

/// Loads and plans the declaration at `path`, or the one of the checkout, with some sources replaced. All mistakes are reported together: those of
/// the declaration, or else those of all sources (also that they are not there), or else those of the plan.
pub fn load(path: Option<&Path>, overrides: &[Override], session: &Session) -> Result<Loaded> {
    let checkout = &session.checkout;
    let loaded = Declaration::load_partially(&checkout.declaration(path), checkout).map_err(Rejected)?;
    let PartialDeclaration { mut declaration, refused } = loaded;
    let mut plugins = load_besides(refused, &declaration, session)?;
    overrides::apply(overrides, &mut declaration, &mut plugins, session)?;
    planned(declaration, plugins, checkout)
}

/// Reads the sources of a declaration and plans it.
pub fn compose(declaration: Declaration, session: &Session) -> Result<Loaded> {
    let checkout = &session.checkout;
    let plugins = load_plugins(&declaration, session)?;
    planned(declaration, plugins, checkout)
}

fn planned(declaration: Declaration, plugins: Vec<LoadedPlugin>, checkout: &Checkout) -> Result<Loaded> {
    let plan = plan(&declaration, &plugins).map_err(Rejected)?;
    refuse_profiles(&declaration, checkout).into_result(()).map_err(Rejected)?;
    Ok(Loaded { declaration, plugins, plan })
}

/// Reads the sources of a declaration, after fetching those that are elsewhere.
pub fn load_plugins(declaration: &Declaration, session: &Session) -> Result<Vec<LoadedPlugin>> {
    load_besides(Diagnostics::default(), declaration, session)
}

/// The same, with what is wrong already. Then nothing is fetched: there will be another time.
fn load_besides(
    mut diagnostics: Diagnostics,
    declaration: &Declaration,
    session: &Session,
) -> Result<Vec<LoadedPlugin>> {
    let Session { checkout, shell } = session;
    let platform = checkout.platform()?;
    let is_refused = !diagnostics.is_empty();
    let mut plugins = Vec::new();
    let mut at_hand = Vec::new();
    for plugin in &declaration.plugins {
        if is_refused && !is_at_hand(plugin, checkout) {
            continue;
        }
        match provide(plugin, declaration, session) {
            Ok(()) => at_hand.push(plugin),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    let progress = shell.progress("Reading", at_hand.len());
    for plugin in at_hand {
        progress.set_message(plugin.source.clone());
        match load_plugin(plugin, declaration, &platform) {
            Ok(loaded) => plugins.push(loaded),
            Err(found) => diagnostics.append(found),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    // In the order of the declaration, whatever was found when.
    diagnostics.0.sort_by_key(|diagnostic| {
        let place = diagnostic.declared_at.as_deref().unwrap_or(&diagnostic.location);
        place.span.as_ref().map(|span| span.range.start)
    });
    Ok(diagnostics.into_result(plugins).map_err(Rejected)?)
}

/// Cargo merges profiles from its configuration files into those of generated workspaces, per package too, and no flag
/// of ours undoes that.
fn refuse_profiles(declaration: &Declaration, checkout: &Checkout) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for file in cargo_configuration_files(&declaration.folder, checkout) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let (table, _) = DeTable::parse_recoverable(&text);
        let Some((key, _)) = table.get_ref().get_key_value("profile") else {
            continue;
        };
        let shown = file.strip_prefix(&declaration.folder).unwrap_or(&file);
        let place = Location::in_text(shown, Arc::from(text.as_str()), key.span());
        let message = "this cargo configuration sets profiles, which would change the component binaries";
        let help = "move the settings to a [profile] table of the declaration";
        diagnostics.push(Diagnostic::new(codes::CARGO_CONFIG_PROFILE, place, message).with_help(help));
    }
    diagnostics
}
