//! The section `jobtype_extra` of a job manifest.

use racetrack_core::JobManifest;

/// Everything this job type needs to know is in the `Cargo.toml` of the job.
pub(crate) fn check(manifest: &JobManifest) -> Result<(), String> {
    let keys: Vec<_> = manifest.job_type_extra().into_iter().flat_map(|extra| extra.keys()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = keys.into_iter().map(|key| format!("`{key}`")).collect();
    let help = "remove the section: what a job in Rust needs is said in its `Cargo.toml`";
    Err(format!("unknown keys in `jobtype_extra`: {}; {help}", keys.join(", ")))
}
