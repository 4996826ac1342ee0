//! The database: where it is, the connections to it, and what keeps others from writing.

pub(crate) mod clock;
pub(crate) mod database_url;
pub(crate) mod exclusion;
pub(crate) mod lease;
pub(crate) mod limited_connection;
pub(crate) mod lock_file;
pub(crate) mod migrations;
pub(crate) mod pooler;
pub(crate) mod pools;
pub(crate) mod reader;
pub(crate) mod statement;
pub(crate) mod writer;
