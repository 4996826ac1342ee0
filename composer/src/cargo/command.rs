//! How cargo is called: its arguments and its environment.

use crate::session::Session;
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::cargo::environment::{Environment, environment};
use crate::checkout::{Checkout, HOST_TRIPLE};
use crate::declaration::Profile;

/// How to build.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// The name of the profile.
    pub profile_name: String,
    /// Its settings.
    pub profile: Profile,
    /// A target triple, if not the host's.
    pub target: Option<String>,
    /// Fail rather than change the lock.
    pub locked: bool,
    /// Do not use the network.
    pub offline: bool,
    /// Variables that cargo finds in its environment besides those of this process, or instead of them; what a build does
    /// not let through does not get through here either.
    pub variables: Vec<(&'static str, OsString)>,
}

impl CompileOptions {
    /// The triple of the machine that the binaries are for.
    pub fn target(&self) -> &str {
        self.target.as_deref().unwrap_or(HOST_TRIPLE)
    }
}

/// What cargo calls the folder with the artefacts of a profile.
pub fn profile_folder(profile: &str) -> &str {
    if profile == "dev" { "debug" } else { profile }
}

/// What cargo calls the file with a binary for a target.
pub fn binary_file(name: &str, target: &str) -> String {
    if target.contains("-windows") { format!("{name}.exe") } else { name.to_owned() }
}

/// `cargo build` of the workspace in `folder`.
pub(super) fn build_command(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    session: &Session,
) -> Command {
    let shell = &session.shell;
    let mut command = command("build", folder, target_dir, options, session);
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

/// A command of cargo for the workspace in `folder`.
pub(super) fn command(
    subcommand: &str,
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    session: &Session,
) -> Command {
    let Session { checkout, shell } = session;
    let mut command = Command::new(&checkout.cargo);
    command.current_dir(folder).arg(subcommand);
    let switches =
        [(options.locked, "--locked"), (options.offline, "--offline"), (shell.is_quiet(), "--quiet")];
    command.args(switches.into_iter().filter(|(on, _)| *on).map(|(_, switch)| switch));
    if !shell.is_quiet() {
        // Others wait for what it says.
        command.env("CARGO_TERM_QUIET", "false");
    }
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
pub fn changes(
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
