//! The audit trail: who did what to which job.

use racetrack_core::text::{BoundedText, TextLimit};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};
use uuid::Uuid;

use super::row::{json, json_column, name_of, named_column, optional_text, text};
use super::visibility::Visibility;
use crate::database::clock::seconds;
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;

/// Something that was done, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditEvent {
    /// Identifies it.
    pub id: String,
    /// The version of this shape: 1.
    pub version: u32,
    /// When it was done, in seconds since 1970.
    pub timestamp: i64,
    /// What was done.
    pub event_type: AuditEventType,
    /// More about it.
    pub properties: Map<String, Value>,
    /// Who did it.
    pub username_executor: Option<String>,
    /// To whom.
    pub username_subject: Option<String>,
    /// To which job.
    pub job_name: Option<String>,
    /// To which version.
    pub job_version: Option<String>,
}

/// Something that is being done.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAuditEvent {
    /// What.
    pub event_type: AuditEventType,
    /// More about it. Nothing secret: users see it.
    pub properties: Map<String, Value>,
    /// Who does it.
    pub username_executor: Option<String>,
    /// To whom.
    pub username_subject: Option<String>,
    /// To which job.
    pub job_name: Option<String>,
    /// To which version.
    pub job_version: Option<String>,
}

/// What is done to jobs and plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditEventType {
    /// A version was deployed for the first time.
    JobDeployed,
    /// A version was deployed again.
    JobRedeployed,
    /// A job was deleted.
    JobDeleted,
    /// A job went to another infrastructure target.
    JobMoved,
    /// A job did not come up.
    DeploymentFailed,
    /// A plugin came.
    PluginInstalled,
    /// A plugin went.
    PluginUninstalled,
}

/// Which events are asked for: those that meet everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this job.
    pub job_name: Option<String>,
    /// About this version.
    pub job_version: Option<String>,
    /// Done by this user or to this user.
    pub related_to: Option<String>,
}

impl NewAuditEvent {
    /// An event that says nothing but what is done.
    pub fn new(event_type: AuditEventType) -> Self {
        Self {
            event_type,
            properties: Map::new(),
            username_executor: None,
            username_subject: None,
            job_name: None,
            job_version: None,
        }
    }
}

/// Adds an event at a time in milliseconds since 1970.
pub(crate) async fn insert(
    connection: &mut LimitedConnection,
    create_ms: i64,
    new: &NewAuditEvent,
) -> Result<(), Error> {
    const INSERT: &str = "\
        INSERT INTO audit_events (id, create_ms, event_type, properties, username_executor, \
            username_subject, job_name, job_version) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let query = sqlx::query(INSERT)
        .bind(Uuid::new_v4().to_string())
        .bind(create_ms)
        .bind(name_of(&new.event_type)?)
        .bind(json(&bounded(&new.properties)?)?)
        .bind(optional_text(new.username_executor.as_deref()))
        .bind(optional_text(new.username_subject.as_deref()))
        .bind(optional_text(new.job_name.as_deref()))
        .bind(optional_text(new.job_version.as_deref()));
    query.execute(connection).await.map(drop)
}

/// The latest events that meet the filter, of those that somebody is shown, newest first.
pub(crate) async fn latest(
    reader: &Reader,
    filter: &AuditFilter,
    visibility: &Visibility,
    limit: u32,
) -> Result<Vec<AuditEvent>, Error> {
    const SELECT: &str = "\
        SELECT * FROM audit_events WHERE ($1 = '' OR job_name = $1) AND ($2 = '' OR job_version = $2) \
            AND ($3 = '' OR username_executor = $3 OR username_subject = $3) \
            AND ($5 = 1 OR job_name IS NULL OR REPLACE($6, '\n' || job_name || '\n', '') <> $6 \
                OR REPLACE($7, '\n' || job_name || ' ' || COALESCE(job_version, '') || '\n', '') <> $7 \
                OR ($8 <> '' AND create_ms >= $9 AND (username_executor = $8 OR username_subject = $8))) \
        ORDER BY create_ms DESC LIMIT $4";
    let given = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
    let query = sqlx::query_as(SELECT)
        .bind(given(&filter.job_name))
        .bind(given(&filter.job_version))
        .bind(given(&filter.related_to))
        .bind(i64::from(limit));
    visibility.bind(query).fetch_all(reader).await
}

/// The properties with their texts cut; if they are too many, how large they are.
fn bounded(properties: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut properties = properties.clone();
    properties.values_mut().for_each(cut_texts);
    let size = json(&properties)?.len();
    if size > TextLimit::RECORD.get() {
        let note = format!("{size} bytes of properties, more than {}", TextLimit::RECORD.get());
        properties = Map::from_iter([("left_out".to_owned(), note.into())]);
    }
    Ok(properties)
}

fn cut_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = BoundedText::new(std::mem::take(text), TextLimit::NOTE).into(),
        Value::Array(values) => values.iter_mut().for_each(cut_texts),
        Value::Object(values) => values.values_mut().for_each(cut_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl FromRow<'_, AnyRow> for AuditEvent {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get("id")?,
            version: 1,
            timestamp: seconds(row.try_get("create_ms")?),
            event_type: named_column(row, "event_type")?,
            properties: json_column(row, "properties")?,
            username_executor: row.try_get("username_executor")?,
            username_subject: row.try_get("username_subject")?,
            job_name: row.try_get("job_name")?,
            job_version: row.try_get("job_version")?,
        })
    }
}
