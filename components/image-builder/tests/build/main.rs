//! Building jobs through the API, answered by the router in this process.

mod cancellation;
mod context;
mod full_disk;
mod git;
mod harness;
mod hostile_git;
mod recipes;
mod requests;
mod retention;
mod streaming;
