//! The operations of the store, by what they are about.

mod audit_events;
mod deployments;
mod escs;
mod job_families;
mod jobs;
mod permissions;
mod public_endpoints;
mod retention;
mod sessions;
mod settings;
mod tokens;
mod users;
mod write_check;
