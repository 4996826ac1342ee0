//! Public endpoints: paths of a job that anybody may call.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

use super::row::{flag_column, text};
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;
use crate::error::{StoreError, attempt};

/// A path that a job's owner wants open to anybody, and whether it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PublicEndpoint {
    /// The job's name.
    pub job_name: String,
    /// The job's version.
    pub job_version: String,
    /// The path.
    pub endpoint: String,
    /// Whether it is open: an administrator said so.
    #[serde(rename = "active")]
    pub is_active: bool,
}

impl PublicEndpoint {
    /// Whether this endpoint makes a path of the job open: it is the path, or a folder above it.
    ///
    /// A path with `.` or `..` segments, in plain or percent-encoded form, is never open: the job may take it
    /// for another path than the one compared here.
    pub fn opens(&self, path: &str) -> bool {
        let endpoint = normalized(&self.endpoint);
        let rest = normalized(path).strip_prefix(endpoint);
        let is_below =
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || endpoint.is_empty());
        self.is_active && is_below && !is_ambiguous(path)
    }
}

/// An endpoint without the slashes around it, which are written or not.
pub(crate) fn normalized(endpoint: &str) -> &str {
    endpoint.trim_matches('/')
}

/// Whether servers differ in what they take the path for.
fn is_ambiguous(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    let separators: &[_] = &['/', '\\'];
    ["%2f", "%5c", "%25"].iter().any(|encoded| path.contains(encoded))
        || path.split(separators).any(|segment| segment == "." || segment == "..")
}

/// The paths that the owner of a job wants open.
pub(crate) async fn paths_of(connection: &mut LimitedConnection, job_id: &str) -> Result<Vec<String>, Error> {
    let query = sqlx::query_scalar("SELECT endpoint FROM public_endpoints WHERE job_id = $1");
    query.bind(job_id.to_owned()).fetch_all(connection).await
}

/// Adds a closed path of a job where it is not there yet.
pub(crate) async fn insert(
    connection: &mut LimitedConnection,
    job_id: &str,
    endpoint: &str,
) -> Result<(), Error> {
    const INSERT: &str = "INSERT INTO public_endpoints (job_id, endpoint, is_active) VALUES ($1, $2, 0) \
                          ON CONFLICT (job_id, endpoint) DO NOTHING";
    let query = sqlx::query(INSERT).bind(job_id.to_owned()).bind(text(endpoint));
    query.execute(connection).await.map(drop)
}

/// Opens or closes a path of a job. Returns whether the path is there.
pub(crate) async fn set_active(
    connection: &mut LimitedConnection,
    job_id: &str,
    endpoint: &str,
    is_active: bool,
) -> Result<bool, Error> {
    let query = sqlx::query("UPDATE public_endpoints SET is_active = $3 WHERE job_id = $1 AND endpoint = $2");
    let query = query.bind(job_id.to_owned()).bind(text(endpoint)).bind(i64::from(is_active));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Removes a path of a job.
pub(crate) async fn delete(
    connection: &mut LimitedConnection,
    job_id: &str,
    endpoint: &str,
) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM public_endpoints WHERE job_id = $1 AND endpoint = $2");
    query.bind(job_id.to_owned()).bind(text(endpoint)).execute(connection).await.map(drop)
}

/// Every public endpoint, open or closed, in the order of jobs and paths.
pub(crate) async fn load(reader: &Reader) -> Result<Vec<PublicEndpoint>, StoreError> {
    const SELECT: &str = "SELECT name AS job_name, version AS job_version, endpoint, is_active \
                          FROM public_endpoints JOIN jobs ON jobs.id = job_id";
    let endpoints = sqlx::query_as(SELECT).fetch_all(reader).await;
    let mut endpoints: Vec<PublicEndpoint> = endpoints.map_err(attempt("list the public endpoints"))?;
    endpoints.sort_unstable_by(|a, b| {
        (&a.job_name, &a.job_version, &a.endpoint).cmp(&(&b.job_name, &b.job_version, &b.endpoint))
    });
    Ok(endpoints)
}

impl FromRow<'_, AnyRow> for PublicEndpoint {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            job_name: row.try_get("job_name")?,
            job_version: row.try_get("job_version")?,
            endpoint: row.try_get("endpoint")?,
            is_active: flag_column(row, "is_active")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(endpoint: &str, path: &str) -> bool {
        let (job_name, job_version) = ("adder".to_owned(), "1.0.0".to_owned());
        PublicEndpoint { job_name, job_version, endpoint: endpoint.to_owned(), is_active: true }.opens(path)
    }

    #[test]
    fn an_endpoint_opens_itself_and_what_is_below() {
        for (endpoint, path) in [
            ("/api/v1/perform", "/api/v1/perform"),
            ("/api/v1/perform", "/api/v1/perform/"),
            ("api/v1", "/api/v1/perform"),
            ("/api/v1/", "api/v1/perform"),
            ("/", "/anything"),
            ("/", "/"),
            ("/files", "/files/a..b/.hidden"),
        ] {
            assert!(opens(endpoint, path), "{endpoint} {path}");
        }
        for (endpoint, path) in [
            ("/api/v1/perform", "/api/v1/performance"),
            ("/api/v1/perform", "/api/v1"),
            ("/public", "/public/../secret"),
            ("/public", "/public/%2e%2E/secret"),
            ("/public", "/public/..%2fsecret"),
            ("/public", "/public/%252e%252e/secret"),
            ("/public", "/public\\..\\secret"),
            ("/public", "/Public"),
        ] {
            assert!(!opens(endpoint, path), "{endpoint} {path}");
        }
    }
}
