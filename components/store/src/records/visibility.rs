//! What of a list somebody is shown.

use std::collections::BTreeSet;

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::QueryAs;

use super::permission::Permission;
use super::row::text;
use super::scope::Scope;

/// What of a list of doings somebody is shown: what is about jobs that they may read or about no job, and
/// what they did themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visibility {
    /// The jobs that they may read.
    pub jobs: ReadableJobs,
    /// Their own doings.
    pub own: Option<OwnDoings>,
}

/// The jobs that somebody may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadableJobs {
    /// Every job, there or deleted.
    All,
    /// Some jobs; the permission for a version goes when that version is deleted.
    Some {
        /// Every version of these.
        families: BTreeSet<String>,
        /// These versions, by name and version.
        jobs: BTreeSet<(String, String)>,
    },
}

/// What was done under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDoings {
    /// The name.
    pub name: String,
    /// Since when it is theirs, in seconds since 1970: somebody else may have had it before.
    pub since: i64,
}

/// Stands around each entry of a list of names; names of jobs have no line breaks.
const SEPARATOR: char = '\n';

impl Visibility {
    /// Everything.
    pub const ALL: Self = Self { jobs: ReadableJobs::All, own: None };

    /// Whether something is shown that was done under a name, to a version of a job, at a time in seconds
    /// since 1970.
    pub fn shows(&self, name: &str, version: &str, done_by: Option<&str>, time: i64) -> bool {
        let is_own = self.own.as_ref().is_some_and(|own| done_by == Some(&own.name) && time >= own.since);
        is_own || self.jobs.contains(name, version)
    }

    /// Binds the parameters of a condition on the columns of a table: whether all is shown (1), the families,
    /// the versions, the own name, and since when in milliseconds.
    pub(crate) fn bind<'q, O>(
        &self,
        query: QueryAs<'q, Any, O, AnyArguments>,
    ) -> QueryAs<'q, Any, O, AnyArguments> {
        let (is_all, families, jobs) = match &self.jobs {
            ReadableJobs::All => (1_i64, String::new(), String::new()),
            ReadableJobs::Some { families, jobs } => {
                let jobs = jobs.iter().map(|(name, version)| format!("{name} {version}"));
                (0, list(families.iter().cloned()), list(jobs))
            }
        };
        let (own, since) =
            self.own.as_ref().map_or(("", 0), |own| (own.name.as_str(), own.since.saturating_mul(1000)));
        query.bind(is_all).bind(families).bind(jobs).bind(text(own)).bind(since)
    }
}

impl ReadableJobs {
    /// The jobs that somebody with these permissions may read.
    pub fn of(permissions: &[Permission]) -> Self {
        let (mut families, mut jobs) = (BTreeSet::new(), BTreeSet::new());
        // A permission for an endpoint is not for the job as such.
        let to_read = |permission: &&Permission| {
            permission.scope.implies(Scope::ReadJob) && permission.endpoint.is_none()
        };
        for permission in permissions.iter().filter(to_read) {
            match (&permission.job_family, &permission.job) {
                (None, None) => return Self::All,
                (Some(family), None) => {
                    families.insert(family.clone());
                }
                (Some(family), Some(job)) if *family != job.name => {}
                (_, Some(job)) => {
                    jobs.insert((job.name.clone(), job.version.clone()));
                }
            }
        }
        Self::Some { families, jobs }
    }

    /// Whether a version of a job is among them.
    pub fn contains(&self, name: &str, version: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some { families, jobs } => {
                families.contains(name) || jobs.contains(&(name.to_owned(), version.to_owned()))
            }
        }
    }
}

/// The names as one text, in which a condition finds an entry with its separators: there may be more names
/// than a statement may have parameters.
fn list(names: impl Iterator<Item = String>) -> String {
    let entries = names.filter(|name| !name.contains(SEPARATOR));
    entries.flat_map(|name| [SEPARATOR.to_string(), text(&name), SEPARATOR.to_string()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_readable_by_a_permission_for_them_as_a_whole() {
        let endpoint = Some("/sum".to_owned());
        let permissions = [
            Permission::everywhere(Scope::CallJob),
            Permission { endpoint, ..Permission::everywhere(Scope::ReadJob) },
            Permission::for_family(Scope::FullAccess, "adder"),
            Permission::for_job(Scope::ReadJob, "primer", "1.0.0"),
            Permission {
                job_family: Some("adder".to_owned()),
                ..Permission::for_job(Scope::ReadJob, "roman", "1.0.0")
            },
        ];
        let readable = ReadableJobs::of(&permissions);
        for (name, version, expected) in [
            ("adder", "7.0.0", true),
            ("primer", "1.0.0", true),
            ("primer", "1.0.1", false),
            ("roman", "1.0.0", false),
        ] {
            assert_eq!(readable.contains(name, version), expected, "{name} {version}");
            let request = crate::AccessRequest::job(Scope::ReadJob, name, version);
            assert_eq!(crate::may(&permissions, &request), expected, "{name} {version}");
        }
        assert_eq!(ReadableJobs::of(&[Permission::everywhere(Scope::FullAccess)]), ReadableJobs::All);
    }

    #[test]
    fn own_doings_are_those_since_the_name_is_ones_own() {
        let own = Some(OwnDoings { name: "bob".to_owned(), since: 100 });
        let visibility = Visibility { jobs: ReadableJobs::of(&[]), own };
        assert!(visibility.shows("adder", "1.0.0", Some("bob"), 100));
        assert!(!visibility.shows("adder", "1.0.0", Some("bob"), 99));
        assert!(!visibility.shows("adder", "1.0.0", Some("alice"), 100));
        assert!(!visibility.shows("adder", "1.0.0", None, 100));
    }
}
