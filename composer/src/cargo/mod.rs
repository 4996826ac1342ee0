//! The only place where cargo builds components: one build per component, and before it a question about the crates where their
//! list is not known. The crates of a vendor folder cargo is asked for elsewhere, in `vendor`: that compiles nothing.

pub mod blame;
mod command;
mod configuration;
pub mod crates;
pub mod environment;
mod held_lock;
pub mod leak;
mod listener;
mod output;
mod process;
mod questions;
mod queue;

pub use command::{CompileOptions, binary_file, changes, profile_folder};
pub use configuration::cargo_configuration_files;
pub use held_lock::wait_for_orphans;
pub use listener::{Complaints, name_and_version};
pub use process::CompileError;
pub use questions::{crates, forget, graph, messages};
pub use queue::{BuildOutput, Order, compile};
