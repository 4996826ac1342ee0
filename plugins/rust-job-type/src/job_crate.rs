//! The crate of a job, as far as it decides how the program around it is generated.

use std::io;
use std::path::Path;

use serde::Deserialize;

/// The largest `Cargo.toml`, in bytes.
const MANIFEST_BYTES: u64 = 256 * 1024;

/// The crate of a job.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JobCrate {
    /// The name of its package.
    pub(crate) package: String,
}

/// Why the source of a job is no crate that can be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobCrateError {
    /// There is no `Cargo.toml`.
    #[error(
        "the job has no `Cargo.toml`: a job in Rust is a library crate with `pub fn perform` in `src/lib.rs`; is \
         `git.directory` its folder?"
    )]
    NoManifest(#[source] io::Error),
    /// The `Cargo.toml` is larger than [`MANIFEST_BYTES`].
    #[error("the `Cargo.toml` of the job is larger than {MANIFEST_BYTES} bytes")]
    TooLarge,
    /// The `Cargo.toml` cannot be understood.
    #[error("cannot read the `Cargo.toml` of the job")]
    Manifest(#[source] Box<toml::de::Error>),
    /// The name of the package means something to cargo besides a name.
    #[error("{0:?} is no name of a package")]
    Name(String),
    /// There is no library.
    #[error(
        "the job has no `{path}`: a job in Rust is a library crate with `pub fn perform(input: …) -> Result<…>`"
    )]
    NoLibrary { path: String },
}

#[derive(Deserialize)]
struct CargoManifest {
    package: Package,
    lib: Option<Library>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Library {
    path: Option<String>,
}

impl JobCrate {
    /// Looks at the crate in a folder.
    pub(crate) fn load(folder: &Path) -> Result<Self, JobCrateError> {
        let file = folder.join("Cargo.toml");
        if std::fs::metadata(&file).map_err(JobCrateError::NoManifest)?.len() > MANIFEST_BYTES {
            return Err(JobCrateError::TooLarge);
        }
        let text = std::fs::read_to_string(&file).map_err(JobCrateError::NoManifest)?;
        let manifest: CargoManifest =
            toml::from_str(&text).map_err(|error| JobCrateError::Manifest(error.into()))?;
        let name = manifest.package.name;
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(JobCrateError::Name(name));
        }
        let path = manifest.lib.and_then(|library| library.path).unwrap_or_else(|| "src/lib.rs".to_owned());
        if !folder.join(&path).is_file() {
            return Err(JobCrateError::NoLibrary { path });
        }
        Ok(Self { package: name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(manifest: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        if !manifest.is_empty() {
            std::fs::write(folder.path().join("Cargo.toml"), manifest).expect("can be written");
        }
        std::fs::write(folder.path().join("lib.rs"), "").expect("can be written");
        let job_crate = JobCrate::load(folder.path()).map(|job_crate| job_crate.package);
        job_crate.map_err(|error| racetrack_core::error::chain(&error))
    }

    #[test]
    fn what_is_no_library_crate_is_told() {
        assert_eq!(load("[package]\nname = 'adder'\n[lib]\npath = 'lib.rs'"), Ok("adder".to_owned()));
        let message = |manifest: &str| load(manifest).expect_err(manifest);
        assert!(message("").starts_with("the job has no `Cargo.toml`"));
        assert!(message("[package]\nname = 'adder'").starts_with("the job has no `src/lib.rs`"));
        assert!(message("[package]\nname = 'a\" }'").ends_with("is no name of a package"));
        let broken = message("[package]\nname = 1");
        assert!(
            broken.starts_with("cannot read the `Cargo.toml` of the job: TOML parse error at line 2"),
            "{broken}"
        );
    }
}
