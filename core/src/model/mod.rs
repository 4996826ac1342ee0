//! The things that components and plugins exchange: jobs with their manifests, names, versions and secrets.

pub mod git_source;
pub mod job;
pub mod job_environment;
pub mod job_manifest;
pub mod job_type_match;
pub mod plugin_manifest;
pub mod plugin_name;
pub mod quantity;
pub mod secrets;
pub mod version;
