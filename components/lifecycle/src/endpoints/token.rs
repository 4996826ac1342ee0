//! Tokens of users, ESCs and job families: seeing that of an ESC, and replacing what may have been stolen.

use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use racetrack_service::extract::Path;
use racetrack_store::{Subject, SubjectKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::account::own_name;
use crate::App;
use crate::auth::{Caller, check_covers, user_token};
use crate::document::schemas::Nothing;
use crate::request_error::RequestError;

/// A token.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenText {
    token: String,
}

/// A token in place of those that were.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewTokenText {
    new_token: String,
}

/// Shows a token of an ESC that is good; makes one when there is none
///
/// Only to a caller who may do what the ESC may do.
#[utoipa::path(get, path = "/auth/token/esc/{id}", tag = "auth", params(("id" = String, Path)),
    responses((status = 200, body = TokenText), (status = 404, description = "there is no such ESC")))]
pub(crate) async fn token_of_esc(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<TokenText>, RequestError> {
    let esc = Subject::esc(&id);
    let access = app.store.access().await?;
    check_covers(&caller, &access, &esc)?;
    let token = app.store.token_for(&esc).await?;
    Ok(Json(TokenText { token: app.authenticator.sign(&esc, &token.seed) }))
}

/// Replaces every token of the user who calls by a new one
///
/// By one like the one shown: whoever shows that of a session gets that of a new session, which ends as well.
#[utoipa::path(post, path = "/auth/token/user/regenerate", tag = "auth",
    responses((status = 200, body = NewTokenText)))]
pub(crate) async fn regenerate_own(
    State(app): State<App>,
    caller: Caller,
) -> Result<impl IntoResponse, RequestError> {
    let is_session = caller.token().is_some_and(|token| token.is_of_session);
    let made = user_token::in_place_of_all(&app, own_name(&caller)?, is_session).await?;
    let cookie = user_token::cookie(&app, &made);
    Ok(([(SET_COOKIE, cookie)], Json(NewTokenText { new_token: user_token::shown(&app, &made) })))
}

/// Replaces every token of every user: all have to log in again
#[utoipa::path(post, path = "/auth/token/user/all/regenerate", tag = "auth", responses((status = 200, body = Nothing)))]
pub(crate) async fn regenerate_users(State(app): State<App>) -> Result<Json<()>, RequestError> {
    regenerate(&app, SubjectKind::User).await
}

/// Replaces every token of every job family: jobs that call others have to be deployed again
#[utoipa::path(post, path = "/auth/token/job_family/regenerate", tag = "auth", responses((status = 200, body = Nothing)))]
pub(crate) async fn regenerate_job_families(State(app): State<App>) -> Result<Json<()>, RequestError> {
    regenerate(&app, SubjectKind::JobFamily).await
}

/// Replaces every token of every ESC: each has to be given its new one
#[utoipa::path(post, path = "/auth/token/esc/regenerate", tag = "auth", responses((status = 200, body = Nothing)))]
pub(crate) async fn regenerate_escs(State(app): State<App>) -> Result<Json<()>, RequestError> {
    regenerate(&app, SubjectKind::Esc).await
}

async fn regenerate(app: &App, kind: SubjectKind) -> Result<Json<()>, RequestError> {
    let count = app.store.replace_all_tokens(kind).await?;
    tracing::info!(?kind, count, "tokens are replaced");
    Ok(Json(()))
}
