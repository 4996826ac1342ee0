//! The only place where cargo builds components: one build per component, one after the other, and before it a question
//! about the crates where their list is not known. The crates of a vendor folder cargo is asked for elsewhere, in
//! `vendor`: that compiles nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::io::{PipeReader, Read, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use cargo_metadata::{BuildScript, Message, MetadataCommand, Resolve};
use fs_err as fs;
use racetrack_launcher::heartbeat::Heartbeat;

use crate::cargo_listener::{Complaints, Heard, Kept, listen};
use crate::checkout::{Checkout, HOST_TRIPLE};
use crate::crates::{CrateSet, FORMAT, LockedCrates, Tree};
use crate::declaration::Profile;
use crate::environment::{Environment, environment};
use crate::generate::binary_package;
use crate::shell::Shell;

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
    /// Variables that cargo finds in its environment besides those of this process, or instead of them; what a build does
    /// not let through does not get through here either.
    pub(crate) variables: Vec<(&'static str, OsString)>,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// Cargo could not be run.
    #[error("cannot run cargo")]
    Run(#[source] anyhow::Error),
    /// Cargo ran, and what it has said or left cannot be used.
    #[error("cannot use what cargo answers")]
    Answer(#[source] anyhow::Error),
    /// Cargo failed and has said why.
    #[error("cargo failed")]
    Failed(Box<Complaints>),
}

/// What cargo has built.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The binary of the component.
    pub(crate) binary: PathBuf,
    /// What ran before something was compiled, now or earlier.
    pub(crate) build_scripts: Vec<BuildScript>,
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
    // Cargo names canonical folders.
    let canonical = fs::canonicalize(folder).map_err(|error| CompileError::Run(error.into()))?;
    let tree = |edges: &str| {
        let mut command = command("tree", folder, target_dir, options, checkout, shell);
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

/// Compiles the workspace in `folder`, which holds the binary `component`.
pub(crate) fn compile(
    component: &str,
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<Compiled, CompileError> {
    let command = build_command(folder, target_dir, options, checkout, shell);
    let heartbeat = shell.heartbeat(&format!("Compiling component `{component}`"));
    let (status, heard) = build(command, component, heartbeat.as_ref())?;
    drop(heartbeat);
    let Heard { binary, packages, complaints } = heard;
    if !status.success() {
        return Err(CompileError::Failed(Box::new(complaints)));
    }
    let package = binary_package(component);
    let binary =
        binary.with_context(|| format!("cargo did not say where the binary of package `{package}` is"));
    let build_scripts = complaints.build_scripts;
    binary.map(|binary| Compiled { binary, build_scripts, packages }).map_err(CompileError::Answer)
}

/// Has cargo forget what it has compiled of some packages of the workspace in `folder`.
pub(crate) fn forget(
    packages: &BTreeSet<String>,
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<(), CompileError> {
    let mut command = command("clean", folder, target_dir, options, checkout, shell);
    command.args(["--profile", &options.profile_name]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command.args(options.target.iter().flat_map(|target| ["--target", target]));
    ask(command, None).map(drop)
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
pub(crate) fn graph(
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

/// What cargo calls the folder with the artefacts of a profile.
pub(crate) fn profile_folder(profile: &str) -> &str {
    if profile == "dev" { "debug" } else { profile }
}

/// Runs a command that answers with data. Returns them; what cargo says besides is handed on as it comes.
fn ask(mut command: Command, heartbeat: Option<&Heartbeat>) -> Result<String, CompileError> {
    let (status, answer, said) = answer(&mut command, heartbeat)?;
    if status.success() {
        return Ok(answer);
    }
    Err(CompileError::Failed(Box::new(Complaints { output: said, ..Complaints::default() })))
}

fn answer(
    command: &mut Command,
    heartbeat: Option<&Heartbeat>,
) -> Result<(ExitStatus, String, String), CompileError> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let program = command.get_program().display();
    let mut child = child.with_context(|| format!("cannot start {program}")).map_err(CompileError::Run)?;
    let mut from = child.stderr.take().expect("the output was asked for");
    let mut stdout = child.stdout.take().expect("the output was asked for");
    let mut answer = String::new();
    let (read, said) = thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut kept = Kept::new(heartbeat);
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                kept.pass_on(&buffer[..length]);
            }
            kept.into_text()
        });
        let read = stdout.read_to_string(&mut answer).context("cannot read what cargo says");
        drop(stdout);
        (read, said.join().expect("passing output through does not panic"))
    });
    let status = wait(&mut child)?;
    read.map(|_| (status, answer, said)).map_err(CompileError::Answer)
}

fn build(
    command: Command,
    component: &str,
    heartbeat: Option<&Heartbeat>,
) -> Result<(ExitStatus, Heard), CompileError> {
    let (mut child, from) = start(command).map_err(CompileError::Run)?;
    let heard = listen(from, component, heartbeat);
    let status = wait(&mut child)?;
    Ok((status, heard.map_err(CompileError::Answer)?))
}

/// Starts a command. Returns what it writes, to whichever stream.
fn start(mut command: Command) -> Result<(Child, PipeReader)> {
    let (from, to) = pipe().context("cannot make a pipe")?;
    command.stdout(to.try_clone().context("cannot make a pipe")?).stderr(to);
    let child = command.spawn();
    // The command, which holds the writing end of the pipe, ends here; else the pipe would never be closed.
    let child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok((child, from))
}

fn wait(child: &mut Child) -> Result<ExitStatus, CompileError> {
    child.wait().context("cannot wait for cargo").map_err(CompileError::Run)
}

fn build_command(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Command {
    let mut command = command("build", folder, target_dir, options, checkout, shell);
    // Rendered by the compiler, with styles where they are wanted; it is handed on as it is.
    let format = if shell.is_colored() { "json-diagnostic-rendered-ansi" } else { "json" };
    command.args(["--message-format", format, "--profile", &options.profile_name]);
    for (key, value) in &options.profile.settings {
        let name = &options.profile_name;
        command.arg("--config").arg(format!("profile.{name}.{}={value}", key.as_str()));
    }
    if let Some(target) = &options.target {
        command.args(["--target", target]);
    }
    command
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
    for (name, value) in changes(target_dir, options, checkout) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    // Cargo writes to us, not to the terminal; it is to look as if it did.
    if let Some(width) = shell.terminal_width() {
        command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", width.to_string());
    }
    command.env("CARGO_TERM_COLOR", if shell.is_colored() { "always" } else { "never" });
    command
}

/// What cargo finds in its environment instead of what this process has: each variable with its value, or with nothing when
/// it is removed.
pub(crate) fn changes(
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
) -> BTreeMap<OsString, Option<OsString>> {
    let added = || options.variables.iter().map(|(name, value)| (OsString::from(name), value.clone()));
    let Environment { set, removed } = environment(checkout, target_dir, env::vars_os().chain(added()));
    let mut changes: BTreeMap<_, _> = added().map(|(name, value)| (name, Some(value))).collect();
    changes.extend(removed.into_iter().map(|name| (name.into(), None)));
    changes.extend(set.into_iter().map(|(name, value)| (name.into(), Some(value))));
    changes
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::description;

    #[test]
    fn variables_reach_cargo_unless_a_build_does_not_let_them_through() {
        let checkout = Checkout {
            root: "/a".into(),
            cargo: "cargo".into(),
            cargo_home: "/h".into(),
            homes: Vec::new(),
            offline: false,
            vendor: None,
        };
        let variables = [("TZ", "Asia/Kathmandu"), ("RUSTFLAGS", "-g"), ("CARGO_INCREMENTAL", "1")];
        let variables = variables.map(|(name, value)| (name, value.into())).to_vec();
        let options = CompileOptions { variables, ..description::tests::options() };
        let changed = changes(Path::new("/t"), &options, &checkout);
        assert_eq!(changed[OsStr::new("TZ")], Some("Asia/Kathmandu".into()));
        assert_eq!(changed[OsStr::new("RUSTFLAGS")], None);
        assert_eq!(changed[OsStr::new("CARGO_INCREMENTAL")], Some("0".into()));
    }
}
