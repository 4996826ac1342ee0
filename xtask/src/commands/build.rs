//! `cargo xtask build`: from the declaration to checked binaries in the output folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use racetrack_bundle::Origin;
use racetrack_bundle::suggestion::suggestion;

use super::{UsageError, check_component};
use crate::cargo::{CompileOptions, profile_folder};
use crate::checkout::Checkout;
use crate::cli::{BuildArgs, SelectionArgs};
use crate::declaration::{Declaration, check_out_dir, normal};
use crate::generate::CheckoutManifest;
use crate::load::{Loaded, load};
use crate::plan::PlannedComponent;
use crate::prepare::{Prepared, Site, prepare};
use crate::quantity::counted;
use crate::remote::RemoteSource;
use crate::shell::Shell;
use crate::vendor::VendorFolder;
use crate::{component_build, file_lock, lockfile, output, store_use};

/// The binaries of a finished build.
#[derive(Debug)]
pub(crate) struct Distribution {
    /// The component and its binary, by name of the component.
    pub(crate) binaries: Vec<(String, PathBuf)>,
}

/// What binaries are for, where the command line leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be taken elsewhere: with the profile of the declaration, into its output folder.
    Distribution,
    /// To be run here at once: compiled in little time, into a folder of the build system, so that the output folder keeps what
    /// was built to be taken elsewhere.
    FirstLook,
}

/// Builds the declared components, or the chosen ones.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &BuildArgs,
    purpose: Purpose,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<Distribution> {
    if args.is_locked() && !args.overrides.overrides.is_empty() {
        return Err(UsageError::LockedOverride.into());
    }
    let checkout = &frozen(args, declaration, checkout, shell)?;
    let loaded = load(declaration, &args.overrides, checkout, shell)?;
    let declaration = &loaded.declaration;
    let selection = &args.selection.for_purpose(purpose);
    let options = compile_options(declaration, selection, args.is_locked(), checkout)?;
    let out_dir = out_dir(declaration, args, purpose, checkout)?;
    let components = chosen(&loaded.plan.components, selection);
    shell.status("Planning", summary(&loaded));
    announce(&options, purpose, checkout, shell);
    let locked = lockfile::admit(&loaded, args.is_locked(), checkout, shell)?;
    let _store = store_use::share(&checkout.store(), shell)?;
    let _lock = exclusive(declaration, shell)?;
    unpack(&loaded, checkout, shell)?;
    let manifest = CheckoutManifest::load(&checkout.root)?;
    let site = Site { declaration, manifest: &manifest, options: &options, checkout, shell };
    let binaries = component_build::run(&write(&components, &locked, &site)?, &out_dir, &site)?;
    let names: Vec<_> = binaries.iter().map(|(_, path)| checkout.display(path).to_string()).collect();
    shell.status("Finished", format_args!("`{}` profile: {}", options.profile_name, names.join(", ")));
    Ok(Distribution { binaries })
}

/// The checkout as it is built: from a vendor folder if one is given, which must be what was vendored, and for this checkout.
/// What is open already is not compared again.
pub(super) fn frozen(
    args: &BuildArgs,
    declaration: Option<&Path>,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<Checkout> {
    let checkout = Checkout { offline: checkout.offline || args.frozen, ..checkout.clone() };
    let Some(folder) = args.vendor.as_ref().filter(|_| checkout.vendor.is_none()) else {
        return Ok(checkout);
    };
    shell.status("Verifying", folder.display());
    let vendor = VendorFolder::open(folder, &checkout, shell)?;
    vendor.check_inputs(declaration, &checkout)?;
    Ok(Checkout { vendor: Some(vendor), ..checkout })
}

/// How cargo is to build, where the declaration has what was selected.
pub(super) fn compile_options(
    declaration: &Declaration,
    selection: &SelectionArgs,
    locked: bool,
    checkout: &Checkout,
) -> Result<CompileOptions, UsageError> {
    for component in &selection.component {
        check_component(declaration, component)?;
    }
    let profile_name = selection.profile.as_ref().unwrap_or(&declaration.profile);
    let Some(profile) = declaration.profiles.0.get(profile_name) else {
        let help = suggestion(profile_name, "profiles", declaration.profiles.names());
        return Err(UsageError::UnknownProfile { name: profile_name.clone(), help });
    };
    Ok(CompileOptions {
        profile_name: profile_name.clone(),
        profile: profile.clone(),
        target: selection.target.clone(),
        locked,
        offline: checkout.offline,
        variables: Vec::new(),
    })
}

/// The components to build.
pub(super) fn chosen<'a>(
    components: &'a [PlannedComponent],
    selection: &SelectionArgs,
) -> Vec<&'a PlannedComponent> {
    let is_chosen = |component: &&PlannedComponent| {
        selection.component.is_empty() || selection.component.contains(&component.declaration.name)
    };
    components.iter().filter(is_chosen).collect()
}

