//! Permissions: who may do what with which job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::access_request::AccessRequest;
use super::job_row;
use super::public_endpoint::normalized;
use super::row::{named_column, optional_text, text};
use super::scope::Scope;
use super::subject::Subject;
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;
use crate::error::{NotFound, StoreError, attempt, refers_to_nothing};

/// A version of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobKey {
    /// The job's name.
    pub name: String,
    /// The exact version.
    pub version: String,
}

/// Something a subject may do. An absent filter means everything: a permission without any is for all jobs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Permission {
    /// What for.
    pub scope: Scope,
    /// Only for jobs of this family.
    pub job_family: Option<String>,
    /// Only for this version of a job.
    pub job: Option<JobKey>,
    /// Only for this endpoint of the jobs.
    pub endpoint: Option<String>,
}

/// Whether one of the permissions allows the request.
///
/// ```
/// use racetrack_store::{AccessRequest, Permission, Scope, may};
///
/// let permissions = [Permission::everywhere(Scope::ReadJob), Permission::for_family(Scope::CallJob,
/// "adder")]; assert!(may(&permissions, &AccessRequest::job(Scope::ReadJob, "primer", "1.0.0")));
/// assert!(may(&permissions, &AccessRequest::endpoint(Scope::CallJob, "adder", "1.0.0", "/api/v1/perform")));
/// assert!(!may(&permissions, &AccessRequest::job(Scope::DeleteJob, "adder", "1.0.0")));
/// ```
pub fn may(permissions: &[Permission], request: &AccessRequest<'_>) -> bool {
    permissions.iter().any(|permission| permission.allows(request))
}

/// Whether one of the permissions is for the scope, be it for a single job: who may see one job may ask for a
/// list.
pub fn may_anywhere(permissions: &[Permission], scope: Scope) -> bool {
    permissions.iter().any(|permission| permission.scope.implies(scope))
}

impl Permission {
    /// A permission for all jobs.
    pub const fn everywhere(scope: Scope) -> Self {
        Self { scope, job_family: None, job: None, endpoint: None }
    }

    /// A permission for the jobs of a family.
    pub fn for_family(scope: Scope, family: &str) -> Self {
        Self { job_family: Some(family.to_owned()), ..Self::everywhere(scope) }
    }

    /// A permission for one version of a job.
    pub fn for_job(scope: Scope, name: &str, version: &str) -> Self {
        let job = JobKey { name: name.to_owned(), version: version.to_owned() };
        Self { job: Some(job), ..Self::everywhere(scope) }
    }

    /// Whether whoever has this permission has the other, too: everything that the other allows, this one
    /// does.
    pub fn covers(&self, other: &Self) -> bool {
        let of_job = other.job.as_ref().map(|job| job.name.as_str());
        let family = self.job_family.as_deref();
        let family =
            family.is_none_or(|family| [other.job_family.as_deref(), of_job].contains(&Some(family)));
        let job = self.job.as_ref().is_none_or(|job| other.job.as_ref() == Some(job));
        let endpoint = self.endpoint.as_deref().is_none_or(|endpoint| {
            other.endpoint.as_deref().is_some_and(|other| normalized(other) == normalized(endpoint))
        });
        self.scope.implies(other.scope) && family && job && endpoint
    }

    /// Whether this permission allows the request: it is for its scope, and every filter it has is met.
    pub fn allows(&self, request: &AccessRequest<'_>) -> bool {
        let family = self.job_family.as_deref().is_none_or(|family| request.family == Some(family));
        let job = self.job.as_ref().is_none_or(|job| {
            request.family == Some(job.name.as_str()) && request.version == Some(job.version.as_str())
        });
        let endpoint = self.endpoint.as_deref().is_none_or(|endpoint| {
            request.endpoint.is_some_and(|wanted| normalized(wanted) == normalized(endpoint))
        });
        self.scope.implies(request.scope) && family && job && endpoint
    }
}

