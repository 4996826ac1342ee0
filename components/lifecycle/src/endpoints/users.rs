//! All users, as administrators see and change them.

use axum::Json;
use axum::extract::State;
use racetrack_service::ApiError;
use racetrack_service::extract::Path;
use racetrack_store::{Subject, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::{Caller, check_covers};
use crate::document::schemas::Nothing;
use crate::extract::JsonBody;
use crate::request_error::RequestError;

/// A user. Times are seconds since 1970.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserView {
    username: String,
    /// Whether the user is let in.
    is_active: bool,
    /// Whether the user is an administrator.
    is_staff: bool,
    create_time: i64,
    last_login_time: Option<i64>,
}

/// What an administrator decides of a user.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UserFlags {
    /// Whether the user is let in; the tokens of a user who is not are not good.
    is_active: bool,
    /// Whether the user is an administrator.
    is_staff: bool,
}

/// Lists the users, by name
#[utoipa::path(get, path = "/users", tag = "users", responses((status = 200, body = Vec<UserView>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<UserView>>, RequestError> {
    let users = app.store.users().await?;
    Ok(Json(users.into_iter().map(UserView::from).collect()))
}

/// Lets a user in or keeps the user out, and makes the user an administrator or not
///
/// An administrator sees to users, ESCs, permissions and plugins. What users may do with jobs is in their permissions; a
/// user is let in by an administrator who may do all of that.
#[utoipa::path(put, path = "/users/{username}", tag = "users", params(("username" = String, Path)),
    request_body = UserFlags,
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such user"),
        (status = 409, description = "there would be no administrator")))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(username): Path<String>,
    JsonBody(UserFlags { is_active, is_staff }): JsonBody<UserFlags>,
) -> Result<Json<()>, RequestError> {
    let user = app.store.user(&username).await?;
    if is_active && !user.is_active {
        let access = app.store.access().await?;
        check_covers(&caller, &access, &Subject::user(&username))?;
    }
    Ok(Json(app.store.set_user_flags(&username, is_active, is_staff).await?))
}

/// Deletes another user with tokens and permissions
#[utoipa::path(delete, path = "/users/{username}", tag = "users", params(("username" = String, Path)),
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such user"),
        (status = 409, description = "there would be no administrator")))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<Json<()>, RequestError> {
    if caller.username() == Some(username.as_str()) {
        return Err(ApiError::invalid("you cannot delete yourself; another administrator can").into());
    }
    Ok(Json(app.store.delete_user(&username).await?))
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let User { username, is_active, is_staff, create_time, last_login_time, .. } = user;
        Self { username, is_active, is_staff, create_time, last_login_time }
    }
}
