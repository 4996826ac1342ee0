//! What the operator sets, and what of the component's environment the compiler gets to see.

use std::ffi::OsString;
use std::path::PathBuf;

use racetrack_core::EnvVars;
use serde::Deserialize;

/// The plugin's section of the component's configuration: `plugins: {rust-job-type: {…}}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct RustConfig {
    /// The cargo that compiles jobs: a path, or a name that is looked up in `PATH`. Without it, the one that the
    /// variable `CARGO` names, and then `cargo`.
    cargo: Option<PathBuf>,
    /// Whether jobs may only use crates that are on the machine already.
    pub(crate) offline: bool,
}

impl Default for RustConfig {
    fn default() -> Self {
        Self { cargo: None, offline: true }
    }
}

impl RustConfig {
    /// The cargo to run.
    pub(crate) fn cargo(&self) -> PathBuf {
        let named = || std::env::var_os("CARGO").filter(|cargo| !cargo.is_empty()).map(PathBuf::from);
        self.cargo.clone().or_else(named).unwrap_or_else(|| PathBuf::from("cargo"))
    }
}

/// The variables of this process that cargo, and with it the build scripts of crates, gets to see. The others may be
/// secrets of the component, or settings of the cargo that started it.
pub(crate) fn passed_on() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed_on))
}

/// The secret variables that cargo itself reads. What else a compiler sees can end up in what it makes, and stays in
/// the cache.
pub(crate) fn registry_tokens(secrets: &EnvVars) -> impl Iterator<Item = (&String, &String)> {
    secrets.iter().filter(|(name, _)| is_registry_token(name))
}

/// Whether cargo reads the variable as the token of a registry.
pub(crate) fn is_registry_token(name: &str) -> bool {
    name == "CARGO_REGISTRY_TOKEN" || (name.starts_with("CARGO_REGISTRIES_") && name.ends_with("_TOKEN"))
}

fn is_passed_on(name: &str) -> bool {
    const NAMES: [&str; 16] = [
        "ALL_PROXY",
        "AR",
        "CARGO_HOME",
        "CC",
        "CFLAGS",
        "CURL_CA_BUNDLE",
        "CXX",
        "CXXFLAGS",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LD_LIBRARY_PATH",
        "NO_PROXY",
        "PATH",
        "TMPDIR",
    ];
    const PREFIXES: [&str; 9] = [
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_SOURCE_",
        "GIT_SSL_",
        "LC_",
        "PKG_CONFIG",
        "RUSTUP_",
        "SSL_CERT_",
    ];
    let is_named = NAMES.contains(&name.to_ascii_uppercase().as_str());
    (is_named || PREFIXES.iter().any(|prefix| name.starts_with(prefix))) && !is_registry_token(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_keeps_its_settings_and_the_component_its_secrets() {
        for name in ["PATH", "CARGO_HOME", "RUSTUP_TOOLCHAIN", "http_proxy", "CARGO_REGISTRIES_OWN_INDEX"] {
            assert!(is_passed_on(name), "{name}");
        }
        for name in
            ["AUTH_KEY", "CARGO_REGISTRIES_OWN_TOKEN", "CARGO_PKG_NAME", "CARGO_TARGET_DIR", "RUSTFLAGS"]
        {
            assert!(!is_passed_on(name), "{name}");
        }
    }

    #[test]
    fn of_secrets_only_the_tokens_of_registries_are_for_cargo() {
        let secrets = ["CARGO_REGISTRIES_OWN_TOKEN", "CARGO_REGISTRY_TOKEN", "DATABASE_PASSWORD"];
        let secrets = EnvVars::from(secrets.map(|name| (name.to_owned(), "x".to_owned())));
        let names: Vec<_> = registry_tokens(&secrets).map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CARGO_REGISTRIES_OWN_TOKEN", "CARGO_REGISTRY_TOKEN"]);
    }
}
