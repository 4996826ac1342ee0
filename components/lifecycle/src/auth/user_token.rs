//! The tokens that users are given, and the cookies by which their browsers call jobs.

use axum::http::HeaderValue;
use racetrack_store::{Subject, Token};

use crate::App;
use crate::clock::seconds_since_1970;
use crate::request_error::RequestError;

/// The cookie in which browsers show a token to jobs, whose pages are opened by following links. Scripts of pages do
/// not see it, and the API takes it from nobody. Cookies reach every port of a host, so the token is good for calls only.
const COOKIE: &str = "X-Racetrack-Auth";

/// A token for a user who logs in at a command line. Where tokens of users are good for ever, it is the one the user has
/// already.
pub(crate) async fn for_login(app: &App, username: &str) -> Result<Token, RequestError> {
    let user = Subject::user(username);
    Ok(match expiry_time(app) {
        None => app.store.token_for(&user).await?,
        expiry_time => app.store.create_token(&user, expiry_time).await?,
    })
}

/// The token of a new session of a user.
pub(crate) async fn for_session(app: &App, username: &str) -> Result<Token, RequestError> {
    Ok(app.store.create_session(username, end_of_session(app)).await?)
}

/// A token for a user in place of all that the user had; one of a session if asked for.
pub(crate) async fn in_place_of_all(
    app: &App,
    username: &str,
    is_session: bool,
) -> Result<Token, RequestError> {
    Ok(if is_session {
        app.store.replace_tokens_by_session(username, end_of_session(app)).await?
    } else {
        app.store.replace_tokens(&Subject::user(username), expiry_time(app)).await?
    })
}

/// A token, as it is shown.
pub(crate) fn shown(app: &App, token: &Token) -> String {
    app.authenticator.sign(&token.subject, &token.seed)
}

/// Has a browser call jobs by a token from now on, for as long as a session lasts and the token is good.
pub(crate) fn cookie(app: &App, token: &Token) -> HeaderValue {
    let end = token.expiry_time.map_or(end_of_session(app), |expiry| expiry.min(end_of_session(app)));
    let value = app.authenticator.sign_for_calls(&token.subject, &token.seed, end);
    set_cookie(app, &value, end.saturating_sub(seconds_since_1970()).max(0))
}

/// Has a browser forget the token.
pub(crate) fn no_cookie(app: &App) -> HeaderValue {
    set_cookie(app, "", 0)
}

fn set_cookie(app: &App, value: &str, max_age: i64) -> HeaderValue {
    let secure = if app.config.external_lifecycle_url.is_plain() { "" } else { "; Secure" };
    let cookie = format!("{COOKIE}={value}; Path=/pub; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    HeaderValue::try_from(cookie).expect("tokens are of base64 and dots")
}

/// Until when a token that is made now is good, in seconds since 1970.
fn expiry_time(app: &App) -> Option<i64> {
    app.config.user_token_lifetime.map(after)
}

/// Until when a session that begins now is good, in seconds since 1970.
fn end_of_session(app: &App) -> i64 {
    after(app.config.session_lifetime)
}

fn after(lifetime: std::time::Duration) -> i64 {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    seconds_since_1970().saturating_add(seconds)
}
