//! The tables in memory. They are read through a pool, and know no store.

pub(crate) mod access_table;
pub(crate) mod cache;
pub(crate) mod change;
pub(crate) mod job_table;
pub(crate) mod settings;
pub(crate) mod tables;
pub(crate) mod version_alias;
