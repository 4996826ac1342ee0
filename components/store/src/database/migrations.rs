//! The migrations that bring the tables up to date.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, SqlSafeStr};

use super::database_url::DatabaseUrl;
use crate::error::StoreError;

/// The migrations, oldest first: version, name, statements. A line here is never changed once it was
/// released.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/0001_initial.sql")),
    (2, "solid ground", include_str!("../../migrations/0002_solid_ground.sql")),
    (3, "sessions", include_str!("../../migrations/0003_sessions.sql")),
    (5, "limited texts", include_str!("../../migrations/0005_limited_texts.sql")),
];

/// Brings the tables up to date through a connection for writing.
pub(crate) async fn run(writer: &AnyPool, url: &DatabaseUrl) -> Result<(), StoreError> {
    let migrations = MIGRATIONS.iter().map(|&(version, name, statements)| {
        let statements = statements.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, statements, false)
    });
    let migrated = Migrator::with_migrations(migrations.collect()).run(writer).await;
    migrated.map_err(|source| StoreError::Migrate { database: url.to_string(), source })
}
