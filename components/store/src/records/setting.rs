//! Settings: values by name that outlive a restart.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::{Error, Row};

use super::row::{json, json_column, text};
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;

/// Every setting, by name.
pub(crate) async fn all(reader: &Reader) -> Result<HashMap<String, Value>, Error> {
    let rows = sqlx::query("SELECT * FROM settings").fetch_all(reader).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, json_column(row, "value")?))).collect()
}

/// Gives a setting a value.
pub(crate) async fn save<T: Serialize>(
    connection: &mut LimitedConnection,
    name: &str,
    value: &T,
) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) \
                          ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let query = sqlx::query(UPSERT).bind(text(name)).bind(json(value)?);
    query.execute(connection).await.map(drop)
}

/// Gives a setting a value, unless it has one.
pub(crate) async fn save_first<T: Serialize>(
    connection: &mut LimitedConnection,
    name: &str,
    value: &T,
) -> Result<(), Error> {
    const INSERT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    let query = sqlx::query(INSERT).bind(text(name)).bind(json(value)?);
    query.execute(connection).await.map(drop)
}
