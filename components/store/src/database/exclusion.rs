//! What keeps other processes from writing to the database.

use std::path::Path;

use sqlx::any::AnyConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::database_url::DatabaseUrl;
use super::lease::{self, Lease};
use super::lock_file::{self, LockFile};
use crate::error::StoreError;

/// What keeps other processes from writing to a database.
#[derive(Debug)]
pub(crate) enum Exclusion {
    /// Nothing: it was not asked for, or the database is in memory.
    Nothing,
    /// A lock beside the file.
    Lock(#[expect(dead_code, reason = "it is locked for as long as this is there")] LockFile),
    /// A lease in the database.
    Lease(Lease),
}

/// The lease, if the tables are there already: nobody brings tables up to date that somebody else works with.
pub(crate) async fn early_lease(
    url: &DatabaseUrl,
    options: &AnyConnectOptions,
    holder: Option<&str>,
) -> Result<Exclusion, StoreError> {
    let Some(holder) = holder else { return Ok(Exclusion::Nothing) };
    let has_leases = "SELECT count(*) FROM pg_tables WHERE tablename = 'leases' \
                      AND schemaname = ANY (current_schemas(false))";
    let counted = async {
        let mut connection = options.connect().await?;
        let tables: i64 = sqlx::query_scalar(has_leases).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(tables)
    };
    match counted.await.map_err(url.cannot_open())? {
        0 => Ok(Exclusion::Nothing),
        _ => Ok(Exclusion::Lease(lease(url, options, holder).await?)),
    }
}

/// The lease, as soon as nobody else has it.
pub(crate) async fn lease(
    url: &DatabaseUrl,
    options: &AnyConnectOptions,
    holder: &str,
) -> Result<Lease, StoreError> {
    Lease::take(options.clone(), holder).await.map_err(|refusal| match refusal {
        lease::Refusal::Held(holder) => StoreError::InUse { database: url.to_string(), holder },
        lease::Refusal::Failed(source) => url.cannot_open()(source),
    })
}

/// The lock beside the file at `path`.
pub(crate) fn lock(url: &DatabaseUrl, path: &Path, holder: &str) -> Result<LockFile, StoreError> {
    LockFile::take(path, holder).map_err(|refusal| match refusal {
        lock_file::Refusal::Held(holder) => StoreError::InUse { database: url.to_string(), holder },
        lock_file::Refusal::Failed(source) => StoreError::Lock { database: url.to_string(), source },
    })
}
