//! What lifecycle does when it stops, besides answering the last requests.

use racetrack_service::health::Hold;

use crate::App;

/// Begins to wait for the end: to disconnect those who follow logs, to give up when another process takes over the database,
/// and to close the store.
pub(crate) fn prepare(app: &App) {
    tokio::spawn(close_at_end(app.clone()));
    tokio::spawn(give_up_when_taken_over(app.clone()));
    let last = app.service.readiness.hold_to_the_end();
    tokio::spawn(close_store_at_end(app.clone(), last));
}

/// When lifecycle stops, says so to those who follow logs: they would connect again and wait for ever.
async fn close_at_end(app: App) {
    let hold = app.service.readiness.hold();
    app.service.readiness.stopping().await;
    app.logs.close().await;
    drop(hold);
}

/// Ends this process when another one has taken over the database: what is in memory here, such as who may do what, is out of date.
async fn give_up_when_taken_over(app: App) {
    app.service.readiness.fail(app.store.taken_over().await);
}

/// Lets others have the database as soon as it is not needed any more.
async fn close_store_at_end(app: App, _hold: Hold) {
    app.service.readiness.finished().await;
    app.store.close().await;
}
