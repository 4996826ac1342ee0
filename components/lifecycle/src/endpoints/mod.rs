//! The handlers, one module per resource.

#![allow(unused_qualifications, reason = "what utoipa's macros generate is qualified")]

mod account;
pub(crate) mod audit;
pub(crate) mod authorization;
pub(crate) mod deployment;
pub(crate) mod document;
pub(crate) mod esc;
pub(crate) mod health;
pub(crate) mod info;
pub(crate) mod job;
pub(crate) mod job_logs;
pub(crate) mod jobs;
pub(crate) mod maintenance;
pub(crate) mod permission;
pub(crate) mod plugin;
pub(crate) mod plugin_config;
pub(crate) mod proxy;
pub(crate) mod session;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod users;
