//! The subcommands: each puts together what the other modules offer.

pub(crate) mod add;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod fetch;
pub(crate) mod fuzz;
pub(crate) mod gc;
pub(crate) mod inspect;
pub(crate) mod lock;
pub(crate) mod outdated;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod remove;
pub(crate) mod schema;
pub(crate) mod sizes;
pub(crate) mod test;
pub(crate) mod up;
pub(crate) mod update;
pub(crate) mod vendor;
pub(crate) mod verify;
