//! What a write changes in the tables in memory.

use std::collections::HashMap;

use crate::records::job::JobRecord;

/// What a write changes in a table in memory.
///
/// What is written often is known in full, and is changed in memory as in the database. After the rest, which
/// is seldom, the next reader reads the table again.
#[derive(Debug)]
pub(crate) enum Change {
    /// These jobs are there now, as they are here.
    JobsSaved(Vec<JobRecord>),
    /// This job is there no more.
    JobRemoved { name: String, version: String },
    /// Tokens were used: their ids and when.
    TokensUsed(HashMap<String, i64>),
    /// Something else about who may do what.
    Access,
    /// Some setting.
    Settings,
}
