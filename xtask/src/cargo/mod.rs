//! The only place where cargo builds components: one build per component, and before it a question about the crates where their
//! list is not known. The crates of a vendor folder cargo is asked for elsewhere, in `vendor`: that compiles nothing.

mod command;
mod held_lock;
mod listener;
mod output;
mod process;
mod questions;
mod queue;

pub(crate) use command::{CompileOptions, binary_file, changes, profile_folder};
pub(crate) use held_lock::wait_for_orphans;
pub(crate) use listener::{Complaints, name_and_version};
pub(crate) use process::CompileError;
pub(crate) use questions::{crates, forget, graph, messages};
pub(crate) use queue::{Compiled, Order, compile};
