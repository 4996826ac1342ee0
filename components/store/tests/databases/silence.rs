//! A database that does not answer amid a write, or a read.

use std::time::Duration;

use racetrack_store::{DatabaseUrl, Store};
use sqlx::{AnyConnection, Connection, Executor};
use tokio::time::timeout;

use crate::postgres_server::PostgresServer;

/// Somebody beside the store keeps a table to themselves, so whatever comes to it waits.
#[test]
fn a_write_that_waits_in_vain_lets_others_write() {
    let server = PostgresServer::start();
    let url = server.new_database("silent");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&url.parse::<DatabaseUrl>().unwrap()).await.unwrap();
        let mut other = AnyConnection::connect(&url).await.unwrap();
        other.execute("BEGIN").await.unwrap();
        other.execute("LOCK TABLE job_families IN ACCESS EXCLUSIVE MODE").await.unwrap();
        // The limits are 30 seconds; without any this ends never.
        let both = async { tokio::join!(store.ensure_job_family("adder"), store.job_families()) };
        let (written, read) = timeout(Duration::from_mins(2), both).await.unwrap();
        assert!(written.as_ref().unwrap_err().is_outage(), "{written:?}");
        assert!(read.as_ref().unwrap_err().is_outage(), "{read:?}");
        let check = async {
            while let Err(error) = store.check_writes().await {
                assert!(error.is_outage(), "{error:?}");
            }
        };
        timeout(Duration::from_mins(1), check).await.unwrap();
        what_is_under_way_keeps_no_store_open(&url).await;
        other.execute("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
        store.ensure_job_family("multiplier").await.unwrap();
        assert_eq!(store.job_families().await.unwrap().len(), 1, "what was given up is undone");
        store.close().await;
    });
}

/// The lease is given back, so that the next one need not wait until it ends.
async fn what_is_under_way_keeps_no_store_open(url: &str) {
    let url = url.parse().unwrap();
    let store = Store::open_alone(&url, "the first").await.unwrap();
    let reading = tokio::spawn({
        let store = store.clone();
        async move { store.job_families().await }
    });
    tokio::task::yield_now().await;
    timeout(Duration::from_secs(20), store.close()).await.unwrap();
    assert!(store.job_families().await.is_err());
    Store::open_alone(&url, "the second").await.unwrap().close().await;
    reading.abort();
}