/// Every permission, by subject; the broad ones first, for they decide most requests.
pub(crate) async fn load(reader: &Reader) -> Result<BTreeMap<Subject, Vec<Permission>>, StoreError> {
    const SELECT: &str = "\
        SELECT kind, COALESCE(username, esc_id, subjects.job_family, service_name) AS subject_name, \
            scope, permissions.job_family, jobs.name AS job_name, jobs.version AS job_version, endpoint \
        FROM permissions JOIN subjects ON subjects.id = subject_id LEFT JOIN jobs ON jobs.id = job_id";
    let rows: Result<Vec<(Subject, Permission)>, sqlx::Error> =
        sqlx::query(SELECT).fetch_all(reader).await.and_then(|rows| {
            rows.iter().map(|row| Ok((Subject::from_row(row)?, Permission::from_row(row)?))).collect()
        });
    let mut permissions: BTreeMap<Subject, Vec<Permission>> = BTreeMap::new();
    for (subject, permission) in rows.map_err(attempt("list the permissions"))? {
        permissions.entry(subject).or_default().push(permission);
    }
    for permissions in permissions.values_mut() {
        permissions.sort_by_key(|Permission { job_family, job, endpoint, .. }| {
            (endpoint.is_some(), job.is_some(), job_family.is_some())
        });
    }
    Ok(permissions)
}

/// Adds a permission where it is not there yet.
pub(crate) async fn insert(
    connection: &mut LimitedConnection,
    subject_id: &str,
    permission: &Permission,
) -> Result<(), StoreError> {
    const INSERT: &str = "\
        INSERT INTO permissions (id, subject_id, scope, job_family, job_id, endpoint) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let job_id = job_id(connection, permission).await?;
    let inserted = sqlx::query(INSERT)
        .bind(Uuid::new_v4().to_string())
        .bind(subject_id.to_owned())
        .bind(permission.scope.as_str())
        .bind(optional_text(permission.job_family.as_deref()))
        .bind(job_id)
        .bind(optional_text(permission.endpoint.as_deref()))
        .execute(connection);
    match (inserted.await, &permission.job_family) {
        (Err(error), Some(name)) if refers_to_nothing(&error) => {
            Err(NotFound::JobFamily { name: name.clone() }.into())
        }
        (inserted, _) => inserted.map(drop).map_err(attempt("grant a permission")),
    }
}

/// Takes a permission from a subject. Returns whether the subject had it.
pub(crate) async fn delete(
    connection: &mut LimitedConnection,
    subject_id: &str,
    permission: &Permission,
) -> Result<bool, StoreError> {
    const DELETE: &str = "\
        DELETE FROM permissions WHERE subject_id = $1 AND scope = $2 AND COALESCE(job_family, '') = $3 \
        AND COALESCE(job_id, '') = $4 AND COALESCE(endpoint, '') = $5";
    let job_id = job_id(connection, permission).await?;
    let deleted = sqlx::query(DELETE)
        .bind(subject_id.to_owned())
        .bind(permission.scope.as_str())
        .bind(text(permission.job_family.as_deref().unwrap_or_default()))
        .bind(job_id.unwrap_or_default())
        .bind(text(permission.endpoint.as_deref().unwrap_or_default()))
        .execute(connection);
    let deleted = deleted.await.map_err(attempt("revoke a permission"))?;
    Ok(deleted.rows_affected() > 0)
}

/// The id of the job that the permission is for, if it is for one.
async fn job_id(
    connection: &mut LimitedConnection,
    permission: &Permission,
) -> Result<Option<String>, StoreError> {
    match &permission.job {
        Some(job) => Ok(Some(job_row::id(connection, &job.name, &job.version).await?)),
        None => Ok(None),
    }
}

