//! The suite on SQLite, and what is SQLite's alone.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use racetrack_store::{
    AuditEventType, AuditFilter, DatabaseUrl, DeploymentOutcome, NewAuditEvent, PasswordHash, Store, User,
    Visibility,
};
use sqlx::Connection;

use crate::deployments::new_deployment;
use crate::{with_cases, with_reopening_cases};

macro_rules! in_memory {
    ($($module:ident::$case:ident),+ $(,)?) => {
        mod memory {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                crate::$module::$case(Store::open(&DatabaseUrl::memory()).await.unwrap()).await;
            })+
        }
    };
}

macro_rules! in_file {
    ($($module:ident::$case:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $case() {
            let folder = tempfile::tempdir().unwrap();
            let url = DatabaseUrl::file(&folder.path().join("a b?#%.db"));
            crate::$module::$case(Store::open(&url).await.unwrap()).await;
        })+
    };
}

with_cases!(in_memory);

mod file {
    use super::*;

    with_cases!(in_file);
    with_reopening_cases!(in_file);
}

#[tokio::test]
async fn a_relative_path_is_relative_to_the_working_directory() {
    let url: DatabaseUrl = "sqlite:no/such/folder/racetrack.db".parse().unwrap();
    let error = Store::open(&url).await.unwrap_err();
    let expected = "cannot open the file of the database `sqlite:no/such/folder/racetrack.db`";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let notes = "remember the milk\n".repeat(1000);
    std::fs::write(&path, &notes).unwrap();
    let error = Store::open(&DatabaseUrl::file(&path)).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot open the database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), notes);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DatabaseUrl::file(&folder.path().join("racetrack.db"))).await.unwrap();
    store.ensure_job_family("adder").await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 1, "the write-ahead log is a file of its own: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

/// Runs statements past the store.
async fn run(path: &Path, statements: &'static str) {
    use sqlx::Connection;

    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_was_too_long_before_it_was_limited_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("racetrack.db");
    let url = DatabaseUrl::file(&path);
    let store = Store::open(&url).await.unwrap();
    let id = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap().id;
    store.save_build(&id, None, "log").await.unwrap();
    store.save_job(&crate::jobs::job("adder", "1.0.0"), &[]).await.unwrap();
    store.add_audit_event(&NewAuditEvent::new(AuditEventType::JobDeployed)).await.unwrap();
    store.close().await;
    // As the version before left it.
    run(&path, "UPDATE deployments SET error = 'begin' || hex(zeroblob(10000000)) || 'end', phase = hex(zeroblob(9000)), \
                    warnings = hex(zeroblob(10000000)); \
                UPDATE build_logs SET logs = 'begin' || hex(zeroblob(10000000)); \
                UPDATE jobs SET error = hex(zeroblob(2000000)), notice = hex(zeroblob(2000000)), \
                    infrastructure_stats = '{\"x\": \"' || hex(zeroblob(2000000)) || '\"}'; \
                UPDATE audit_events SET properties = '{\"error\": \"' || hex(zeroblob(10000000)) || '\"}'; \
                DELETE FROM _sqlx_migrations WHERE version = 5").await;
    let store = Store::open(&url).await.unwrap();
    let kept = store.deployments(10).await.unwrap().remove(0);
    let error = kept.error.unwrap();
    assert!(error.starts_with("begin0") && error.ends_with("0end"));
    assert!(error.contains("[… 19984008 characters left out …]") && error.len() < 20_000);
    assert!(kept.phase.unwrap().len() == 1000 && kept.warnings.unwrap().len() < 20_000);
    assert!(store.build_logs(&id).await.unwrap().unwrap().len() < 9_000_000);
    let job = store.job("adder", "1.0.0").await.unwrap();
    assert!(job.job.error.as_ref().unwrap().len() < 8192 && job.job.notice.as_ref().unwrap().len() < 8192);
    assert_eq!(job.job.infrastructure_stats["left_out"], "4000009 characters of statistics");
    let events = store.audit_events(&AuditFilter::default(), &Visibility::ALL, 10).await.unwrap();
    assert_eq!(events[0].properties["left_out"], "20000013 characters of properties");
    // What somebody else writes later is cut when it is read.
    run(&path, "UPDATE deployments SET error = hex(zeroblob(10000000))").await;
    assert!(store.deployments(10).await.unwrap().remove(0).error.unwrap().len() <= 32 * 1024);
}

