//! The environment of a job.

use std::collections::{BTreeMap, BTreeSet};

use racetrack_core::job_environment::{MAX_LENGTH, RESERVED};
use racetrack_core::{EnvVars, JobBundle, JobManifest};

/// Where the variables of a job come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnvironmentSources<'a> {
    /// The manifest of the job.
    pub(crate) manifest: &'a JobManifest,
    /// What its bundle says.
    pub(crate) bundle: &'a JobBundle,
    /// What lifecycle gives: the job's own variables, those of the platform and those of plugins.
    pub(crate) runtime: &'a EnvVars,
    /// The secret part of the job's own.
    pub(crate) secret: &'a EnvVars,
    /// Tells this instance from others.
    pub(crate) deployment_timestamp: i64,
    /// Where programs are looked for.
    pub(crate) path: &'a str,
}

/// Why a job cannot have the environment it asks for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvironmentError {
    #[error("found illegal runtime env vars, which conflict with reserved names: {{{}}}", .0.join(", "))]
    Reserved(Vec<String>),
    #[error("{0:?} is not the name of an environment variable")]
    Name(String),
    #[error("the environment variable `{0}` has a zero byte in its value")]
    ZeroByte(String),
    #[error("the environment variable `{0}` is longer than {MAX_LENGTH} bytes")]
    TooLong(String),
}

/// The whole environment of a job, without what differs between its replicas. Nothing is inherited from lifecycle.
pub(crate) fn assemble(sources: EnvironmentSources<'_>) -> Result<EnvVars, EnvironmentError> {
    refuse_reserved(sources.manifest, sources.secret)?;
    let manifest = serde_yaml::to_string(sources.manifest).expect("a manifest is YAML");
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut variables = BTreeMap::from([
        variable("JOB_MANIFEST_YAML", &manifest),
        variable("LANG", "C.UTF-8"),
        variable("PATH", sources.path),
    ]);
    for source in [&sources.bundle.env, sources.runtime, sources.secret] {
        variables.extend(source.clone());
    }
    variables.extend([
        variable("JOB_DEPLOYMENT_TIMESTAMP", &sources.deployment_timestamp.to_string()),
        variable("JOB_NAME", &sources.manifest.name),
        variable("JOB_VERSION", &sources.manifest.version),
    ]);
    for (name, value) in &variables {
        check(name, value)?;
    }
    Ok(variables)
}

fn refuse_reserved(manifest: &JobManifest, secret: &EnvVars) -> Result<(), EnvironmentError> {
    // Only what the job itself sets: the runtime variables also hold what lifecycle rightly says under these names.
    let own = manifest.runtime_env.iter().flat_map(BTreeMap::keys).chain(secret.keys());
    let illegal: BTreeSet<&String> = own.filter(|name| RESERVED.contains(&name.as_str())).collect();
    if illegal.is_empty() {
        return Ok(());
    }
    Err(EnvironmentError::Reserved(illegal.iter().map(|name| format!("'{name}'")).collect()))
}

fn check(name: &str, value: &str) -> Result<(), EnvironmentError> {
    let name = || name.to_owned();
    if name().is_empty() || name().contains(['=', '\0']) {
        return Err(EnvironmentError::Name(name()));
    }
    if value.contains('\0') {
        return Err(EnvironmentError::ZeroByte(name()));
    }
    if name().len() + 1 + value.len() > MAX_LENGTH {
        return Err(EnvironmentError::TooLong(name()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::process_table::REPLICA_VARIABLE;

    #[test]
    fn no_job_sets_what_its_processes_are_found_by() {
        assert!(RESERVED.contains(&REPLICA_VARIABLE));
    }

    fn assembled(own: &str, runtime: &[(&str, &str)], secret: &[(&str, &str)]) -> Result<EnvVars, String> {
        let manifest = JobManifest::parse(&format!(
            "name: adder\nowner_email: a@example.com\njobtype: x:1.0.0\ngit: {{remote: 'https://x'}}\n\
             runtime_env: {own}\n"
        ));
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<EnvVars>()
        };
        let bundle = JobBundle {
            job_type: "x:1.0.0".to_owned(),
            command: vec!["true".to_owned()],
            env: map(&[("A", "bundle"), ("B", "bundle")]),
        };
        assemble(EnvironmentSources {
            manifest: &manifest.unwrap(),
            bundle: &bundle,
            runtime: &map(runtime),
            secret: &map(secret),
            deployment_timestamp: 7,
            path: "/bin",
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn later_sources_win_and_the_platform_has_the_last_word() {
        let runtime =
            [("B", "runtime"), ("PUB_URL", "http://x/pub"), ("JOB_NAME", "other"), ("C", "runtime")];
        let variables = assembled("{B: runtime}", &runtime, &[("C", "secret")]).unwrap();
        let expected = [
            ("A", "bundle"),
            ("B", "runtime"),
            ("C", "secret"),
            ("JOB_DEPLOYMENT_TIMESTAMP", "7"),
            ("JOB_NAME", "adder"),
            ("JOB_VERSION", "0.0.1"),
            ("LANG", "C.UTF-8"),
            ("PATH", "/bin"),
            ("PUB_URL", "http://x/pub"),
        ];
        for (name, value) in expected {
            assert_eq!(variables[name], value, "{name}");
        }
        assert!(variables["JOB_MANIFEST_YAML"].contains("name: adder"));
        assert_eq!(variables.len(), expected.len() + 1, "nothing is inherited");
    }

    #[test]
    fn reserved_and_impossible_variables_are_refused() {
        assert_eq!(
            assembled("{PUB_URL: x, FINE: y}", &[], &[("JOB_NAME", "x")]).unwrap_err(),
            "found illegal runtime env vars, which conflict with reserved names: {'JOB_NAME', 'PUB_URL'}"
        );
        assert!(assembled("{}", &[("A=B", "x")], &[]).unwrap_err().contains("is not the name"));
        assert!(assembled("{}", &[("", "x")], &[]).unwrap_err().contains("is not the name"));
        assert!(assembled("{}", &[], &[("X", "\0")]).unwrap_err().contains("zero byte"));
        assert!(assembled("{}", &[("X", &"x".repeat(131_072))], &[]).unwrap_err().contains("`X` is longer"));
    }
}
