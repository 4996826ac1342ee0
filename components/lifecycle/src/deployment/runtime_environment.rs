//! The environment that a job runs with, besides its secrets.

use std::sync::Arc;

use racetrack_core::host::failure::HookFailure;
use racetrack_core::{EnvVars, Hook, JobManifest, JobSecrets};
use racetrack_service::HookRuntime;

/// The header that follows a call through all jobs it reaches.
pub(crate) const TRACING_HEADER: &str = "X-Request-Tracing-Id";

/// The header that says who called first.
const CALLER_NAME_HEADER: &str = "X-Caller-Name";

/// What lifecycle itself tells a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlatformVariables<'a> {
    /// Where other jobs are called.
    pub(crate) pub_url: &'a str,
    /// What other jobs are shown.
    pub(crate) auth_token: &'a str,
}

/// The variables of a job. Later ones win: the manifest's, those of plugins in hook order, the platform's.
///
/// Variables of the build are empty unless the job has them at run time too: images have those of their build baked in.
///
/// # Errors
/// The first plugin's failure.
pub(crate) async fn variables(
    hooks: &HookRuntime,
    manifest: &JobManifest,
    secrets: &JobSecrets,
    platform: PlatformVariables<'_>,
) -> Result<EnvVars, HookFailure> {
    let of_build = manifest.build_env.iter().flatten().chain(&secrets.secret_build_env);
    let is_secret = |name: &String| secrets.secret_runtime_env.contains_key(name);
    let mut variables: EnvVars = of_build
        .filter(|(name, _)| !is_secret(name))
        .map(|(name, _)| (name.clone(), String::new()))
        .collect();
    variables.extend(manifest.runtime_env.clone().unwrap_or_default());
    let hook = Hook::JobRuntimeEnvVars;
    let of_plugins = hooks.call_every(hook, Arc::new(()), |plugin, ()| plugin.job_runtime_env_vars());
    for outcome in of_plugins.await {
        variables.extend(outcome.result?);
    }
    variables.extend(
        [
            ("PUB_URL", platform.pub_url),
            ("AUTH_TOKEN", platform.auth_token),
            ("REQUEST_TRACING_HEADER", TRACING_HEADER),
            ("CALLER_NAME_HEADER", CALLER_NAME_HEADER),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Ok(variables)
}
