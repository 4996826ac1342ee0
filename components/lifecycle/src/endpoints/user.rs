//! A user's own account: logging in and out, registering, and changing the password.

use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use racetrack_service::ApiError;
use racetrack_service::peer::PeerKey;
use racetrack_store::{Permission, Scope, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::{let_in, own_name, verified};
use super::session;
use crate::App;
use crate::auth::{
    Caller, Line, Purpose, check_password, check_username, refused, token_in_header, user_token,
};
use crate::clock::seconds_since_1970;
use crate::document::schemas::Nothing;
use crate::extract::JsonBody;
use crate::request_error::RequestError;
use crate::settings::Registration;

/// What somebody may do everywhere who registered and was let in.
const REGISTERED_SCOPES: [Scope; 4] =
    [Scope::ReadJob, Scope::CallJob, Scope::DeployNewFamily, Scope::DeployJob];

/// Whom somebody claims to be.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

/// A user to be.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewUser {
    /// Unique, whatever its case; no address below `/users`, such as `login`.
    #[schema(max_length = 150, pattern = "^[A-Za-z0-9][A-Za-z0-9@.+_-]*$")]
    username: String,
    /// Of 1024 bytes at most.
    #[schema(min_length = 8)]
    password: String,
}

/// The password of a user, and the one it should become.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasswordChange {
    old_password: String,
    /// Of 1024 bytes at most.
    #[schema(min_length = 8)]
    new_password: String,
}

/// A user with the token to show.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoggedIn {
    username: String,
    token: String,
    /// Whether the user is an administrator.
    is_staff: bool,
}

/// Logs a user in at a command line
///
/// Answers the token to show from now on, and has browsers keep one for calls of jobs as a cookie.
#[utoipa::path(post, path = "/users/login", tag = "users", request_body = Credentials,
    responses((status = 200, body = LoggedIn), (status = 401, description = "there is no such user, or the user was not let in"),
        (status = 429, description = "too many passwords were tried; the header Retry-After says when to go on"),
        (status = 503, description = "too many passwords are being checked")))]
pub(crate) async fn login(
    State(app): State<App>,
    peer: PeerKey,
    JsonBody(Credentials { username, password }): JsonBody<Credentials>,
) -> Result<impl IntoResponse, RequestError> {
    let user = let_in(&app, peer, &username, password).await?;
    let token = user_token::for_login(&app, &username).await?;
    let cookie = user_token::cookie(&app, &token);
    let token = user_token::shown(&app, &token);
    Ok(([(SET_COOKIE, cookie)], Json(LoggedIn { username, token, is_staff: user.is_staff })))
}

/// Tells whose token this is
#[utoipa::path(get, path = "/users/validate_user_auth", tag = "users",
    responses((status = 200, body = LoggedIn)))]
pub(crate) async fn validate_user_auth(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Json<LoggedIn>, RequestError> {
    let user = app.store.user(own_name(&caller)?).await?;
    let token = token_in_header(&headers).unwrap_or_default().to_owned();
    Ok(Json(LoggedIn { username: user.username, token, is_staff: user.is_staff }))
}

/// Ends the session whose token is shown, and has a browser forget its token
///
/// The token of a login at a command line stays good.
#[utoipa::path(get, path = "/users/logout", tag = "users", responses((status = 200, body = Nothing)))]
pub(crate) async fn logout(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, RequestError> {
    let access = app.store.access().await?;
    // Whoever is not known has no session to end.
    if let Ok(caller) = app.authenticator.authenticate(&headers, &access) {
        session::end_of(&app, &caller).await?;
    }
    Ok(([(SET_COOKIE, user_token::no_cookie(&app))], Json(())))
}

/// Registers a user, who is let in when an administrator activates the user
///
/// The setting `registration` may let the user in at once, or keep everybody from registering.
#[utoipa::path(post, path = "/users/register", tag = "users", request_body = NewUser,
    responses((status = 200, body = Nothing), (status = 400, description = "the username or the password breaks a rule"),
        (status = 403, description = "nobody may register here"),
        (status = 409, description = "there is a user of this name, or one that differs in case alone"),
        (status = 429, description = "too many accounts were made"),
        (status = 503, description = "too many passwords are being checked")))]
pub(crate) async fn register(
    State(app): State<App>,
    peer: PeerKey,
    JsonBody(NewUser { username, password }): JsonBody<NewUser>,
) -> Result<Json<()>, RequestError> {
    if app.config.registration == Registration::Closed {
        let message = "nobody may register here (registration: closed)";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message).into());
    }
    check_username(&username).map_err(|error| ApiError::invalid(format!("a username {error}")))?;
    check_password(&password)?;
    app.registrations.count(peer)?;
    let hash = app.passwords.hash(Line::Unknown, password).await?;
    let mut user = User::new(&username, hash, seconds_since_1970());
    user.is_active = app.config.registration == Registration::Open;
    let permissions = REGISTERED_SCOPES.map(Permission::everywhere);
    Ok(Json(app.store.create_user(&user, &permissions).await?))
}

/// Changes the password of the user who calls, and ends every token of the user
///
/// Whoever holds a token of the user has to log in with the new password, whoever asks for the change included. The browser
/// that asks for it goes on to call jobs: it gets a new token for that as a cookie.
#[utoipa::path(put, path = "/users/change_password", tag = "users", request_body = PasswordChange,
    responses((status = 200, body = Nothing), (status = 400, description = "the new password breaks a rule"),
        (status = 429, description = "too many passwords were tried"),
        (status = 503, description = "too many passwords are being checked")))]
pub(crate) async fn change_password(
    State(app): State<App>,
    caller: Caller,
    peer: PeerKey,
    JsonBody(PasswordChange { old_password, new_password }): JsonBody<PasswordChange>,
) -> Result<impl IntoResponse, RequestError> {
    let username = own_name(&caller)?;
    if verified(&app, Purpose::Change, peer, username, old_password).await?.is_none() {
        return Err(refused("the old password is wrong").into());
    }
    let hash = app.passwords.hash(Line::Known, new_password).await?;
    app.store.set_password_hash(username, &hash).await?;
    let token = user_token::for_login(&app, username).await?;
    Ok(([(SET_COOKIE, user_token::cookie(&app, &token))], Json(())))
}
