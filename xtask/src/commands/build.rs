//! `cargo xtask build`: from the declaration to checked binaries in the output folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;
use racetrack_bundle::Origin;
use racetrack_bundle::suggestion::suggestion;

use super::{UsageError, check_component, counted};
use crate::blame::{Graph, blame};
use crate::cargo::{self, CompileError, CompileOptions, Compiled};
use crate::checkout::{Checkout, HOST_TRIPLE};
use crate::cli::{BuildArgs, SelectionArgs};
use crate::declaration::{Declaration, check_out_dir, normal};
use crate::description::Embedded;
use crate::fingerprint::{self, CompiledSources, Inputs, Watched};
use crate::generate::CheckoutManifest;
use crate::load::{Loaded, load};
use crate::members::package_name;
use crate::plan::PlannedComponent;
use crate::prepare::{Described, Prepared, Site, prepare};
use crate::remote::RemoteSource;
use crate::shell::Shell;
use crate::vendor::VendorFolder;
use crate::{leak, lock, lockfile, output, records, self_report, store_use, workspace};

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
    let binaries = build_all(&write(&components, &locked, &site)?, &out_dir, &site)?;
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
    let folder = if profile == "dev" { "debug" } else { profile };
    if !checkout.build_dir().join(options.target.as_deref().unwrap_or_default()).join(folder).exists() {
        let time = if options.profile.is_optimised() { "six minutes" } else { "two minutes" };
        shell.note(format_args!(
            "the first build with profile `{profile}` compiles every crate: about {time} on two cores"
        ));
    }
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
pub(super) fn exclusive(declaration: &Declaration, shell: &Shell) -> Result<std::fs::File> {
    fs::create_dir_all(declaration.state())?;
    let path = declaration.state().join(".lock");
    let file = fs::File::create(&path)?.into_file();
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            shell.status("Blocking", "waiting for another build of this declaration");
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Err(std::fs::TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(file)
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

/// Builds one component after the other, because cargo does. While it compiles the next one, the former is checked and installed.
fn build_all(prepared: &[Prepared<'_>], out_dir: &Path, site: &Site<'_>) -> Result<Vec<(String, PathBuf)>> {
    thread::scope(|scope| {
        let mut begun = Vec::new();
        for prepared in prepared {
            let step = begin_one(prepared, out_dir, site).map(|step| match step {
                Step::Finished(binary) => Ending::Now(binary),
                Step::Compiled(compiled) => {
                    Ending::Later(scope.spawn(|| finish_one(*compiled, prepared, out_dir, site)))
                }
            });
            let is_failed = step.is_err();
            begun.push((&prepared.component.declaration.name, step));
            if is_failed {
                break;
            }
        }
        let ended = begun.into_iter().map(|(name, step)| {
            let binary = step.and_then(|ending| match ending {
                Ending::Now(binary) => Ok(binary),
                Ending::Later(thread) => thread.join().expect("finishing a build does not panic"),
            });
            let binary = binary.with_context(|| format!("component `{name}` was not built"))?;
            Ok((name.clone(), binary))
        });
        // The first failure is the one that is reported; the others have ended by then.
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// How far a component is when cargo is free for the next one.
enum Step {
    /// Its former binary is what would be built.
    Finished(PathBuf),
    /// It was compiled, and is yet to be checked and installed.
    Compiled(Box<CompiledComponent>),
}

/// The binary of a component, now or when a thread has ended.
enum Ending<'scope> {
    Now(PathBuf),
    Later(thread::ScopedJoinHandle<'scope, Result<PathBuf>>),
}

/// A component that cargo has compiled.
struct CompiledComponent {
    built: Built,
    /// What it was to be built from.
    inputs: Option<Inputs>,
}

fn begin_one(prepared: &Prepared<'_>, out_dir: &Path, site: &Site<'_>) -> Result<Step> {
    let Prepared { component, folder, locked, .. } = prepared;
    let shell = site.shell;
    let name = &component.declaration.name;
    let inputs = fingerprint::inputs(prepared, out_dir, site)?;
    let place = out_dir.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let reason = match fingerprint::finished(inputs.as_ref(), &place, prepared, site) {
        Ok(binary) => {
            shell.status("Fresh", format_args!("component `{name}`"));
            return Ok(Step::Finished(binary));
        }
        Err(reason) => reason.map(|reason| format!(": {reason}")).unwrap_or_default(),
    };
    let plugins = counted(component.plugins.len(), "plugin");
    let unlocked = if *locked { "" } else { ", unlocked" };
    shell.status("Compiling", format_args!("component `{name}` with {plugins}{unlocked}{reason}"));
    let built = compile(prepared, site)?;
    shell.status("Checking", format_args!("component `{name}`"));
    lock::check(folder)?;
    Ok(Step::Compiled(Box::new(CompiledComponent { built, inputs })))
}

fn finish_one(
    compiled: CompiledComponent,
    prepared: &Prepared<'_>,
    out_dir: &Path,
    site: &Site<'_>,
) -> Result<PathBuf> {
    let Site { declaration, options, checkout, shell, .. } = *site;
    let Prepared { component, folder, .. } = prepared;
    let name = &component.declaration.name;
    let CompiledComponent { built: Built { compiled, described, watched, is_undisturbed }, inputs } =
        compiled;
    let binary = &compiled.binary;
    if options.target() == HOST_TRIPLE {
        self_report::compare(&self_report::ask(binary)?, component, &described.embedded)?;
    } else {
        shell.warn(format_args!("`{name}` is for another machine, so it was not asked for its plugins"));
    }
    let installed = install(binary, component, out_dir, &described.embedded, checkout)?;
    let committed = lock::committed_path(&declaration.folder, name);
    if lock::copy_out(&committed, folder)? {
        shell.status("Locking", checkout.display(&committed));
    }
    records::write(&installed, prepared, &described, site)?;
    let prepared = &prepared.known_as(described);
    let now = fingerprint::inputs(prepared, out_dir, site)?;
    // What has changed while cargo ran may or may not be in the binary.
    let now = now.filter(|now| is_undisturbed && inputs.is_some_and(|before| before.is_given_like(now)));
    if let (Some(inputs), Some(watched)) = (now, watched) {
        let [bill, statement] = records::paths(out_dir, name);
        fingerprint::keep(inputs, watched, &[installed.clone(), bill, statement], prepared, site)?;
    }
    Ok(installed)
}

/// A binary, where cargo has put it.
pub(super) struct Built {
    /// What cargo has said of it.
    pub(super) compiled: Compiled,
    /// What it is made of.
    described: Described,
    /// The files outside of the crates that it was built from, if they are known.
    watched: Option<Watched>,
    /// Whether no source of the checkout has changed while cargo ran.
    is_undisturbed: bool,
}

/// Compiles a component whose workspace is written.
pub(super) fn compile(prepared: &Prepared<'_>, site: &Site<'_>) -> Result<Built> {
    let Site { declaration, options, checkout, shell, .. } = *site;
    let Prepared { component, folder, .. } = prepared;
    let name = &component.declaration.name;
    let failed = |error| explain(error, component, folder, checkout);
    let target_dir = workspace::target_dir(declaration, name);
    let described = if let Some(known) = prepared.known.clone() {
        known
    } else {
        let crates = cargo::crates(folder, &target_dir, options, checkout, shell).map_err(failed)?;
        prepared.complete(crates, site)?
    };
    let mut sources = CompiledSources::open(&checkout.build_dir(), &options.profile_name, options.target())?;
    let mut trees = fingerprint::trees(prepared, &checkout.root)?;
    sources.complete(&mut trees)?;
    let mistaken = sources.mistaken(&trees).into_iter().map(|member| package_name(&checkout.root, member));
    let mistaken = mistaken.collect::<Result<BTreeSet<_>>>()?;
    if !mistaken.is_empty() {
        cargo::forget(&mistaken, folder, &target_dir, options, checkout, shell).map_err(failed)?;
    }
    sources.begin(&trees)?;
    let compiled = cargo::compile(name, folder, &target_dir, options, checkout, shell).map_err(failed)?;
    let watched = Watched::of(&compiled, prepared, site)?;
    let outside = fingerprint::outside(&compiled, prepared, site)?;
    let now = fingerprint::trees(prepared, &checkout.root)?;
    let is_undisturbed = sources.finish(&trees, now, &outside)?;
    described.crates.check(&compiled.packages)?;
    Ok(Built { compiled, described, watched, is_undisturbed })
}

/// Says which plugin a failure comes from; cargo has said the rest.
fn explain(
    error: CompileError,
    component: &PlannedComponent,
    folder: &Path,
    checkout: &Checkout,
) -> anyhow::Error {
    let CompileError::Failed(complaints) = &error else {
        return error.into();
    };
    if complaints.output.contains("--locked was passed") {
        let name = &component.declaration.name;
        return anyhow!(
            "{}/{name}.lock does not hold what the Cargo.toml of a crate asks for now; build once without `--locked`, read \
             what changed in that file, and commit it",
            lock::FOLDER
        );
    }
    // A build that fails early leaves no lock, and then no crate of a registry is to blame either.
    let graph = Graph::of_lock(&fs::read_to_string(folder.join("Cargo.lock")).unwrap_or_default());
    match blame(complaints, &component.plugins, &graph).describe(&component.plugins) {
        Some(blamed) => anyhow!("the errors above come from {blamed}"),
        None => anyhow!(
            "the errors above are about the workspace {}, not about a plugin",
            checkout.display(folder)
        ),
    }
}

/// Puts a binary into the output folder, unless it is there already. Only binaries that describe themselves and hold no
/// paths of this machine get there, so what is there already needs no second search. It has the time of the original, and the
/// content: anybody can set a time.
fn install(
    binary: &Path,
    component: &PlannedComponent,
    out_dir: &Path,
    embedded: &Embedded,
    checkout: &Checkout,
) -> Result<PathBuf> {
    let place = out_dir.join(binary.file_name().context("a binary has a name")?);
    let original = fs::metadata(binary)?;
    let time = original.modified().context("cannot tell when the binary was made")?;
    let is_original = |found: std::fs::Metadata| {
        found.is_file() && found.len() == original.len() && found.modified().is_ok_and(|found| found == time)
    };
    let content = fs::read(binary)?;
    if fs::metadata(&place).is_ok_and(is_original) && fs::read(&place)? == content {
        return Ok(place);
    }
    if let Some(leak) = leak::find(&content, &leak::needles(checkout)) {
        let origin = leak.origin(&component.plugins);
        return Err(anyhow!(leak).context(format!(
            "the binary was not put into {}: a path of this machine, from {origin}",
            checkout.display(out_dir)
        )));
    }
    embedded.check(&content)?;
    if place.is_dir() {
        bail!("there is a folder where the binary {} belongs", place.display());
    }
    // They speak of the former binary, and the new ones are written after it.
    records::remove(out_dir, &component.declaration.name)?;
    output::replace(&place, |temporary| {
        std::fs::copy(binary, temporary)?;
        std::fs::File::options().write(true).open(temporary)?.set_modified(time)
    })?;
    Ok(place)
}
