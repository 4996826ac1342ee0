//! The measurement: each component is built with all its plugins, without each of them, and without any.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;

use super::{Bytes, ComponentSizes, Conditions, FORMAT, Sizes, measure as measure_binary};
use crate::build::{BuildLocks, Selection, compile_alone};
use crate::lockfile::admit_for_measurement;
use crate::plan::{PlannedComponent, PlannedPlugin};
use crate::session::Session;
use crate::sources::load::load;
use crate::sources::overrides::Override;
use crate::sources::unpacking::unpack;
use crate::workspace::generate::CheckoutManifest;
use crate::workspace::prepare::{BuildContext, prepare};

/// Measures the declared components, or the selected ones. Neither the output folder nor a lock is touched.
pub fn measure_components(
    declaration: Option<&Path>,
    selection: &Selection,
    overrides: &[Override],
    session: &Session,
) -> Result<Sizes> {
    let checkout = &session.checkout;
    let loaded = load(declaration, overrides, session)?;
    let options = selection.compile_options(&loaded.declaration, false, checkout)?;
    let admitted = admit_for_measurement(loaded)?;
    let _locks = BuildLocks::take(admitted.declaration(), session)?;
    unpack(admitted.loaded(), session)?;
    let manifest = CheckoutManifest::load(&checkout.root)?;
    let context = BuildContext { admitted: &admitted, manifest: &manifest, options: &options, session };
    let mut components = BTreeMap::new();
    for component in selection.of(&admitted.loaded().plan.components) {
        let name = component.declaration.name.clone();
        let sizes = measure(component, admitted.is_locked(component), &context);
        let sizes = sizes.with_context(|| format!("cannot measure component `{name}`"))?;
        components.insert(name, sizes);
    }
    Ok(Sizes { format: FORMAT, conditions: Conditions::of(&options), components })
}

/// The variants are built one after the other in the workspace of the component, the whole one last: so the next build
/// finds everything as it has left it itself.
fn measure(
    component: &PlannedComponent,
    is_locked: bool,
    context: &BuildContext<'_>,
) -> Result<ComponentSizes> {
    let name = &component.declaration.name;
    let variant = |is_in: &dyn Fn(&PlannedPlugin) -> bool| PlannedComponent {
        declaration: component.declaration.clone(),
        plugins: component.plugins.iter().filter(|plugin| is_in(plugin)).cloned().collect(),
    };
    context.shell().status("Measuring", format_args!("component `{name}` without plugins"));
    let alone = build_variant(&variant(&|_| false), false, context)?.1;
    let mut without_one = Vec::new();
    for plugin in &component.plugins {
        let manifest = &plugin.manifest;
        // Without its only plugin, a component is without plugins.
        let without = if component.plugins.len() == 1 {
            alone
        } else {
            context
                .shell()
                .status("Measuring", format_args!("component `{name}` without {}", plugin.title()));
            let rest = variant(&|other| !std::ptr::eq(other, &raw const **plugin));
            build_variant(&rest, false, context)?.1
        };
        without_one.push((manifest.name.to_string(), manifest.version.to_string(), without));
    }
    context.shell().status("Measuring", format_args!("component `{name}`"));
    let whole = build_variant(component, is_locked, context)?;
    Ok(ComponentSizes::new(whole, without_one, alone))
}

/// Returns the length of the file, and what is loaded of it.
fn build_variant(
    component: &PlannedComponent,
    is_locked: bool,
    context: &BuildContext<'_>,
) -> Result<(u64, Bytes)> {
    let binary = compile_alone(&prepare(component, is_locked, context)?, context)?;
    let file = fs::read(&binary)?;
    let loaded = measure_binary(&file).with_context(|| format!("cannot read {}", binary.display()))?;
    Ok((file.len() as u64, loaded))
}
