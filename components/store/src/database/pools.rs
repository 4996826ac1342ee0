//! The connections to the two databases.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::timeout;
use url::Url;

use super::database_url::{Address, DatabaseUrl};
use super::exclusion::{self, Exclusion};
use super::limited_connection::ConnectionUse;
use super::reader::Reader;
use super::writer::Writer;
use super::{migrations, pooler};
use crate::error::StoreError;

/// What every connection to SQLite starts with. A commit is on the disk when it is acknowledged (`FULL`);
/// what else writes to the file, a backup for example, is waited for.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; \
                               PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                               PRAGMA temp_store = MEMORY;";

/// What every connection to PostgreSQL starts with. A process that stands still amid a transaction would keep
/// its locks, and with them whoever takes over, for as long.
const POSTGRES_SETTINGS: &str = "SET idle_in_transaction_session_timeout = '10s'";

/// Connections for reading; what reads often is answered from memory.
const READERS: u32 = 4;

/// How long an operation waits for a connection.
const CONNECTION_TIME_LIMIT: Duration = Duration::from_secs(30);

/// How long what is under way is waited for before the database is closed.
const CLOSING_TIME_LIMIT: Duration = Duration::from_secs(5);

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    /// For reading alone.
    pub(crate) reader: Reader,
    /// For writing.
    pub(crate) writer: Writer,
    /// What keeps others from writing, where that was asked for.
    pub(crate) exclusion: Exclusion,
    /// For connections beside the pools, with the statements they start with; absent for a database in
    /// memory.
    options: Option<(AnyConnectOptions, &'static str)>,
}

impl Database {
    /// Connects, and brings the tables up to date; with a description of this process also keeps others from
    /// writing.
    pub(crate) async fn open(url: &DatabaseUrl, holder: Option<&str>) -> Result<Self, StoreError> {
        install_default_drivers();
        let mut database = match url.address() {
            Address::Memory => Self::open_memory().await.map_err(url.cannot_open())?,
            Address::File(path) => {
                let unfit = |source| StoreError::File { database: url.to_string(), source };
                let connect_url = prepare_file(path).map_err(unfit)?;
                // Before anything is read or brought up to date: the one that runs may be of another version.
                let exclusion = match holder {
                    Some(holder) => Exclusion::Lock(exclusion::lock(url, path, holder)?),
                    None => Exclusion::Nothing,
                };
                let database = Self::open_file(&connect_url).await.map_err(url.cannot_open())?;
                Self { exclusion, ..database }
            }
            Address::Postgres(address) => {
                let options = AnyConnectOptions::from_url(address).map_err(url.cannot_open())?;
                try_once(&options, "SELECT 1").await.map_err(url.cannot_open())?;
                if pooler::shares_sessions(&options).await.map_err(url.cannot_open())? {
                    return Err(StoreError::SharedSessions { database: url.to_string() });
                }
                let exclusion = exclusion::early_lease(url, &options, holder).await?;
                let database = Self::open_postgres(options).await.map_err(url.cannot_open())?;
                Self { exclusion, ..database }
            }
        };
        migrations::run(database.writer.pool(), url).await?;
        if let (Exclusion::Nothing, Some(holder), Address::Postgres(_), Some((options, _))) =
            (&database.exclusion, holder, url.address(), &database.options)
        {
            database.exclusion = Exclusion::Lease(exclusion::lease(url, options, holder).await?);
        }
        Ok(database)
    }

    /// Connects beside the pools, and closes that connection again.
    pub(crate) async fn connect(&self) -> Result<(), sqlx::Error> {
        match &self.options {
            Some((options, settings)) => try_once(options, settings).await,
            None => Ok(()),
        }
    }

    /// Waits for what is under way, but not for long, closes every connection, and lets others write.
    ///
    /// Who gives the lease back while a write is under way waits for it as well: the write has its row.
    pub(crate) async fn close(&self) {
        // One after the other: of two SQLite connections that are closed at once, each leaves the write-ahead
        // log to the other.
        let closed = async {
            self.reader.pool().close().await;
            self.writer.pool().close().await;
        };
        if timeout(CLOSING_TIME_LIMIT, closed).await.is_err() {
            tracing::warn!(
                "the database does not end what is under way; its connections end with this process"
            );
        }
        if let Exclusion::Lease(lease) = &self.exclusion
            && let Err(error) = lease.give_back().await
        {
            tracing::warn!(%error, "the lease of the database is not given back; it ends by itself");
        }
    }

    /// One connection for everything: another would be another database. It is never given up.
    async fn open_memory() -> Result<Self, sqlx::Error> {
        let options = AnyConnectOptions::from_url(&"sqlite::memory:".parse().map_err(configuration)?)?;
        let pool = sqlite_pool().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_with(options).await?;
        let writer = Writer::new(pool.clone(), "BEGIN IMMEDIATE", ConnectionUse::Irreplaceable);
        let reader = Reader::new(pool, ConnectionUse::Irreplaceable);
        Ok(Self { reader, writer, exclusion: Exclusion::Nothing, options: None })
    }

    async fn open_file(url: &Url) -> Result<Self, sqlx::Error> {
        let options = AnyConnectOptions::from_url(url)?;
        try_once(&options, SQLITE_SETTINGS).await?;
        let writer = sqlite_pool().max_connections(1).connect_with(options.clone()).await?;
        let reader = sqlite_pool().max_connections(READERS).connect_lazy_with(options.clone());
        let reader = Reader::new(reader, ConnectionUse::Replaceable);
        let writer = Writer::new(writer, "BEGIN IMMEDIATE", ConnectionUse::Replaceable);
        Ok(Self { reader, writer, exclusion: Exclusion::Nothing, options: Some((options, SQLITE_SETTINGS)) })
    }

    async fn open_postgres(options: AnyConnectOptions) -> Result<Self, sqlx::Error> {
        let pool = || {
            let pool = AnyPoolOptions::new().acquire_timeout(CONNECTION_TIME_LIMIT);
            pool.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(POSTGRES_SETTINGS).await.map(drop) })
            })
        };
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        let reader = pool().max_connections(READERS).connect_lazy_with(options.clone());
        let reader = Reader::new(reader, ConnectionUse::Replaceable);
        let writer = Writer::new(writer, "BEGIN", ConnectionUse::Replaceable);
        Ok(Self {
            reader,
            writer,
            exclusion: Exclusion::Nothing,
            options: Some((options, POSTGRES_SETTINGS)),
        })
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

/// Makes the file, readable by its owner alone: it holds password hashes. SQLite gives its other files the
/// same mode.
fn prepare_file(path: &Path) -> io::Result<Url> {
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