impl FromRow<'_, AnyRow> for Permission {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let name: Option<String> = row.try_get("job_name")?;
        let version: Option<String> = row.try_get("job_version")?;
        Ok(Self {
            scope: named_column(row, "scope")?,
            job_family: row.try_get("job_family")?,
            job: name.zip(version).map(|(name, version)| JobKey { name, version }),
            endpoint: row.try_get("endpoint")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: [(&str, AccessRequest<'static>); 5] = [
        ("everywhere", AccessRequest::everywhere(Scope::CallJob)),
        ("family", AccessRequest::family(Scope::CallJob, "adder")),
        ("job", AccessRequest::job(Scope::CallJob, "adder", "1.0.0")),
        ("other version", AccessRequest::job(Scope::CallJob, "adder", "2.0.0")),
        ("endpoint", AccessRequest::endpoint(Scope::CallJob, "adder", "1.0.0", "/sum/")),
    ];

    fn allowed(permission: &Permission) -> Vec<&'static str> {
        REQUESTS.iter().filter(|(_, request)| permission.allows(request)).map(|(name, _)| *name).collect()
    }

    #[test]
    fn a_filter_narrows_and_its_absence_does_not() {
        use Scope::CallJob;
        let at =
            |endpoint: &str, permission| Permission { endpoint: Some(endpoint.to_owned()), ..permission };
        let everything = ["everywhere", "family", "job", "other version", "endpoint"];
        assert_eq!(allowed(&Permission::everywhere(CallJob)), everything);
        assert_eq!(allowed(&Permission::for_family(CallJob, "adder")), everything[1..]);
        assert_eq!(allowed(&Permission::for_job(CallJob, "adder", "1.0.0")), ["job", "endpoint"]);
        assert_eq!(allowed(&at("sum", Permission::for_job(CallJob, "adder", "1.0.0"))), ["endpoint"]);
        assert_eq!(allowed(&at("/sum", Permission::everywhere(CallJob))), ["endpoint"]);
        let none: [&str; 0] = [];
        assert_eq!(allowed(&at("/su", Permission::everywhere(CallJob))), none);
        assert_eq!(allowed(&Permission::for_family(CallJob, "add")), none);
        assert_eq!(allowed(&Permission::for_job(CallJob, "primer", "1.0.0")), none);
        let contradictory = Permission {
            job_family: Some("primer".to_owned()),
            ..Permission::for_job(CallJob, "adder", "1.0.0")
        };
        assert_eq!(allowed(&contradictory), none);
    }

    #[test]
    fn full_access_implies_every_scope_within_its_filters() {
        for scope in Scope::ALL {
            let request = AccessRequest::job(scope, "adder", "1.0.0");
            assert!(Permission::everywhere(Scope::FullAccess).allows(&request));
            assert!(Permission::for_family(Scope::FullAccess, "adder").allows(&request));
            assert!(!Permission::for_family(Scope::FullAccess, "primer").allows(&request));
            assert_eq!(Permission::everywhere(Scope::ReadJob).allows(&request), scope == Scope::ReadJob);
        }
        let admin = AccessRequest::everywhere(Scope::CallAdminApi);
        assert!(!Permission::for_family(Scope::FullAccess, "adder").allows(&admin));
    }

    #[test]
    fn a_permission_covers_what_is_narrower_and_nothing_else() {
        use Scope::{CallJob, FullAccess};
        let at =
            |endpoint: &str, permission| Permission { endpoint: Some(endpoint.to_owned()), ..permission };
        let all = [
            Permission::everywhere(FullAccess),
            Permission::for_family(FullAccess, "adder"),
            Permission::everywhere(CallJob),
            Permission::for_family(CallJob, "adder"),
            Permission::for_job(CallJob, "adder", "1.0.0"),
            at("/sum", Permission::for_job(CallJob, "adder", "1.0.0")),
            at("sum/", Permission::everywhere(CallJob)),
            Permission::for_family(CallJob, "primer"),
        ];
        let covered = |permission: &Permission| {
            let covers = |other: &usize| permission.covers(&all[*other]);
            (0..all.len()).filter(covers).collect::<Vec<_>>()
        };
        let expected: [&[usize]; 8] = [
            &[0, 1, 2, 3, 4, 5, 6, 7],
            &[1, 3, 4, 5],
            &[2, 3, 4, 5, 6, 7],
            &[3, 4, 5],
            &[4, 5],
            &[5],
            &[5, 6],
            &[7],
        ];
        assert_eq!(all.each_ref().map(covered), expected.map(<[usize]>::to_vec));
    }

    #[test]
    fn a_scope_for_one_job_is_a_scope_somewhere() {
        let permissions = [Permission::for_job(Scope::ReadJob, "adder", "1.0.0")];
        assert!(may_anywhere(&permissions, Scope::ReadJob));
        assert!(!may_anywhere(&permissions, Scope::CallJob));
        assert!(!may(&permissions, &AccessRequest::everywhere(Scope::ReadJob)));
        assert!(!may_anywhere(&[], Scope::ReadJob));
    }
}
