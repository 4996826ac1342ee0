//! Connections to the two databases, and the migrations they run.

use std::time::Duration;
use std::{fs, io};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, ConnectOptions, Connection, Executor, SqlSafeStr};
use url::Url;

use crate::database_url::{Address, DatabaseUrl};
use crate::error::StoreError;
use crate::writer::{ConnectionUse, Writer};

/// The migrations, oldest first: version, name, statements. A line here is never changed once it was released.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "initial", include_str!("../migrations/0001_initial.sql"))];

/// What every connection to SQLite starts with. A commit is on the disk when it is acknowledged (`FULL`); what else
/// writes to the file, a backup for example, is waited for.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                               PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";

/// Connections for reading; what reads often is answered from memory.
const READERS: u32 = 4;

/// How long an operation waits for a connection.
const CONNECTION_TIME_LIMIT: Duration = Duration::from_secs(30);

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    /// For reading alone.
    pub(crate) reader: AnyPool,
    /// For writing.
    pub(crate) writer: Writer,
}

impl Database {
    /// Connects, and brings the tables up to date.
    pub(crate) async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        install_default_drivers();
        let database = match url.address() {
            Address::Memory => Self::open_memory().await,
            Address::File(path) => {
                let connect_url = prepare_file(path)
                    .map_err(|source| StoreError::File { database: url.to_string(), source })?;
                Self::open_file(&connect_url).await
            }
            Address::Postgres(address) => Self::open_postgres(address).await,
        };
        let database = database.map_err(|source| StoreError::Open { database: url.to_string(), source })?;
        let migrations = MIGRATIONS.iter().map(|&(version, name, statements)| {
            let statements = statements.into_sql_str();
            Migration::new(version, name.into(), MigrationType::Simple, statements, false)
        });
        let migrated = Migrator::with_migrations(migrations.collect()).run(database.writer.pool()).await;
        migrated.map_err(|source| StoreError::Migrate { database: url.to_string(), source })?;
        Ok(database)
    }

    /// Waits for what is under way, and closes every connection.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.pool().close().await;
    }

    /// One connection for everything: another would be another database. It is never given up.
    async fn open_memory() -> Result<Self, sqlx::Error> {
        let options = AnyConnectOptions::from_url(&"sqlite::memory:".parse().map_err(configuration)?)?;
        let pool = sqlite_pool().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_with(options).await?;
        let writer = Writer::new(pool.clone(), "BEGIN IMMEDIATE", ConnectionUse::Irreplaceable);
        Ok(Self { reader: pool, writer })
    }

    async fn open_file(url: &Url) -> Result<Self, sqlx::Error> {
        let options = AnyConnectOptions::from_url(url)?;
        try_once(&options, SQLITE_SETTINGS).await?;
        let writer = sqlite_pool().max_connections(1).connect_with(options.clone()).await?;
        let reader = sqlite_pool().max_connections(READERS).connect_lazy_with(options);
        Ok(Self { reader, writer: Writer::new(writer, "BEGIN IMMEDIATE", ConnectionUse::Replaceable) })
    }

    async fn open_postgres(url: &Url) -> Result<Self, sqlx::Error> {
        let options = AnyConnectOptions::from_url(url)?;
        try_once(&options, "SELECT 1").await?;
        let pool = || AnyPoolOptions::new().acquire_timeout(CONNECTION_TIME_LIMIT);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        let reader = pool().max_connections(READERS).connect_lazy_with(options);
        Ok(Self { reader, writer: Writer::new(writer, "BEGIN", ConnectionUse::Replaceable) })
    }
}

/// Says at once what is wrong; a pool would try again until its time is over, and then say that it is over.
async fn try_once(options: &AnyConnectOptions, statements: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    connection.execute(statements).await?;
    connection.close().await
}

fn sqlite_pool() -> AnyPoolOptions {
    // A connection to a file does not break while it is idle, so it is not tried before use.
    let options = AnyPoolOptions::new().acquire_timeout(CONNECTION_TIME_LIMIT).test_before_acquire(false);
    options.after_connect(|connection, _| {
        Box::pin(async move { connection.execute(SQLITE_SETTINGS).await.map(drop) })
    })
}

/// Makes the file, readable by its owner alone: it holds password hashes. SQLite gives its other files the same mode.
fn prepare_file(path: &std::path::Path) -> io::Result<Url> {
    let path = std::path::absolute(path)?;
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path)?;
    let unfit = |()| io::Error::new(io::ErrorKind::InvalidInput, "the path cannot be written as a URL");
    let file_url = Url::from_file_path(&path).map_err(unfit)?;
    format!("sqlite://{}", file_url.path()).parse().map_err(|_| unfit(()))
}

fn configuration(error: url::ParseError) -> sqlx::Error {
    sqlx::Error::Configuration(error.into())
}
