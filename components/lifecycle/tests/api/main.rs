//! The API of lifecycle, answered by the router in this process.

mod audit;
mod authorization;
mod calls;
mod conformance;
mod delegation;
mod document;
mod escs;
mod harness;
mod hostile_pages;
mod hostile_paths;
mod hostile_tokens;
mod hostile_users;
mod live_connections;
mod origins;
mod permissions;
mod plugins;
mod private_files;
mod sessions;
mod tokens;
mod users;
