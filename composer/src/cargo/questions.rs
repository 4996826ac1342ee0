//! What cargo is asked about a workspace without compiling it.

use crate::session::Session;
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand, Resolve};
use fs_err as fs;

use super::command::{CompileOptions, build_command, changes, command};
use super::process::{CompileError, ask};
use crate::cargo::crates::{CrateSet, FORMAT, LockedCrates, Tree};
use crate::checkout::Checkout;

/// The crates of the workspace in `folder` with the features that a build gives them. Writes the lock, unless
/// it must stay.
pub fn crates(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    session: &Session,
) -> Result<CrateSet, CompileError> {
    let shell = &session.shell;
    // Cargo names canonical folders.
    let canonical = fs::canonicalize(folder).map_err(|error| CompileError::Run(error.into()))?;
    let tree = |edges: &str| {
        let mut command = command("tree", folder, target_dir, options, session);
        command.args(["--edges", edges, "--prefix", "depth", "--format", FORMAT]);
        command.args(["--target", options.target()]);
        let heartbeat = shell.heartbeat("Asking cargo for the crates");
        Tree::parse(&ask(command, heartbeat.as_ref())?).map_err(CompileError::Answer)
    };
    let (linked, all) = (tree("normal,no-proc-macro")?, tree("normal,build")?);
    let lock =
        fs::read_to_string(folder.join("Cargo.lock")).map_err(|error| CompileError::Answer(error.into()))?;
    LockedCrates::parse(&lock)
        .and_then(|lock| CrateSet::new(&linked, &all, &lock, &canonical))
        .map_err(CompileError::Answer)
}

/// Has cargo forget what it has compiled of some packages of the workspace in `folder`.
pub fn forget(
    packages: &BTreeSet<String>,
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    session: &Session,
) -> Result<(), CompileError> {
    let mut command = command("clean", folder, target_dir, options, session);
    command.args(["--profile", &options.profile_name]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command.args(options.target.iter().flat_map(|target| ["--target", target]));
    ask(command, None).map(drop)
}

/// What cargo says of each crate of a workspace that was compiled with these options, and where its artefacts are.
pub fn messages(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    session: &Session,
) -> Result<Vec<Message>> {
    let checkout = &session.checkout;
    let output = build_command(folder, target_dir, options, session)
        .output()
        .with_context(|| format!("cannot start {}", checkout.cargo.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cargo failed to list what it has compiled: {}", said.trim());
    }
    let messages: Result<_, _> = Message::parse_stream(&output.stdout[..]).collect();
    messages.context("cannot read what cargo says")
}

/// Which crate of a workspace depends on which others, in any way.
pub fn graph(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
) -> Result<Resolve> {
    let mut metadata = MetadataCommand::new();
    metadata.cargo_path(&checkout.cargo).current_dir(folder);
    let arguments = ["--locked", "--offline", "--filter-platform", options.target()];
    let mut arguments = arguments.map(str::to_owned).to_vec();
    if let Some(vendor) = &checkout.vendor {
        arguments.extend(["--config".to_owned(), vendor.cargo_config().to_string_lossy().into_owned()]);
    }
    metadata.other_options(arguments);
    for (name, value) in changes(target_dir, options, checkout) {
        match value {
            Some(value) => metadata.env(name, value),
            None => metadata.env_remove(name),
        };
    }
    let metadata = metadata.exec().context("cannot ask cargo for the dependencies")?;
    metadata.resolve.context("cargo did not say which crate depends on which")
}
