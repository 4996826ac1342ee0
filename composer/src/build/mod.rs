//! A build: from a request to checked binaries in the output folder.

mod announcement;
mod checking;
mod compilation;
mod components;
mod failure;
mod installation;
mod locks;
mod output_folder;
mod pipeline;
mod request;
mod selection;
mod workspaces;

pub use compilation::compile_alone;
pub use locks::BuildLocks;
pub use output_folder::OutDirError;
pub use pipeline::{Distribution, build};
pub use request::{BuildRequest, Purpose, RequestError};
pub use selection::Selection;
pub use workspaces::with_locked_workspaces;
