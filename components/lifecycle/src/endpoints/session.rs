//! Sessions: logging in for a while, and what becomes of it.

use axum::Json;
use axum::extract::State;
use racetrack_service::ApiError;
use racetrack_service::extract::Path;
use racetrack_service::peer::PeerKey;
use racetrack_store::{NotFound, StoreError, Token};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::{let_in, own_name};
use crate::App;
use crate::auth::{Caller, user_token};
use crate::clock::seconds_since_1970;
use crate::document::schemas::Nothing;
use crate::extract::JsonBody;
use crate::request_error::RequestError;

/// Whom somebody claims to be.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SessionCredentials {
    username: String,
    password: String,
}

/// A user with the token of a new session.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSession {
    username: String,
    /// The token to show from now on.
    token: String,
    /// Whether the user is an administrator.
    is_staff: bool,
    /// Identifies the session.
    id: String,
    /// When it ends, in seconds since 1970.
    expiry_time: Option<i64>,
}

/// A session. Times are seconds since 1970.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    id: String,
    create_time: i64,
    /// When it ends.
    expiry_time: Option<i64>,
    /// When its token was last used, to the minute.
    last_use_time: Option<i64>,
    /// Whether the request shows its token.
    is_current: bool,
}

/// Logs a user in for a while
///
/// Answers a token of its own that ends, after 12 hours unless the setting `session-lifetime` says otherwise, and sets no
/// cookie.
#[utoipa::path(post, path = "/users/session", tag = "sessions", request_body = SessionCredentials,
    responses((status = 200, body = NewSession), (status = 401, description = "there is no such user, or the user was not let in"),
        (status = 429, description = "too many passwords were tried; the header Retry-After says when to go on"),
        (status = 503, description = "too many passwords are being checked")))]
pub(crate) async fn create(
    State(app): State<App>,
    peer: PeerKey,
    JsonBody(SessionCredentials { username, password }): JsonBody<SessionCredentials>,
) -> Result<Json<NewSession>, RequestError> {
    let user = let_in(&app, peer, &username, password).await?;
    let token = user_token::for_session(&app, &username).await?;
    Ok(Json(NewSession {
        username,
        token: user_token::shown(&app, &token),
        is_staff: user.is_staff,
        id: token.id,
        expiry_time: token.expiry_time,
    }))
}

/// Logs out: ends the session whose token is shown
#[utoipa::path(delete, path = "/users/session", tag = "sessions",
    responses((status = 200, body = Nothing), (status = 400, description = "the token is not that of a session")))]
pub(crate) async fn end_current(State(app): State<App>, caller: Caller) -> Result<Json<()>, RequestError> {
    if end_of(&app, &caller).await? {
        return Ok(Json(()));
    }
    Err(ApiError::invalid(
        "the token is not that of a session; `POST /auth/token/user/regenerate` ends the tokens of a command line",
    ).into())
}

/// Lists the sessions of the user who calls, oldest first
#[utoipa::path(get, path = "/users/sessions", tag = "sessions", responses((status = 200, body = Vec<SessionView>)))]
pub(crate) async fn list_own(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<SessionView>>, RequestError> {
    list(&app, &caller, own_name(&caller)?).await
}

/// Ends a session of the user who calls
#[utoipa::path(delete, path = "/users/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Nothing), (status = 404, description = "the user has no such session")))]
pub(crate) async fn end_own(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<()>, RequestError> {
    Ok(Json(app.store.end_session(own_name(&caller)?, &id).await?))
}

/// Lists the sessions of a user, oldest first
#[utoipa::path(get, path = "/users/{username}/sessions", tag = "sessions", params(("username" = String, Path)),
    responses((status = 200, body = Vec<SessionView>), (status = 404, description = "there is no such user")))]
pub(crate) async fn list_of(
    State(app): State<App>,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<Json<Vec<SessionView>>, RequestError> {
    let user = app.store.user(&username).await?;
    list(&app, &caller, &user.username).await
}

/// Ends a session of a user
#[utoipa::path(delete, path = "/users/{username}/sessions/{id}", tag = "sessions",
    params(("username" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such user or session")))]
pub(crate) async fn end_of_user(
    State(app): State<App>,
    Path((username, id)): Path<(String, String)>,
) -> Result<Json<()>, RequestError> {
    Ok(Json(app.store.end_session(&username, &id).await?))
}

/// Ends the session whose token the caller shows; says whether it is the token of one.
pub(super) async fn end_of(app: &App, caller: &Caller) -> Result<bool, RequestError> {
    let (Some(username), Some(token)) = (caller.username(), caller.token()) else { return Ok(false) };
    if !token.is_of_session {
        return Ok(false);
    }
    match app.store.end_session(username, &token.id).await {
        // Somebody else ended it meanwhile.
        Ok(()) | Err(StoreError::NotFound(NotFound::Session { .. })) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

async fn list(app: &App, caller: &Caller, username: &str) -> Result<Json<Vec<SessionView>>, RequestError> {
    let sessions = app.store.sessions_of(username, seconds_since_1970()).await?;
    let current = caller.token().map(|token| token.id.as_str());
    let view = |Token { id, create_time, expiry_time, last_use_time, .. }: Token| SessionView {
        is_current: current == Some(id.as_str()),
        id,
        create_time,
        expiry_time,
        last_use_time,
    };
    Ok(Json(sessions.into_iter().map(view).collect()))
}
