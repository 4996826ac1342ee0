//! Subjects: whoever tokens and permissions are for.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};
use uuid::Uuid;

use super::row::{name_of, named_column, text};
use crate::database::limited_connection::LimitedConnection;
use crate::error::{NotFound, StoreError, attempt, refers_to_nothing};

/// Whoever tokens and permissions are for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// The name of the user or the job family, the id of the ESC, or the name of the internal service.
    pub name: String,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A person.
    User,
    /// An external service that calls jobs.
    Esc,
    /// The jobs of a family, which call others.
    JobFamily,
    /// A part of Racetrack.
    Internal,
}

impl Subject {
    /// The user of this name.
    pub fn user(username: &str) -> Self {
        Self { kind: SubjectKind::User, name: username.to_owned() }
    }

    /// The ESC of this id.
    pub fn esc(id: &str) -> Self {
        Self { kind: SubjectKind::Esc, name: id.to_owned() }
    }

    /// The job family of this name.
    pub fn job_family(name: &str) -> Self {
        Self { kind: SubjectKind::JobFamily, name: name.to_owned() }
    }

    /// The part of Racetrack of this name.
    pub fn internal(name: &str) -> Self {
        Self { kind: SubjectKind::Internal, name: name.to_owned() }
    }
}

/// The id of a subject's row, which is made when it is not there.
pub(crate) async fn ensure(
    connection: &mut LimitedConnection,
    subject: &Subject,
) -> Result<String, StoreError> {
    const INSERT: &str = "INSERT INTO subjects (id, kind, username, esc_id, job_family, service_name) \
                          VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    const SELECT: &str = "SELECT id FROM subjects \
                          WHERE kind = $1 AND COALESCE(username, esc_id, job_family, service_name) = $2";
    let kind = name_of(&subject.kind).map_err(attempt("name a subject"))?;
    let name = text(&subject.name);
    let name_if = |kind| (subject.kind == kind).then(|| name.clone());
    let inserted = sqlx::query(INSERT)
        .bind(Uuid::new_v4().to_string())
        .bind(kind.clone())
        .bind(name_if(SubjectKind::User))
        .bind(name_if(SubjectKind::Esc))
        .bind(name_if(SubjectKind::JobFamily))
        .bind(name_if(SubjectKind::Internal))
        .execute(&mut *connection);
    match inserted.await {
        Err(error) if refers_to_nothing(&error) => return Err(missing(subject).into()),
        inserted => inserted.map_err(attempt("save a subject"))?,
    };
    let found = sqlx::query_scalar(SELECT).bind(kind).bind(name).fetch_one(connection).await;
    found.map_err(attempt("look for a subject"))
}

/// The ids of the rows of every subject of a kind.
pub(crate) async fn ids_of_kind(
    connection: &mut LimitedConnection,
    kind: SubjectKind,
) -> Result<Vec<String>, Error> {
    let query = sqlx::query_scalar("SELECT id FROM subjects WHERE kind = $1").bind(name_of(&kind)?);
    query.fetch_all(connection).await
}

/// Why there is no such subject. Internal ones refer to nothing, so they are never missing.
fn missing(subject: &Subject) -> NotFound {
    let name = subject.name.clone();
    match subject.kind {
        SubjectKind::User | SubjectKind::Internal => NotFound::User { username: name },
        SubjectKind::Esc => NotFound::Esc { id: name },
        SubjectKind::JobFamily => NotFound::JobFamily { name },
    }
}

/// Reads the columns `kind` and `subject_name`.
impl FromRow<'_, AnyRow> for Subject {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self { kind: named_column(row, "kind")?, name: row.try_get("subject_name")? })
    }
}
