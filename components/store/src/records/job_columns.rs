//! The columns of the table of jobs. A new column is one line here, and one in a migration.

use std::collections::BTreeMap;

use racetrack_core::job::limited_statistics;
use racetrack_core::text::TextLimit;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, Error, Row};

use super::job::JobRecord;
use super::row::{
    bounded_column, flag_column, json, json_column, name_of, named_column, optional_bounded_text,
    optional_text, text,
};

/// A statement whose parameters are being bound.
pub(crate) type Query = sqlx::query::Query<'static, Any, AnyArguments>;

/// A column, and the field of a record that it holds.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// When the column of a row that is there takes over the field.
    pub(crate) overwrite: Overwrite,
    /// Binds the field as the next parameter.
    pub(crate) bind: fn(Query, &JobRecord) -> Result<Query, Error>,
    /// Reads the field.
    pub(crate) read: fn(&AnyRow, &mut JobRecord) -> Result<(), Error>,
}

/// When a column of a row that is there is overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overwrite {
    /// It is what it was when the row was inserted.
    Never,
    /// When its version is deployed again.
    OnSave,
    /// When its job is changed.
    OnUpdate,
    /// On both occasions.
    Always,
}

/// Between the fields of a type and a column.
struct Codec<T> {
    bind: fn(Query, &T) -> Result<Query, Error>,
    read: fn(&AnyRow, &str) -> Result<T, Error>,
}

/// A line of [`COLUMNS`]: the column, the field, the codec between them, and when the column is overwritten.
macro_rules! column {
    ($name:literal, $($field:ident).+, $codec:expr, $overwrite:ident) => {
        Column {
            name: $name,
            overwrite: Overwrite::$overwrite,
            bind: |query, record| ($codec.bind)(query, &record.$($field).+),
            read: |row, record| {
                record.$($field).+ = ($codec.read)(row, $name)?;
                Ok(())
            },
        }
    };
}

/// Every column, in the order of the parameters of statements.
pub(crate) const COLUMNS: &[Column] = &[
    column!("id", id, TEXT, Never),
    column!("name", job.name, TEXT, Never),
    column!("version", job.version, TEXT, Never),
    column!("status", job.status, named(), Always),
    column!("create_time", job.create_time, NUMBER, OnUpdate),
    column!("update_time", job.update_time, NUMBER, Always),
    column!("manifest_yaml", job.manifest_yaml, OPTIONAL_TEXT, Always),
    column!("internal_name", job.internal_name, OPTIONAL_TEXT, Always),
    column!("pub_url", job.pub_url, OPTIONAL_TEXT, Always),
    column!("error", job.error, NOTE, Always),
    column!("notice", job.notice, NOTE, Always),
    column!("image_tag", job.image_tag, OPTIONAL_TEXT, Always),
    column!("deployed_by", job.deployed_by, OPTIONAL_TEXT, Always),
    column!("last_call_time", job.last_call_time, OPTIONAL_NUMBER, Always),
    column!("infrastructure_target", job.infrastructure_target, OPTIONAL_TEXT, Always),
    column!("replica_internal_names", job.replica_internal_names, as_json(), Always),
    column!("job_type_version", job.job_type_version, OPTIONAL_TEXT, Always),
    column!("infrastructure_stats", job.infrastructure_stats, STATISTICS, Always),
    column!("image_names", image_names, as_json(), Always),
    column!("is_stale", is_stale, FLAG, Always),
    column!("deployment_id", deployment_id, OPTIONAL_TEXT, OnSave),
];

impl Overwrite {
    /// Whether the deployment of a version that is there overwrites the column.
    pub(crate) const fn on_save(self) -> bool {
        matches!(self, Self::OnSave | Self::Always)
    }

    /// Whether a change of a job overwrites the column.
    pub(crate) const fn on_update(self) -> bool {
        matches!(self, Self::OnUpdate | Self::Always)
    }
}

const TEXT: Codec<String> =
    Codec { bind: |query, value| Ok(query.bind(text(value))), read: |row, column| row.try_get(column) };

const OPTIONAL_TEXT: Codec<Option<String>> = Codec {
    bind: |query, value| Ok(query.bind(optional_text(value.as_deref()))),
    read: |row, column| row.try_get(column),
};

/// What is said of a job, which may be of any length.
const NOTE: Codec<Option<String>> = Codec {
    bind: |query, value| Ok(query.bind(optional_bounded_text(value.as_deref(), TextLimit::NOTE))),
    read: |row, column| bounded_column(row, column, TextLimit::NOTE),
};

const NUMBER: Codec<i64> =
    Codec { bind: |query, value| Ok(query.bind(*value)), read: |row, column| row.try_get(column) };

const OPTIONAL_NUMBER: Codec<Option<i64>> =
    Codec { bind: |query, value| Ok(query.bind(*value)), read: |row, column| row.try_get(column) };

const FLAG: Codec<bool> = Codec { bind: |query, value| Ok(query.bind(i64::from(*value))), read: flag_column };

/// What the infrastructure reports of a job, which may be of any length.
const STATISTICS: Codec<BTreeMap<String, Value>> = Codec {
    bind: |query, value| Ok(query.bind(json(&limited_statistics(value.clone()))?)),
    read: json_column,
};

/// A value as its name. Only for enums without fields.
const fn named<T: Serialize + DeserializeOwned>() -> Codec<T> {
    Codec { bind: |query, value| Ok(query.bind(name_of(value)?)), read: named_column }
}

/// A value as JSON text.
const fn as_json<T: Serialize + DeserializeOwned>() -> Codec<T> {
    Codec { bind: |query, value| Ok(query.bind(json(value)?)), read: json_column }
}
