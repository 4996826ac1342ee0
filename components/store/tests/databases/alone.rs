//! One database, one process that writes.

use racetrack_core::error::chain;
use racetrack_store::{DatabaseUrl, Store, StoreError};

use crate::postgres_server::PostgresServer;

const FIRST: &str = "lifecycle on alpha, process 7";
const SECOND: &str = "lifecycle on beta, process 8";

#[tokio::test]
async fn a_file_is_opened_by_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::file(&folder.path().join("racetrack.db"));
    let first = Store::open_alone(&url, FIRST).await.unwrap();
    let refusal = Store::open_alone(&url, SECOND).await.unwrap_err();
    let expected = format!(
        "the database `{url}` is in use by {FIRST}; one database serves one lifecycle, so stop that one, or give this one a \
         database of its own with --database-url"
    );
    assert_eq!(chain(&refusal), expected);
    assert!(first.is_alone());
    first.ensure_job_family("adder").await.unwrap();
    first.close().await;
    drop(first);
    let second = Store::open_alone(&url, SECOND).await.unwrap();
    assert_eq!(second.job_families().await.unwrap().len(), 1);
}

/// One test, for it takes a server.
#[test]
fn a_database_on_postgresql_is_written_by_one_alone() {
    let server = PostgresServer::start();
    let url = |name: &str| server.new_database(name).parse().unwrap();
    runtime().block_on(a_second_one_is_refused(&url("refused")));
    whoever_was_killed_is_followed(&url("killed"));
    runtime().block_on(whoever_was_taken_over_writes_nothing(&server, &url("taken_over")));
}

async fn a_second_one_is_refused(url: &DatabaseUrl) {
    let first = Store::open_alone(url, FIRST).await.unwrap();
    let refusal = Store::open_alone(url, SECOND).await.unwrap_err();
    assert!(matches!(&refusal, StoreError::InUse { holder, .. } if holder == FIRST), "{refusal}");
    first.ensure_job_family("adder").await.unwrap();
    first.close().await;
    // A lease that was given back need not be waited for.
    let second = Store::open_alone(url, SECOND).await.unwrap();
    assert_eq!(second.job_families().await.unwrap().len(), 1);
    assert!(second.is_alone());
    second.close().await;
}

fn whoever_was_killed_is_followed(url: &DatabaseUrl) {
    let killed = runtime();
    let first = killed.block_on(Store::open_alone(url, FIRST)).unwrap();
    killed.shutdown_background();
    runtime().block_on(async {
        let second = Store::open_alone(url, SECOND).await.unwrap();
        second.ensure_job_family("adder").await.unwrap();
        second.close().await;
    });
    drop(first);
}

async fn whoever_was_taken_over_writes_nothing(server: &PostgresServer, url: &DatabaseUrl) {
    let first = Store::open_alone(url, FIRST).await.unwrap();
    first.ensure_job_family("adder").await.unwrap();
    take_over(server);
    let refusal = first.ensure_job_family("multiplier").await.unwrap_err();
    assert!(matches!(refusal, StoreError::TakenOver { .. }), "{refusal}");
    assert!(first.check_writes().await.is_err());
    let notice = first.taken_over().await;
    assert_eq!(notice.to_string(), format!("the database is now written by {SECOND}"));
    assert!(!first.is_alone());
    assert_eq!(first.job_families().await.unwrap().len(), 1);
    first.close().await;
    // It was not given back by whoever has it no more.
    let third = Store::open_alone(url, "lifecycle on gamma, process 9");
    let renewing = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            renew(server);
        }
    };
    let third = tokio::select! {
        third = third => third.unwrap_err(),
        () = renewing => unreachable!("it goes on"),
    };
    assert!(matches!(&third, StoreError::InUse { holder, .. } if holder == SECOND), "{third}");
}

/// What a second process does while the first one stands still for longer than its lease.
fn take_over(server: &PostgresServer) {
    let now = "floor(extract(epoch FROM clock_timestamp()) * 1000)";
    server.run(
        "taken_over",
        &format!(
            "UPDATE leases SET holder = 'another', description = '{SECOND}', epoch = epoch + 1, expires_ms = {now} + 60000"
        ),
    );
}

/// The one that took over lives on.
fn renew(server: &PostgresServer) {
    server.run("taken_over", "UPDATE leases SET expires_ms = expires_ms + 1000");
}

/// In transaction mode one session serves many connections: refused. In session mode it is as without a pooler.
#[test]
fn a_pooler_has_to_leave_sessions_whole() {
    let server = PostgresServer::start();
    server.new_database("pooled");
    runtime().block_on(async {
        let pooler = server.start_pooler("pooled", "transaction");
        let refusal = Store::open_alone(&pooler.url().parse().unwrap(), FIRST).await.unwrap_err();
        let text = chain(&refusal);
        assert!(text.contains("PgBouncer with `pool_mode = transaction`"), "{text}");
        assert!(text.contains("set `pool_mode = session` for this database"), "{text}");
        drop(pooler);
        let pooler = server.start_pooler("pooled", "session");
        let store = Store::open_alone(&pooler.url().parse().unwrap(), FIRST).await.unwrap();
        store.ensure_job_family("adder").await.unwrap();
        store.check_writes().await.unwrap();
        store.close().await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
