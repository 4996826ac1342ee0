//! Plugins that are given another configuration while lifecycle runs, and after it has been started again.

mod harness;
mod job_types;
mod restarting;
mod writing;