#[tokio::test]
async fn a_refusal_is_told_from_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("racetrack.db");
    let store = Store::open(&DatabaseUrl::file(&path)).await.unwrap();
    let id = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap().id;
    run(
        &path,
        "CREATE TRIGGER refuse BEFORE UPDATE ON deployments WHEN NEW.error = 'bad' \
                BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    )
    .await;
    let finish = async |error: &str| {
        store.finish_deployment(&id, &DeploymentOutcome::Failed { error: error.to_owned() }).await
    };
    let refused = finish("bad").await.unwrap_err();
    assert!(refused.is_refusal(), "{refused:?}");
    finish("good").await.unwrap();
    assert!(finish("good").await.unwrap_err().is_refusal());
    store.close().await;
    let away = finish("good").await.unwrap_err();
    assert!(!away.is_refusal(), "{away:?}");
}

/// On one thread, a write is in memory before another can begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_on_many_threads_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::file(&folder.path().join("racetrack.db"));
    crate::memory_tables::writers_at_once_lose_nothing(Store::open(&url).await.unwrap()).await;
}

const WRITER: &str = "RACETRACK_STORE_TEST_WRITER";

/// Runs itself as another process that claims versions and says so, and kills that in the middle.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(path) = std::env::var_os(WRITER) {
        runtime.block_on(claim_until_killed(Path::new(&path)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("racetrack.db");
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::what_was_acknowledged_survives_a_kill", "--nocapture"])
        .env(WRITER, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut claimed: Vec<String> = lines.by_ref().filter_map(claimed_id).take(25).collect();
    writer.kill().unwrap();
    claimed.extend(lines.filter_map(claimed_id));
    writer.wait().unwrap();
    runtime.block_on(async {
        let store = Store::open(&DatabaseUrl::file(&path)).await.unwrap();
        for id in &claimed {
            store.deployment(id).await.unwrap();
        }
        assert!(store.deployments_in_progress().await.unwrap().len() >= 25);
        store.claim_deployment(&new_deployment("after", "1.0.0")).await.unwrap();
    });
}

/// Lines torn by the kill, and those of the test harness, are no ids.
fn claimed_id(line: impl AsRef<str>) -> Option<String> {
    line.as_ref().strip_prefix("claimed ").filter(|id| id.len() == 36).map(str::to_owned)
}

async fn claim_until_killed(path: &Path) {
    let store = Store::open(&DatabaseUrl::file(path)).await.unwrap();
    // The first line follows what the test harness has written of its own.
    say("\n");
    for number in 0..1_000_000 {
        let version = format!("{number}.0.0");
        let deployment = store.claim_deployment(&new_deployment("adder", &version)).await.unwrap();
        say(&format!("claimed {}\n", deployment.id));
    }
}

/// Past the test harness, which keeps what is printed.
fn say(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn users_from_before_whose_names_differ_in_case_alone_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.sqlite");
    let url = DatabaseUrl::file(&path);
    let user = |username, hash| User::new(username, PasswordHash::new(hash), 0);
    let store = Store::open(&url).await.unwrap();
    store.create_user(&user("admin", "one"), &[]).await.unwrap();
    store.close().await;
    let file = format!("sqlite://{}", path.display());
    let mut database = sqlx::AnyConnection::connect(&file).await.unwrap();
    let insert = "INSERT INTO users SELECT 'Admin', 'other', 1, 0, 0, NULL";
    sqlx::query(insert).execute(&mut database).await.unwrap();
    database.close().await.unwrap();

    let store = Store::open(&url).await.unwrap();
    for (username, hash) in [("admin", "one"), ("Admin", "other")] {
        assert_eq!(store.user(username).await.unwrap().password_hash.expose(), hash);
    }
    store.set_password_hash("Admin", &PasswordHash::new("new")).await.unwrap();
    assert_eq!(store.user("admin").await.unwrap().password_hash.expose(), "one");
    assert!(store.create_user(&user("ADMIN", "third"), &[]).await.is_err());
    store.delete_user("Admin").await.unwrap();
    assert!(store.user("admin").await.is_ok());
}
