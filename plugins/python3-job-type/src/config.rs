//! What the operator sets, and what of the component's environment the tools of a build get to see.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;

/// The plugin's section of the component's configuration: `plugins: {python3-job-type: {…}}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Python3Config {
    /// The interpreter that virtual environments are made with: a path, or a name that is looked up in `PATH`.
    pub(crate) python: PathBuf,
    /// The version of `racetrack-job-runner` that serves jobs.
    pub(crate) runner_version: String,
}

/// The value of `runner-version` is not a version.
#[derive(Debug, thiserror::Error)]
#[error("`runner-version` is no version of racetrack-job-runner: {0:?}")]
pub(crate) struct NoRunnerVersion(String);

impl Default for Python3Config {
    fn default() -> Self {
        Self { python: PathBuf::from("python3"), runner_version: "1.18.0".to_owned() }
    }
}

impl Python3Config {
    /// Checks what the types do not say.
    pub(crate) fn check(&self) -> Result<(), NoRunnerVersion> {
        let version = &self.runner_version;
        let is_version = version.starts_with(|c: char| c.is_ascii_digit())
            && version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '!'));
        if is_version { Ok(()) } else { Err(NoRunnerVersion(version.clone())) }
    }
}

/// The variables of this process that pip, and with it the build code of packages, gets to see. The others may be
/// secrets of the component, which the authors of jobs and packages must not read.
pub(crate) fn passed_on() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed_on))
}

fn is_passed_on(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "ALL_PROXY",
        "AR",
        "CC",
        "CFLAGS",
        "CPATH",
        "CURL_CA_BUNDLE",
        "CXX",
        "CXXFLAGS",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LDFLAGS",
        "LD_LIBRARY_PATH",
        "NO_PROXY",
        "PATH",
        "REQUESTS_CA_BUNDLE",
        "TMPDIR",
    ];
    // pip reads its own configuration from all variables of its prefix.
    const PREFIXES: [&str; 7] = ["GIT_SSL_", "LC_", "PIP_", "PKG_CONFIG", "PYENV_", "SSL_CERT_", "XDG_"];
    NAMES.contains(&name.to_ascii_uppercase().as_str())
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_keeps_its_configuration_and_the_component_its_secrets() {
        for name in ["PATH", "HOME", "https_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE", "LC_ALL"] {
            assert!(is_passed_on(name), "{name}");
        }
        for name in ["LIFECYCLE_AUTH_TOKEN", "AUTH_KEY", "DATABASE_URL", "PYTHONPATH", "SECRET_KEY"] {
            assert!(!is_passed_on(name), "{name}");
        }
    }
}
