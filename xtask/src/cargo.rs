//! The only place that spawns cargo for a component: one build per component, one after the other, and before it a
//! question about the crates where their list is not known.

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand, Resolve};
use fs_err as fs;

use crate::checkout::{Checkout, HOST_TRIPLE};
use crate::crates::{CrateSet, FORMAT, LockedCrates, Tree};
use crate::declaration::Profile;
use crate::environment::environment;
use crate::generate::binary_package;
use crate::shell::Shell;

/// How much of cargo's output is kept to find out which plugin a failure comes from, in bytes.
const KEPT_OUTPUT: usize = 1024 * 1024;

/// How to build.
#[derive(Clone, Debug)]
pub(crate) struct CompileOptions {
    /// The name of the profile.
    pub(crate) profile_name: String,
    /// Its settings.
    pub(crate) profile: Profile,
    /// A target triple, if not the host's.
    pub(crate) target: Option<String>,
    /// Fail rather than change the lock.
    pub(crate) locked: bool,
    /// Do not use the network.
    pub(crate) offline: bool,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// Cargo could not be run, or spoke in a way we do not understand.
    #[error("cannot run cargo")]
    Run(#[source] anyhow::Error),
    /// Cargo failed and has said why.
    #[error("cargo failed")]
    Failed {
        /// The end of what it said.
        output: String,
    },
}

/// What cargo has built.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The binary of the component.
    pub(crate) binary: PathBuf,
    /// Name and version of every package that something was built of, fresh or anew.
    pub(crate) packages: BTreeSet<(String, String)>,
}

impl CompileOptions {
    /// The triple of the machine that the binaries are for.
    pub(crate) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or(HOST_TRIPLE)
    }
}

