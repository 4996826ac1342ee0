//! Settings: values by name that outlive a restart.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::{Error, Row};

use super::row::json_column;
use crate::database::reader::Reader;

/// Every setting, by name.
pub(crate) async fn all(reader: &Reader) -> Result<HashMap<String, Value>, Error> {
    let rows = sqlx::query("SELECT * FROM settings").fetch_all(reader).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, json_column(row, "value")?))).collect()
}
