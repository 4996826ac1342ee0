//! The suite on PostgreSQL.

use std::pin::Pin;

use racetrack_store::{DatabaseUrl, Store};

use crate::postgres_server::PostgresServer;
use crate::{with_cases, with_reopening_cases};

type Case = fn(Store) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! listed {
    ($($module:ident::$case:ident),+ $(,)?) => {
        &[$((stringify!($case), |store| Box::pin(crate::$module::$case(store)))),+]
    };
}

const CASES: &[(&str, Case)] = with_cases!(listed);
const REOPENING_CASES: &[(&str, Case)] = with_reopening_cases!(listed);

/// One test, for it takes a server; each case has a database of its own. Failures are told by the names of the cases.
#[test]
fn the_suite_passes_on_postgresql() {
    let server = PostgresServer::start();
    let mut failed = Vec::new();
    for (name, case) in CASES.iter().chain(REOPENING_CASES) {
        let url: DatabaseUrl = server.new_database(name).parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(async {
            let store = Store::open(&url).await.unwrap();
            let outcome = tokio::spawn(case(store.clone())).await;
            store.close().await;
            outcome
        });
        failed.extend(outcome.err().map(|_| *name));
    }
    assert!(failed.is_empty(), "cases that failed on PostgreSQL: {failed:?}");
}

#[tokio::test]
async fn a_server_out_of_reach_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://bob:hunter2@localhost/racetrack?host={}", folder.path().display());
    let error = Store::open(&url.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot open the database `postgres://bob@localhost/racetrack`");
    assert!(!format!("{error:?}").contains("hunter2"));
}
