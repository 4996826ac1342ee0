//! Public endpoints: paths of a job that anybody may call.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use crate::error::{NotFound, StoreError, attempt};
use crate::job_row;
use crate::memory::Change;
use crate::row::{flag_column, text};
use crate::store::Store;

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
    /// A path with `.` or `..` segments, in plain or percent-encoded form, is never open: the job may take it for
    /// another path than the one compared here.
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

impl Store {
    /// Keeps that a job's owner wants these paths open, and no others. New ones are closed; those there already stay as
    /// they are.
    pub async fn request_public_endpoints(
        &self,
        name: &str,
        version: &str,
        endpoints: &[String],
    ) -> Result<(), StoreError> {
        const ATTEMPT: &str = "save public endpoints";
        const INSERT: &str = "INSERT INTO public_endpoints (job_id, endpoint, is_active) VALUES ($1, $2, 0) \
                              ON CONFLICT (job_id, endpoint) DO NOTHING";
        let mut transaction = self.begin(ATTEMPT).await?;
        let job_id = job_row::id(&mut transaction, name, version).await?;
        let wanted: Vec<_> =
            sqlx::query_scalar::<_, String>("SELECT endpoint FROM public_endpoints WHERE job_id = $1")
                .bind(job_id.clone())
                .fetch_all(&mut *transaction)
                .await
                .map_err(attempt(ATTEMPT))?;
        for former in wanted.iter().filter(|former| !endpoints.contains(former)) {
            let removed = sqlx::query("DELETE FROM public_endpoints WHERE job_id = $1 AND endpoint = $2");
            let removed = removed.bind(job_id.clone()).bind(text(former)).execute(&mut *transaction);
            removed.await.map_err(attempt(ATTEMPT))?;
        }
        for endpoint in endpoints {
            let inserted =
                sqlx::query(INSERT).bind(job_id.clone()).bind(text(endpoint)).execute(&mut *transaction);
            inserted.await.map_err(attempt(ATTEMPT))?;
        }
        self.commit(transaction, ATTEMPT, [Change::Access]).await
    }

    /// Opens or closes a path that a job's owner wants open.
    ///
    /// # Errors
    /// [`NotFound`] when the job is not there, or its owner does not want that.
    pub async fn set_public_endpoint(
        &self,
        name: &str,
        version: &str,
        endpoint: &str,
        is_active: bool,
    ) -> Result<(), StoreError> {
        const ATTEMPT: &str = "open or close a public endpoint";
        let mut transaction = self.begin(ATTEMPT).await?;
        let job_id = job_row::id(&mut transaction, name, version).await?;
        let query = "UPDATE public_endpoints SET is_active = $3 WHERE job_id = $1 AND endpoint = $2";
        let query = sqlx::query(query).bind(job_id).bind(text(endpoint)).bind(i64::from(is_active));
        if query.execute(&mut *transaction).await.map_err(attempt(ATTEMPT))?.rows_affected() == 0 {
            let (name, version, endpoint) = (name.to_owned(), version.to_owned(), endpoint.to_owned());
            return Err(NotFound::PublicEndpoint { name, version, endpoint }.into());
        }
        self.commit(transaction, ATTEMPT, [Change::Access]).await
    }
}

/// Every public endpoint, open or closed, in the order of jobs and paths.
pub(crate) async fn load(store: &Store) -> Result<Vec<PublicEndpoint>, StoreError> {
    const SELECT: &str = "SELECT name AS job_name, version AS job_version, endpoint, is_active \
                          FROM public_endpoints JOIN jobs ON jobs.id = job_id";
    let endpoints = sqlx::query_as(SELECT).fetch_all(store.reader()).await;
    let mut endpoints: Vec<PublicEndpoint> = endpoints.map_err(attempt("list the public endpoints"))?;
    endpoints.sort_unstable_by(|a, b| {
        (&a.job_name, &a.job_version, &a.endpoint).cmp(&(&b.job_name, &b.job_version, &b.endpoint))
    });
    Ok(endpoints)
}

impl FromRow<'_, AnyRow> for PublicEndpoint {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
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
