//! ESCs: external services that call jobs.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

use super::row::text;
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;
use crate::error::{StoreError, attempt};

/// An external service consumer: a program that calls jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Esc {
    /// Its name among people; two may have the same.
    pub name: String,
    /// Identifies it.
    pub id: String,
}

/// Adds an ESC.
pub(crate) async fn insert(connection: &mut LimitedConnection, id: &str, name: &str) -> Result<(), Error> {
    let query = sqlx::query("INSERT INTO escs (id, name) VALUES ($1, $2)");
    query.bind(id.to_owned()).bind(text(name)).execute(connection).await.map(drop)
}

/// The ESC of this id.
pub(crate) async fn find(reader: &Reader, id: &str) -> Result<Option<Esc>, Error> {
    sqlx::query_as("SELECT * FROM escs WHERE id = $1").bind(text(id)).fetch_optional(reader).await
}

/// Deletes an ESC. Returns whether it was there.
pub(crate) async fn delete(connection: &mut LimitedConnection, id: &str) -> Result<bool, Error> {
    let query = sqlx::query("DELETE FROM escs WHERE id = $1").bind(text(id));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Every ESC, by name.
pub(crate) async fn all(reader: &Reader) -> Result<Vec<Esc>, StoreError> {
    let escs = sqlx::query_as("SELECT * FROM escs").fetch_all(reader).await;
    let mut escs: Vec<Esc> = escs.map_err(attempt("list the ESCs"))?;
    escs.sort_unstable_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(escs)
}

impl FromRow<'_, AnyRow> for Esc {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self { name: row.try_get("name")?, id: row.try_get("id")? })
    }
}
