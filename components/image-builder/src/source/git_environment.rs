//! What git finds in its environment: nothing of ours but what it needs, and the credentials where no list of processes
//! shows them.

use std::path::Path;

use racetrack_core::GitCredentials;
use racetrack_core::tool_launcher::ToolLauncher;
use tokio::process::Command;

use super::git_address::{GitAddress, GitProtocols};
use crate::process::Tool;
use crate::supervisor;

/// What git, and what it calls for ssh and https, need of this process's environment. Everything else stays here: the
/// environment of a component holds tokens.
const INHERITED: [&str; 17] = [
    "PATH",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SystemRoot",
    "TEMP",
];

/// Answers git from two variables when it asks for credentials. Arguments of processes can be seen by every user of the
/// machine, environments cannot.
const CREDENTIAL_HELPER: &str = r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$JOB_GIT_USERNAME" "$JOB_GIT_PASSWORD"; }; f"#;

/// A call of git in that folder, which neither asks nor runs anything of its own accord.
pub(super) fn git(folder: &Path, allowed: &GitProtocols) -> Tool<'static> {
    git_by(supervisor::launcher(), folder, allowed)
}

/// The same, without a supervisor: for what starts nothing, and may be killed at any time.
pub(super) fn git_alone(folder: &Path, allowed: &GitProtocols) -> Command {
    static LAUNCHER: ToolLauncher = ToolLauncher::direct();
    git_by(&LAUNCHER, folder, allowed).command
}

fn git_by(launcher: &'static ToolLauncher, folder: &Path, allowed: &GitProtocols) -> Tool<'static> {
    let mut tool = Tool::new("git", launcher);
    let command = &mut tool.command;
    command
        .current_dir(folder)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| INHERITED.iter().any(|inherited| name == inherited)))
        // The home of the person who runs this may hold settings, hooks and passwords that are not meant for jobs.
        .env("HOME", folder)
        .env("GIT_CONFIG_GLOBAL", if cfg!(windows) { "NUL" } else { "/dev/null" })
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
        // Holds for redirections and everything else that git follows, too.
        .env("GIT_ALLOW_PROTOCOL", allowed.join(":"));
    // An empty helper forgets the ones configured before it. Nothing may go on in the background after git has ended.
    configure(command, &[("credential.helper", ""), ("gc.auto", "0"), ("maintenance.auto", "false")]);
    tool
}

/// The same, with credentials for the server of that address.
pub(super) fn git_with_credentials(
    folder: &Path,
    allowed: &GitProtocols,
    address: &GitAddress,
    credentials: Option<&GitCredentials>,
) -> Tool<'static> {
    let mut tool = git(folder, allowed);
    let command = &mut tool.command;
    if let Some((credentials, server)) = credentials.zip(address.server()) {
        let helper = format!("credential.{server}.helper");
        let settings = [
            ("credential.helper", ""),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            (helper.as_str(), CREDENTIAL_HELPER),
        ];
        configure(command, &settings);
        command.env("JOB_GIT_USERNAME", &credentials.username).env("JOB_GIT_PASSWORD", &credentials.password);
    }
    tool
}

/// Has git reach servers by that proxy, whatever the environment says of proxies.
pub(super) fn set_proxy(command: &mut Command, proxy: &str) {
    let is_about_proxies = |name: &str| name.to_ascii_lowercase().ends_with("_proxy");
    for name in INHERITED.into_iter().filter(|name| is_about_proxies(name)) {
        command.env_remove(name);
    }
    command.args(["-c", &format!("http.proxy={proxy}")]);
}

/// Whether the environment has git reach servers by a proxy.
pub(super) fn has_proxy() -> bool {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn configure(command: &mut Command, settings: &[(&str, &str)]) {
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (index, (key, value)) in settings.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{index}"), key).env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
}
