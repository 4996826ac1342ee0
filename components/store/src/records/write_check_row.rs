//! The row that a check writes, to see whether writes succeed.

use sqlx::Error;

use crate::database::limited_connection::LimitedConnection;

/// Replaces the text in the row, which has no meaning.
pub(crate) async fn save(connection: &mut LimitedConnection, filler: &str) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO write_checks (id, filler) VALUES (1, $1) \
                          ON CONFLICT (id) DO UPDATE SET filler = excluded.filler";
    sqlx::query(UPSERT).bind(filler.to_owned()).execute(connection).await.map(drop)
}