/// Says what is special about this build, and how long it takes where nothing was compiled before.
fn announce(options: &CompileOptions, purpose: Purpose, checkout: &Checkout, shell: &Shell) {
    let profile = &options.profile_name;
    if purpose == Purpose::FirstLook {
        shell.note(format_args!(
            "profile `{profile}` compiles fast and runs slowly; `cargo xtask build` makes the binaries for production"
        ));
    }
    if is_first(options, &checkout.build_dir()) {
        let time = if options.profile.is_optimised() { "four minutes" } else { "two minutes" };
        shell.note(format_args!(
            "the first build with profile `{profile}` compiles every crate: about {time} on two cores"
        ));
    }
}

/// Whether nothing was compiled like this before.
fn is_first(options: &CompileOptions, build_dir: &Path) -> bool {
    let target = options.target.as_deref().unwrap_or_default();
    !build_dir.join(target).join(profile_folder(&options.profile_name)).exists()
}

fn out_dir(
    declaration: &Declaration,
    args: &BuildArgs,
    purpose: Purpose,
    checkout: &Checkout,
) -> Result<PathBuf> {
    let Some(given) = &args.out_dir else {
        return Ok(match purpose {
            Purpose::Distribution => declaration.out_dir.clone(),
            Purpose::FirstLook => declaration.state().join("up"),
        });
    };
    let absolute = normal(&std::path::absolute(given).context("cannot find the current folder")?);
    let refused = |source| UsageError::OutDir { path: given.display().to_string(), source };
    check_out_dir(&absolute, declaration, checkout).map_err(refused)?;
    Ok(absolute)
}

fn summary(loaded: &Loaded) -> String {
    let (plugins, components) = (loaded.plugins.len(), loaded.plan.components.len());
    format!("{} for {}", counted(plugins, "plugin"), counted(components, "component"))
}

/// Two builds of one declaration at a time would write over each other.
pub(super) fn exclusive(declaration: &Declaration, shell: &Shell) -> Result<File> {
    fs::create_dir_all(declaration.state())?;
    file_lock::lock(&declaration.state().join(".lock"), "another build of this declaration", shell)
}

/// Puts every plugin into the store. What is there already is compared, and made anew if somebody has changed it.
pub(super) fn unpack(loaded: &Loaded, checkout: &Checkout, shell: &Shell) -> Result<()> {
    let store = checkout.store();
    let is_new = |source: &racetrack_bundle::PluginSource| {
        matches!(source.origin, Origin::Zip(_)) && !store.join(source.store_name()).exists()
    };
    let progress = shell.progress("Unpacking", loaded.plugins.len());
    for plugin in &loaded.plugins {
        if progress.is_hidden() && is_new(&plugin.source) {
            shell.status("Unpacking", &plugin.declaration.source);
        }
        progress.set_message(plugin.declaration.source.clone());
        let unpacked = plugin.source.unpack_into(&store);
        unpacked.with_context(|| format!("cannot unpack {}", plugin.declaration.source))?;
        store_use::mark(&store, &plugin.source.store_name())?;
        for entry in plugin.declaration.remote.iter().flat_map(RemoteSource::store_entries) {
            store_use::mark(&store, &entry)?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(())
}

/// Writes the generated workspaces of components, of which some are locked, and removes those that the declaration no longer
/// has.
pub(super) fn write<'a>(
    components: &[&'a PlannedComponent],
    locked: &BTreeSet<String>,
    site: &Site<'_>,
) -> Result<Vec<Prepared<'a>>> {
    let known: Vec<_> = site.declaration.component_names().collect();
    for stale in output::remove_stale(&site.declaration.state(), &known)? {
        site.shell.status("Removing", format_args!("component `{stale}`, which is no longer declared"));
    }
    let is_locked = |component: &PlannedComponent| locked.contains(&component.declaration.name);
    components.iter().map(|component| prepare(component, is_locked(component), site)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Profile;

    #[test]
    fn a_build_is_the_first_where_cargo_has_no_artefacts_of_its_profile_and_target() {
        let options = |profile: &str, target: Option<&str>| CompileOptions {
            profile_name: profile.to_owned(),
            profile: Profile { base: "dev", settings: std::collections::BTreeMap::new() },
            target: target.map(str::to_owned),
            locked: false,
            offline: false,
            variables: Vec::new(),
        };
        let build_dir = tempfile::tempdir().unwrap();
        let is_first = |profile, target| is_first(&options(profile, target), build_dir.path());
        for artefacts in ["debug", "x/quick"] {
            fs::create_dir_all(build_dir.path().join(artefacts)).unwrap();
        }
        assert!(!is_first("dev", None) && !is_first("quick", Some("x")));
        assert!(is_first("quick", None) && is_first("dev", Some("x")) && is_first("release", None));
    }
}
