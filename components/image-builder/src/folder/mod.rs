//! Folders as a whole: their copies, digests and removal, and whether they can be written.

pub(crate) mod check;
pub(crate) mod digest;
pub(crate) mod removal;
pub(crate) mod tree;
