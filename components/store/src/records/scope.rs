//! Scopes: what a permission is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a permission is for. [`FullAccess`](Scope::FullAccess) implies all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Seeing a job and its logs.
    ReadJob,
    /// Deploying a version of a job that is there.
    DeployJob,
    /// Deploying the first version of a job.
    DeployNewFamily,
    /// Deleting a job.
    DeleteJob,
    /// Calling a job.
    CallJob,
    /// Calling the administrative part of the API.
    CallAdminApi,
    /// Everything.
    FullAccess,
}

/// A text that names no [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no scope `{name}`; there are read_job, deploy_job, deploy_new_family, delete_job, call_job, \
     call_admin_api and full_access"
)]
pub struct UnknownScope {
    /// The text found.
    pub name: String,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::ReadJob,
        Self::DeployJob,
        Self::DeployNewFamily,
        Self::DeleteJob,
        Self::CallJob,
        Self::CallAdminApi,
        Self::FullAccess,
    ];

    /// The scope's name in the API and in tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadJob => "read_job",
            Self::DeployJob => "deploy_job",
            Self::DeployNewFamily => "deploy_new_family",
            Self::DeleteJob => "delete_job",
            Self::CallJob => "call_job",
            Self::CallAdminApi => "call_admin_api",
            Self::FullAccess => "full_access",
        }
    }

    /// Whether whoever has this scope has the other, too.
    pub fn implies(self, other: Self) -> bool {
        self == Self::FullAccess || self == other
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == name);
        found.ok_or_else(|| UnknownScope { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).expect("serializes"), scope.as_str());
        }
        assert!("FULL_ACCESS".parse::<Scope>().is_err());
    }

    #[test]
    fn only_full_access_implies_another() {
        for (one, other) in Scope::ALL.iter().flat_map(|one| Scope::ALL.map(|other| (*one, other))) {
            assert_eq!(one.implies(other), one == other || one == Scope::FullAccess);
        }
    }
}
