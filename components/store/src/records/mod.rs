//! Records: the rows of each table as types, and the statements on one table. They know connections, and no
//! store.

pub(crate) mod access_request;
pub(crate) mod audit_event;
pub(crate) mod build_log;
pub(crate) mod deleted_job;
pub(crate) mod deployment;
pub(crate) mod deployment_row;
pub(crate) mod deployment_warnings;
pub(crate) mod esc;
pub(crate) mod job;
pub(crate) mod job_columns;
pub(crate) mod job_family;
pub(crate) mod job_row;
pub(crate) mod permission;
pub(crate) mod public_endpoint;
pub(crate) mod row;
pub(crate) mod scope;
pub(crate) mod setting;
pub(crate) mod subject;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod visibility;
pub(crate) mod write_check_row;
