//! The audit trail: who did what to which job.

use racetrack_core::text::{BoundedText, TextLimit};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

use super::row::{json, json_column, named_column};
use crate::database::clock::seconds;

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
    /// An event that tells nothing but what is done.
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

/// The properties with their texts cut; if they are too many, how large they are.
pub(crate) fn bounded(properties: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
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
