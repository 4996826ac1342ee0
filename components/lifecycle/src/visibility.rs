//! What a caller is shown of lists about jobs.

use racetrack_store::{NotFound, OwnDoings, StoreError, Visibility};

use crate::App;
use crate::auth::Caller;
use crate::request_error::RequestError;

/// What is about jobs that the caller may read, and what was done under the caller's name since it is the caller's.
pub(crate) async fn of(app: &App, caller: &Caller) -> Result<Visibility, RequestError> {
    let own = match (caller.username(), caller.own_name()) {
        (Some(username), _) => match app.store.user(username).await {
            Ok(user) => Some(OwnDoings { name: user.username, since: user.create_time }),
            // Deleted meanwhile.
            Err(StoreError::NotFound(NotFound::User { .. })) => None,
            Err(error) => return Err(error.into()),
        },
        (None, name) => name.map(|name| OwnDoings { name, since: 0 }),
    };
    Ok(Visibility { jobs: caller.readable_jobs(), own })
}
