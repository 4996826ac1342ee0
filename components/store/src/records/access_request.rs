//! Access requests: what a subject wants to do with which job.

use super::scope::Scope;

/// Something a subject wants to do. The more of it is absent, the more is asked for: without a family, it is
/// about the whole of Racetrack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessRequest<'a> {
    pub(super) scope: Scope,
    pub(super) family: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) endpoint: Option<&'a str>,
}

impl<'a> AccessRequest<'a> {
    /// About no job in particular: the administrative API, or the first job of a family.
    pub const fn everywhere(scope: Scope) -> Self {
        Self { scope, family: None, version: None, endpoint: None }
    }

    /// About all versions of a job.
    pub const fn family(scope: Scope, name: &'a str) -> Self {
        Self { scope, family: Some(name), version: None, endpoint: None }
    }

    /// About one version of a job.
    pub const fn job(scope: Scope, name: &'a str, version: &'a str) -> Self {
        Self { scope, family: Some(name), version: Some(version), endpoint: None }
    }

    /// About one endpoint of one version of a job.
    pub const fn endpoint(scope: Scope, name: &'a str, version: &'a str, endpoint: &'a str) -> Self {
        Self { scope, family: Some(name), version: Some(version), endpoint: Some(endpoint) }
    }

    /// The scope that is asked for.
    pub const fn scope(&self) -> Scope {
        self.scope
    }
}
