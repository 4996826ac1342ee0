//! Between the columns of the database and the types of the store.

use racetrack_core::text::{BoundedText, TextLimit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{Error, Row};

/// A text as both databases can store it: PostgreSQL has no NUL in texts, so it becomes the replacement
/// character.
pub(crate) fn text(value: &str) -> String {
    value.replace('\0', "\u{fffd}")
}

/// [`text`], where there may be none.
pub(crate) fn optional_text(value: Option<&str>) -> Option<String> {
    value.map(text)
}

/// [`text`] of a job, a build or a plugin, which may be of any length: cut to a limit.
pub(crate) fn bounded_text(value: &str, limit: TextLimit) -> String {
    BoundedText::new(text(value), limit).into()
}

/// [`bounded_text`], where there may be none.
pub(crate) fn optional_bounded_text(value: Option<&str>, limit: TextLimit) -> Option<String> {
    value.map(|value| bounded_text(value, limit))
}

/// A text in a column that may hold more than is shown, from before it was limited or from somebody else.
pub(crate) fn bounded_column(row: &AnyRow, column: &str, limit: TextLimit) -> Result<Option<String>, Error> {
    let text: Option<&str> = row.try_get(column)?;
    Ok(optional_bounded_text(text, limit))
}

/// A value as the JSON text that [`json_column`] reads.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Encode(error.into()))
}

/// The value in a column of JSON text.
pub(crate) fn json_column<T: DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, Error> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|source| unreadable(column, source))
}

/// The flag in a column of 0 or 1.
pub(crate) fn flag_column(row: &AnyRow, column: &str) -> Result<bool, Error> {
    Ok(row.try_get::<i64, _>(column)? != 0)
}

/// The value whose name is in a column.
pub(crate) fn named_column<T: DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, Error> {
    let name: String = row.try_get(column)?;
    serde_json::from_value(name.into()).map_err(|source| unreadable(column, source))
}

/// The name under which [`named_column`] finds a value. Only for enums without fields.
pub(crate) fn name_of<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_value(value).and_then(serde_json::from_value).map_err(|error| Error::Encode(error.into()))
}

fn unreadable(column: &str, source: serde_json::Error) -> Error {
    Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}
