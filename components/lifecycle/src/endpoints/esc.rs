//! ESCs, the programs that call jobs, and their tokens.

use axum::Json;
use axum::extract::State;
use racetrack_service::ApiError;
use racetrack_service::extract::Path;
use racetrack_store::{Esc, Subject, Token};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::{Caller, check_covers, check_identifier};
use crate::clock::seconds_since_1970;
use crate::document::schemas::{EscSchema, Nothing};
use crate::extract::{JsonBody, JsonBodyOrDefault};
use crate::request_error::RequestError;

/// The longest name, in characters.
const MAX_NAME_LENGTH: usize = 200;

/// An ESC to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewEsc {
    /// Its name among people.
    #[schema(
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// Identifies it; a new one is made where none is given.
    #[serde(default)]
    #[schema(max_length = 150, pattern = "^[A-Za-z0-9][A-Za-z0-9@.+_-]*$")]
    id: Option<String>,
}

/// A token to be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// From when on it is not good any more, in seconds since 1970; absent when it always is.
    #[serde(default)]
    expiry_time: Option<i64>,
}

/// An ESC with its tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct EscAuthData {
    id: String,
    name: String,
    /// The oldest first.
    tokens: Vec<TokenView>,
}

/// A token. Times are seconds since 1970.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    id: String,
    /// The token itself, as it is shown.
    token: String,
    expiry_time: Option<i64>,
    active: bool,
    last_use_time: Option<i64>,
}

/// Lists the ESCs, by name
#[utoipa::path(get, path = "/escs", tag = "escs", responses((status = 200, body = Vec<EscSchema>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<Esc>>, RequestError> {
    Ok(Json(app.store.escs().await?))
}

/// Adds an ESC
#[utoipa::path(post, path = "/escs", tag = "escs", request_body = NewEsc,
    responses((status = 200, body = EscSchema), (status = 409, description = "there is an ESC of this id")))]
pub(crate) async fn create(
    State(app): State<App>,
    JsonBody(NewEsc { name, id }): JsonBody<NewEsc>,
) -> Result<Json<Esc>, RequestError> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_LENGTH || name.contains(char::is_control) {
        return Err(ApiError::invalid(format!(
            "the name of an ESC has {MAX_NAME_LENGTH} characters at most, one of them no space, and no line breaks"
        )).into());
    }
    if let Some(id) = &id {
        check_identifier(id).map_err(|error| ApiError::invalid(format!("the id of an ESC {error}")))?;
    }
    Ok(Json(app.store.create_esc(&name, id.as_deref()).await?))
}

/// Deletes an ESC with its tokens and permissions
#[utoipa::path(delete, path = "/escs/{id}", tag = "escs", params(("id" = String, Path)),
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such ESC")))]
pub(crate) async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<Json<()>, RequestError> {
    Ok(Json(app.store.delete_esc(&id).await?))
}

/// Shows an ESC with its tokens
///
/// Only to a caller who may do what the ESC may do.
#[utoipa::path(get, path = "/escs/{id}/auth_data", tag = "escs", params(("id" = String, Path)),
    responses((status = 200, body = EscAuthData), (status = 404, description = "there is no such ESC")))]
pub(crate) async fn auth_data(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<EscAuthData>, RequestError> {
    let Esc { name, id, .. } = app.store.esc(&id).await?;
    let access = app.store.access().await?;
    check_covers(&caller, &access, &Subject::esc(&id))?;
    let tokens = app.store.tokens_of(&Subject::esc(&id)).await?;
    let tokens = tokens.into_iter().map(|token| view(&app, token)).collect();
    Ok(Json(EscAuthData { id, name, tokens }))
}

/// Makes another token for an ESC
///
/// Only for a caller who may do what the ESC may do.
#[utoipa::path(post, path = "/escs/{id}/auth_token", tag = "escs", params(("id" = String, Path)),
    request_body = Option<NewToken>,
    responses((status = 200, body = TokenView), (status = 404, description = "there is no such ESC")))]
pub(crate) async fn create_token(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBodyOrDefault(NewToken { expiry_time }): JsonBodyOrDefault<NewToken>,
) -> Result<Json<TokenView>, RequestError> {
    if let Some(time) = expiry_time.filter(|time| *time <= seconds_since_1970()) {
        return Err(ApiError::invalid(format!(
            "the expiry_time {time} is over; it is in seconds since 1970, and now is {}",
            seconds_since_1970()
        ))
        .into());
    }
    let access = app.store.access().await?;
    check_covers(&caller, &access, &Subject::esc(&id))?;
    let token = app.store.create_token(&Subject::esc(&id), expiry_time).await?;
    Ok(Json(view(&app, token)))
}

/// Revokes a token of an ESC
#[utoipa::path(delete, path = "/escs/{id}/auth_token/{token_id}", tag = "escs",
    params(("id" = String, Path), ("token_id" = String, Path)),
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such ESC or token")))]
pub(crate) async fn revoke_token(
    State(app): State<App>,
    Path((id, token_id)): Path<(String, String)>,
) -> Result<Json<()>, RequestError> {
    Ok(Json(app.store.revoke_token(&Subject::esc(&id), &token_id).await?))
}

fn view(app: &App, token: Token) -> TokenView {
    TokenView {
        token: app.authenticator.sign(&token.subject, &token.seed),
        id: token.id,
        expiry_time: token.expiry_time,
        active: token.is_active,
        last_use_time: token.last_use_time,
    }
}
