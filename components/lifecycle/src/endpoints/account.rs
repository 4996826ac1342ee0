//! The account of a user: whose it is, and whether a password opens it.

use racetrack_service::ApiError;
use racetrack_service::peer::PeerKey;
use racetrack_store::{NotFound, StoreError, User};

use crate::App;
use crate::auth::{Caller, Line, Purpose};
use crate::clock::seconds_since_1970;
use crate::request_error::RequestError;

/// The name of the user who calls a route for users.
pub(super) fn own_name(caller: &Caller) -> Result<&str, ApiError> {
    caller.username().ok_or_else(|| {
        ApiError::invalid("this server asks nobody who they are (auth-required: false), so no user calls it")
    })
}

/// The user of this name, whose password it is and who was let in; the login is noted.
pub(super) async fn let_in(
    app: &App,
    peer: PeerKey,
    username: &str,
    password: String,
) -> Result<User, RequestError> {
    let user = verified(app, Purpose::Login, peer, username, password).await?;
    let Some(user) = user else {
        return Err(ApiError::unauthorized("Unauthenticated: the username or the password is wrong").into());
    };
    // Told only to somebody who knows the password.
    if !user.is_active {
        let message = "Unauthenticated: the user is not active; an administrator has to activate it";
        return Err(ApiError::unauthorized(message).into());
    }
    app.store.note_login(username, seconds_since_1970()).await?;
    Ok(user)
}

/// The user of this name, if the password is the user's. That there is no such user takes as long to find out as that
/// the password is wrong.
pub(super) async fn verified(
    app: &App,
    purpose: Purpose,
    peer: PeerKey,
    username: &str,
    password: String,
) -> Result<Option<User>, RequestError> {
    let attempt = app.attempts.begin(purpose, username, peer).await?;
    let line = if purpose == Purpose::Change || attempt.is_known() { Line::Known } else { Line::Unknown };
    let user = user_with_password(app, line, username, password).await;
    match &user {
        Ok(Some(_)) => attempt.succeeded(),
        // It has been counted already.
        Ok(None) => drop(attempt),
        Err(_) => attempt.was_none(),
    }
    user
}

async fn user_with_password(
    app: &App,
    line: Line,
    username: &str,
    password: String,
) -> Result<Option<User>, RequestError> {
    let user = match app.store.user(username).await {
        Ok(user) => Some(user),
        Err(StoreError::NotFound(NotFound::User { .. })) => None,
        Err(error) => return Err(error.into()),
    };
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let is_right = app.passwords.verify(line, password, hash).await?;
    Ok(user.filter(|_| is_right))
}