/// The crates of the workspace in `folder` with the features that a build gives them. Writes the lock, unless
/// it must stay.
pub(crate) fn crates(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<CrateSet, CompileError> {
    let tree = |edges: &str| {
        let mut command = command("tree", folder, target_dir, options, checkout, shell);
        command.args(["--edges", edges, "--prefix", "depth", "--format", FORMAT]);
        command.args(["--target", options.target()]);
        let mut child = spawn(&mut command, checkout)?;
        let output = pass_through(&mut child);
        let mut text = String::new();
        let mut stdout = child.stdout.take().expect("the output was asked for");
        let read = stdout.read_to_string(&mut text).context("cannot read what cargo says");
        finish(&mut child, output)?;
        read.and_then(|_| Tree::parse(&text)).map_err(CompileError::Run)
    };
    let (linked, all) = (tree("normal,no-proc-macro")?, tree("normal,build")?);
    let lock =
        fs::read_to_string(folder.join("Cargo.lock")).map_err(|error| CompileError::Run(error.into()))?;
    // Cargo names canonical folders.
    let folder = fs::canonicalize(folder).map_err(|error| CompileError::Run(error.into()))?;
    LockedCrates::parse(&lock)
        .and_then(|lock| CrateSet::new(&linked, &all, &lock, &folder))
        .map_err(CompileError::Run)
}

/// Compiles the workspace in `folder`, which holds the binary `component`.
pub(crate) fn compile(
    component: &str,
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<Compiled, CompileError> {
    let mut command = build_command(folder, target_dir, options, checkout, shell);
    let mut child = spawn(&mut command, checkout)?;
    let output = pass_through(&mut child);
    let compiled = compiled(&mut child, component);
    finish(&mut child, output)?;
    compiled.map_err(CompileError::Run)
}

/// What cargo says of each crate of a workspace that was compiled with these options, and where its artefacts are.
pub(crate) fn messages(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<Vec<Message>> {
    let output = build_command(folder, target_dir, options, checkout, shell)
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
pub(crate) fn graph(folder: &Path, target_dir: &Path, checkout: &Checkout) -> Result<Resolve> {
    let mut metadata = MetadataCommand::new();
    metadata.cargo_path(&checkout.cargo).current_dir(folder);
    metadata.other_options(["--locked", "--offline", "--filter-platform", HOST_TRIPLE].map(str::to_owned));
    let environment = environment(checkout, target_dir, std::env::vars_os());
    for name in &environment.removed {
        metadata.env_remove(name);
    }
    for (name, value) in environment.set {
        metadata.env(name, value);
    }
    let metadata = metadata.exec().context("cannot ask cargo for the dependencies")?;
    metadata.resolve.context("cargo did not say which crate depends on which")
}

fn build_command(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Command {
    let mut command = command("build", folder, target_dir, options, checkout, shell);
    command.args(["--message-format", "json-render-diagnostics", "--profile", &options.profile_name]);
    for (key, value) in &options.profile.settings {
        let name = &options.profile_name;
        command.arg("--config").arg(format!("profile.{name}.{}={value}", key.as_str()));
    }
    if let Some(target) = &options.target {
        command.args(["--target", target]);
    }
    command
}

fn spawn(command: &mut Command, checkout: &Checkout) -> Result<Child, CompileError> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.with_context(|| format!("cannot start {}", checkout.cargo.display())).map_err(CompileError::Run)
}

fn finish(child: &mut Child, output: thread::JoinHandle<String>) -> Result<(), CompileError> {
    let output = output.join().expect("passing output through does not panic");
    let status = child.wait().context("cannot wait for cargo").map_err(CompileError::Run)?;
    if status.success() { Ok(()) } else { Err(CompileError::Failed { output }) }
}

fn command(
    subcommand: &str,
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Command {
    let mut command = Command::new(&checkout.cargo);
    command.current_dir(folder).arg(subcommand);
    let switches =
        [(options.locked, "--locked"), (options.offline, "--offline"), (shell.is_quiet(), "--quiet")];
    command.args(switches.into_iter().filter(|(on, _)| *on).map(|(_, switch)| switch));
    if let Some(vendor) = &checkout.vendor {
        command.arg("--config").arg(vendor.cargo_config());
    }
    let environment = environment(checkout, target_dir, std::env::vars_os());
    for name in &environment.removed {
        command.env_remove(name);
    }
    command.envs(environment.set);
    // Cargo writes to us, not to the terminal; it is to look as if it did.
    if let Some(width) = shell.terminal_width() {
        command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", width.to_string());
    }
    command.env("CARGO_TERM_COLOR", if shell.is_colored() { "always" } else { "never" });
    command
}

/// Hands cargo's own output on as it comes, and keeps its end.
fn pass_through(child: &mut Child) -> thread::JoinHandle<String> {
    let mut from = child.stderr.take().expect("the output was asked for");
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let mut to = std::io::stderr().lock();
            // A terminal that went away is no reason to stop the build.
            let _ = to.write_all(&buffer[..length]).and_then(|()| to.flush());
            kept.extend_from_slice(&buffer[..length]);
            if kept.len() > 2 * KEPT_OUTPUT {
                kept.drain(..kept.len() - KEPT_OUTPUT);
            }
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}

fn compiled(child: &mut Child, component: &str) -> Result<Compiled> {
    let stdout = child.stdout.take().expect("the output was asked for");
    let package = binary_package(component);
    let mut binary = None;
    let mut packages = BTreeSet::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read what cargo says")? {
            let title = name_and_version(&artifact.package_id.repr);
            packages.insert(title.with_context(|| format!("cannot read `{}`", artifact.package_id))?);
            let is_ours =
                artifact.target.name == component && artifact.manifest_path.as_str().contains(component);
            if let Some(executable) = artifact.executable.filter(|_| is_ours && artifact.target.is_bin()) {
                binary = Some(executable.into_std_path_buf());
            }
        }
    }
    match binary {
        Some(binary) => Ok(Compiled { binary, packages }),
        None => bail!("cargo did not say where the binary of package `{package}` is"),
    }
}

/// From `…/name#1.0.0` or `…#name@1.0.0`, the two forms of cargo's package ids.
fn name_and_version(id: &str) -> Option<(String, String)> {
    let (address, fragment) = id.rsplit_once('#')?;
    let last = || address.split('?').next()?.rsplit('/').next();
    let (name, version) = match fragment.rsplit_once('@') {
        Some((name, version)) => (name, version),
        None => (last()?, fragment),
    };
    Some((name.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_ids_name_packages() {
        let pair = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(
            name_and_version("registry+https://host.invalid/index#serde@1.0.0"),
            pair("serde", "1.0.0")
        );
        assert_eq!(
            name_and_version("path+file:///a/core#racetrack-core@0.1.0"),
            pair("racetrack-core", "0.1.0")
        );
        assert_eq!(name_and_version("path+file:///a/macros#0.1.0"), pair("macros", "0.1.0"));
        assert_eq!(name_and_version("git+https://host.invalid/x/y?rev=ab/c#1.0.0"), pair("y", "1.0.0"));
        assert_eq!(name_and_version("odd"), None);
    }
}
