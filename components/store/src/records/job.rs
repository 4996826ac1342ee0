//! Jobs with what lifecycle alone knows of them.

use racetrack_core::Job;

/// A job with what lifecycle alone knows of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JobRecord {
    /// Identifies this deployment of the version: a version deleted and deployed again has another.
    pub id: String,
    /// The job.
    pub job: Job,
    /// Its images, the entrypoint's first.
    pub image_names: Vec<String>,
    /// Its infrastructure target could not be asked lately, so its status is an old one.
    pub is_stale: bool,
    /// The deployment that made it what it is, where that is known.
    pub deployment_id: Option<String>,
}

impl JobRecord {
    /// A job of which lifecycle knows nothing more.
    pub fn new(id: &str, job: Job) -> Self {
        Self { id: id.to_owned(), job, image_names: Vec::new(), is_stale: false, deployment_id: None }
    }
}
