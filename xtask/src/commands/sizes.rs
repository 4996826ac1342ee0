//! `cargo xtask sizes`: how many bytes each plugin adds to the component binaries.
//!
//! The JSON form is [`Sizes`]: profile, target and toolchain; and by component the length of the file, and `code` and
//! `data` of the whole, of each plugin, of what several plugins share and of the component alone.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde_json::Value;

use super::build;
use crate::checkout::Checkout;
use crate::cli::{Format, SizesArgs};
use crate::component_build;
use crate::generate::CheckoutManifest;
use crate::load::load;
use crate::lockfile;
use crate::output::write_if_changed;
use crate::plan::{PlannedComponent, PlannedPlugin};
use crate::prepare::{Site, prepare};
use crate::shell::{Shell, print_data};
use crate::sizes::{self, Bytes, ComponentSizes, Conditions, Sizes};
use crate::store_use;

/// Builds each component with all its plugins, without each of them and without any; prints the differences. Neither the
/// output folder nor a lock is touched.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &SizesArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let before = args.compare.as_deref().map(read).transpose()?;
    let loaded = load(declaration, &args.overrides, checkout, shell)?;
    let declaration = &loaded.declaration;
    let options = build::compile_options(declaration, &args.selection, false, checkout)?;
    let locked = lockfile::locked_components(&loaded, lockfile::read(declaration)?.as_ref());
    let _store = store_use::share(&checkout.store(), shell)?;
    let _lock = build::exclusive(declaration, shell)?;
    build::unpack(&loaded, checkout, shell)?;
    let manifest = CheckoutManifest::load(&checkout.root)?;
    let site = Site { declaration, manifest: &manifest, options: &options, checkout, shell };
    let mut measured = BTreeMap::new();
    for component in build::chosen(&loaded.plan.components, &args.selection) {
        let name = component.declaration.name.clone();
        let sizes = measure(component, locked.contains(&name), &site);
        measured.insert(name.clone(), sizes.with_context(|| format!("cannot measure component `{name}`"))?);
    }
    let conditions = Conditions::of(&options);
    let sizes = Sizes { format: sizes::FORMAT, conditions, components: measured };
    if let Some(before) = &before {
        warn_of_differences(&sizes, before, shell);
    }
    let json = serde_json::to_string_pretty(&sizes).context("cannot write the sizes as JSON")? + "\n";
    // Printed first: what cannot be saved is not lost.
    match args.format {
        Format::Json => print_data(&json)?,
        Format::Text => print_data(&text(&sizes, before.as_ref()))?,
    }
    if let Some(path) = &args.save {
        write_if_changed(path, json.as_bytes())?;
        shell.status("Saved", path.display());
    }
    Ok(())
}

/// The sizes that an earlier run has saved. Read before anything is built.
fn read(path: &Path) -> Result<Sizes> {
    let read = || {
        let saved: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        match saved["format"].as_u64() {
            Some(sizes::FORMAT) => Ok(serde_json::from_value(saved)?),
            Some(format) => bail!("it has format {format}, and this checkout reads format {}", sizes::FORMAT),
            None => bail!("it has no format; `cargo xtask sizes --save` writes such files"),
        }
    };
    read().with_context(|| format!("cannot compare with {}", path.display()))
}

/// The variants are built one after the other in the workspace of the component, the whole one last: so the next build
/// finds everything as it has left it itself.
fn measure(component: &PlannedComponent, is_locked: bool, site: &Site<'_>) -> Result<ComponentSizes> {
    let name = &component.declaration.name;
    let variant = |is_in: &dyn Fn(&PlannedPlugin) -> bool| PlannedComponent {
        declaration: component.declaration.clone(),
        plugins: component.plugins.iter().filter(|plugin| is_in(plugin)).cloned().collect(),
    };
    site.shell.status("Measuring", format_args!("component `{name}` without plugins"));
    let alone = build_variant(&variant(&|_| false), false, site)?.1;
    let mut without_one = Vec::new();
    for plugin in &component.plugins {
        let manifest = &plugin.manifest;
        // Without its only plugin, a component is without plugins.
        let without = if component.plugins.len() == 1 {
            alone
        } else {
            site.shell.status("Measuring", format_args!("component `{name}` without {}", plugin.title()));
            let rest = variant(&|other| !std::ptr::eq(other, &raw const **plugin));
            build_variant(&rest, false, site)?.1
        };
        without_one.push((manifest.name.to_string(), manifest.version.to_string(), without));
    }
    site.shell.status("Measuring", format_args!("component `{name}`"));
    let whole = build_variant(component, is_locked, site)?;
    Ok(ComponentSizes::new(whole, without_one, alone))
}

/// Returns the length of the file, and what is loaded of it.
fn build_variant(component: &PlannedComponent, is_locked: bool, site: &Site<'_>) -> Result<(u64, Bytes)> {
    let binary = component_build::compile_alone(&prepare(component, is_locked, site)?, site)?;
    let content = fs::read(&binary)?;
    let loaded = sizes::measure(&content).with_context(|| format!("cannot read {}", binary.display()))?;
    Ok((content.len() as u64, loaded))
}

fn warn_of_differences(now: &Sizes, before: &Sizes, shell: &Shell) {
    if before.conditions != now.conditions {
        let difference = before.conditions.difference(&now.conditions);
        shell
            .warn(format_args!("the saved run was of {difference}; not every change comes from the sources"));
    }
    for name in now.components.keys().filter(|name| !before.components.contains_key(*name)) {
        shell.warn(format_args!("the saved run did not measure `{name}`"));
    }
}

fn text(sizes: &Sizes, before: Option<&Sizes>) -> String {
    let tables = sizes.components.iter().map(|(name, now)| {
        let before = before.and_then(|before| before.components.get(name));
        sizes::table(name, now, before)
    });
    tables.collect::<Vec<_>>().join("\n")
}
