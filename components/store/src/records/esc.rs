//! ESCs: external services that call jobs.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

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
