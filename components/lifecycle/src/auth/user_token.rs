//! The tokens that users are given, as text and as cookies of their browsers.

use axum::http::HeaderValue;
use racetrack_service::ApiError;
use racetrack_store::Subject;

use super::authenticator::seconds_since_1970;
use crate::App;
use crate::api_error::store_error;

/// The cookie in which browsers show a token to jobs, whose pages are opened by following links. Scripts of pages do
/// not see it, and the API takes it from nobody.
const COOKIE: &str = "X-Racetrack-Auth";

/// A token for a user who logs in. Where tokens of users are good for ever, it is the one the user has already.
pub(crate) async fn for_login(app: &App, username: &str) -> Result<String, ApiError> {
    let user = Subject::user(username);
    let token = match expiry_time(app) {
        None => app.store.token_for(&user).await,
        expiry_time => app.store.create_token(&user, expiry_time).await,
    };
    let token = token.map_err(store_error)?;
    Ok(app.authenticator.sign(&user, &token.seed))
}

/// A token for a user in place of all that the user had.
pub(crate) async fn in_place_of_all(app: &App, username: &str) -> Result<String, ApiError> {
    let user = Subject::user(username);
    let token = app.store.replace_tokens(&user, expiry_time(app)).await.map_err(store_error)?;
    Ok(app.authenticator.sign(&user, &token.seed))
}

/// Has a browser show the token from now on, for as long as it is good.
pub(crate) fn cookie(app: &App, token: &str) -> HeaderValue {
    let max_age = app.config.user_token_lifetime.map(|lifetime| format!("; Max-Age={}", lifetime.as_secs()));
    set_cookie(app, token, &max_age.unwrap_or_default())
}

/// Has a browser forget the token.
pub(crate) fn no_cookie(app: &App) -> HeaderValue {
    set_cookie(app, "", "; Max-Age=0")
}

fn set_cookie(app: &App, value: &str, max_age: &str) -> HeaderValue {
    let secure = if app.config.external_lifecycle_url.is_plain() { "" } else { "; Secure" };
    let cookie = format!("{COOKIE}={value}; Path=/pub; HttpOnly; SameSite=Lax{max_age}{secure}");
    HeaderValue::try_from(cookie).expect("tokens are of base64 and dots")
}

/// Until when a token that is made now is good, in seconds since 1970.
fn expiry_time(app: &App) -> Option<i64> {
    let lifetime = app.config.user_token_lifetime?;
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    Some(seconds_since_1970().saturating_add(seconds))
}
