//! Whether a job can have the variables that it asks for. What its target or its build would refuse is refused before
//! anything is built.

use std::collections::BTreeMap;

use racetrack_core::JobManifest;
use racetrack_core::job_environment::{Purpose, broken_rules};
use racetrack_service::ApiError;

/// Where variables stand, and what they are for.
type Part<'a> = (&'a str, Option<&'a BTreeMap<String, String>>, Purpose);

/// How many broken rules are reported at once.
const MAX_TOLD: usize = 20;

/// Checks the variables in a manifest.
///
/// # Errors
/// 400, with every rule that is broken, and where.
pub(crate) fn check_manifest(manifest: &JobManifest) -> Result<(), ApiError> {
    check([
        ("manifest.build_env", manifest.build_env.as_ref(), Purpose::Build),
        ("manifest.runtime_env", manifest.runtime_env.as_ref(), Purpose::Runtime),
    ])
}

/// Checks the variables that are in no manifest.
///
/// # Errors
/// As of [`check_manifest`]; values are not repeated.
pub(super) fn check_secrets(
    build_env: &BTreeMap<String, String>,
    runtime_env: &BTreeMap<String, String>,
) -> Result<(), ApiError> {
    check([
        ("secret_vars.build_env", Some(build_env), Purpose::Build),
        ("secret_vars.runtime_env", Some(runtime_env), Purpose::Runtime),
    ])
}

fn check<const N: usize>(parts: [Part<'_>; N]) -> Result<(), ApiError> {
    let broken = parts
        .into_iter()
        .filter_map(|(place, variables, purpose)| Some(broken_rules(place, variables?, purpose)));
    let broken: Vec<String> = broken.flatten().take(MAX_TOLD).collect();
    if broken.is_empty() { Ok(()) } else { Err(ApiError::invalid(broken.join("; "))) }
}
