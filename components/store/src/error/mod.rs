//! Why an operation of the store does not happen.

mod conflict;
mod database_error;
mod not_found;
mod store_error;

pub use conflict::Conflict;
pub(crate) use database_error::{is_taken, refers_to_nothing};
pub use not_found::NotFound;
pub use store_error::StoreError;
pub(crate) use store_error::attempt;
