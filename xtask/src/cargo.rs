//! The only place that spawns cargo to build a component: one call per component, one after the other.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

use crate::checkout::Checkout;
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

/// Compiles the workspace in `folder`. Returns the path of the binary `component`.
pub(crate) fn compile(
    component: &str,
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<PathBuf, CompileError> {
    let mut command = command(folder, target_dir, options, checkout, shell);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", checkout.cargo.display()))
        .map_err(CompileError::Run)?;
    let output = pass_through(&mut child);
    let binary = binary_of(&mut child, component);
    let output = output.join().expect("passing output through does not panic");
    let status = child.wait().context("cannot wait for cargo").map_err(CompileError::Run)?;
    if !status.success() {
        return Err(CompileError::Failed { output });
    }
    binary.map_err(CompileError::Run)
}

fn command(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    checkout: &Checkout,
    shell: &Shell,
) -> Command {
    let mut command = Command::new(&checkout.cargo);
    command.current_dir(folder).args(["build", "--message-format", "json-render-diagnostics", "--profile"]);
    command.arg(&options.profile_name);
    for (key, value) in &options.profile.settings {
        let name = &options.profile_name;
        command.arg("--config").arg(format!("profile.{name}.{}={value}", key.as_str()));
    }
    if let Some(target) = &options.target {
        command.args(["--target", target]);
    }
    let switches =
        [(options.locked, "--locked"), (options.offline, "--offline"), (shell.is_quiet(), "--quiet")];
    command.args(switches.into_iter().filter(|(on, _)| *on).map(|(_, switch)| switch));
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

fn binary_of(child: &mut Child, component: &str) -> Result<PathBuf> {
    let stdout = child.stdout.take().expect("the output was asked for");
    let package = binary_package(component);
    let mut binary = None;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read what cargo says")? {
            let is_ours =
                artifact.target.name == component && artifact.manifest_path.as_str().contains(component);
            if let Some(executable) = artifact.executable.filter(|_| is_ours && artifact.target.is_bin()) {
                binary = Some(executable.into_std_path_buf());
            }
        }
    }
    match binary {
        Some(binary) => Ok(binary),
        None => bail!("cargo did not say where the binary of package `{package}` is"),
    }
}
