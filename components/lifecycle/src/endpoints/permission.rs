//! Permissions, as administrators see, give and take them.

use axum::Json;
use axum::extract::State;
use racetrack_service::ApiError;
use racetrack_store::{JobKey, Permission, Scope, Subject, SubjectKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::{Caller, check_giver};
use crate::document::schemas::{JobKeySchema, Nothing, ScopeName, SubjectSchema};
use crate::extract::{JsonBody, object, optional_object};
use crate::request_error::RequestError;

/// A permission with whom it is for. An absent filter means everything: without any, it is for all jobs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubjectPermission {
    /// Whom it is for: its `kind` (`user`, `esc` or `job_family`), and its `name` (the id of an ESC).
    #[serde(deserialize_with = "object")]
    #[schema(value_type = SubjectSchema)]
    subject: Subject,
    /// What for.
    #[schema(value_type = ScopeName)]
    scope: Scope,
    /// Only for jobs of this name.
    #[serde(default)]
    job_family: Option<String>,
    /// Only for this job: its `name` and its exact `version`.
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = Option<JobKeySchema>)]
    job: Option<JobKey>,
    /// Only for this endpoint of the jobs.
    #[serde(default)]
    endpoint: Option<String>,
}

/// Lists the permissions, by subject
#[utoipa::path(get, path = "/permissions", tag = "permissions",
    responses((status = 200, body = Vec<SubjectPermission>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<SubjectPermission>>, RequestError> {
    let access = app.store.access().await?;
    let permissions = access.permissions().flat_map(|(subject, permissions)| {
        permissions.iter().map(|permission| SubjectPermission::new(subject, permission))
    });
    Ok(Json(permissions.collect()))
}

/// Gives a permission that the caller has; one that is there stays as it is
#[utoipa::path(post, path = "/permissions", tag = "permissions", request_body = SubjectPermission,
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such subject or job")))]
pub(crate) async fn grant(
    State(app): State<App>,
    caller: Caller,
    JsonBody(permission): JsonBody<SubjectPermission>,
) -> Result<Json<()>, RequestError> {
    let (subject, permission) = permission.checked()?;
    check_giver(&caller, &permission)?;
    Ok(Json(app.store.grant(&subject, &[permission]).await?))
}

/// Takes a permission away
#[utoipa::path(delete, path = "/permissions", tag = "permissions", request_body = SubjectPermission,
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such permission")))]
pub(crate) async fn revoke(
    State(app): State<App>,
    JsonBody(permission): JsonBody<SubjectPermission>,
) -> Result<Json<()>, RequestError> {
    let (subject, permission) = permission.checked()?;
    if app.store.revoke(&subject, &permission).await? {
        Ok(Json(()))
    } else {
        Err(ApiError::not_found(format!(
            "{} has no permission with scope {} and these filters; `GET /permissions` lists those there are",
            subject.name, permission.scope
        ))
        .into())
    }
}

impl SubjectPermission {
    fn new(subject: &Subject, permission: &Permission) -> Self {
        let Permission { scope, job_family, job, endpoint } = permission.clone();
        Self { subject: subject.clone(), scope, job_family, job, endpoint }
    }

    /// Refuses what would have no effect.
    fn checked(self) -> Result<(Subject, Permission), ApiError> {
        let Self { subject, scope, job_family, job, endpoint } = self;
        if subject.kind == SubjectKind::Internal {
            let message = "parts of Racetrack have what their tokens say; permissions are for users, ESCs and job families";
            return Err(ApiError::invalid(message));
        }
        if let (Some(family), Some(job)) = (&job_family, &job)
            && *family != job.name
        {
            return Err(ApiError::invalid(format!("job {} is not of the job family {family}", job.name)));
        }
        Ok((subject, Permission { scope, job_family, job, endpoint }))
    }
}
