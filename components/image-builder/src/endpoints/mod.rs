//! The handlers.

pub(crate) mod build;
pub(crate) mod health;
pub(crate) mod holdings;
