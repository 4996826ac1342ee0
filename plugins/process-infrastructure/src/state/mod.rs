//! What is stored on disk of the jobs of a target.

pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod job_key;
pub(crate) mod seal;
pub(crate) mod secret_store;
