//! Everything lifecycle remembers, in SQLite or PostgreSQL.
//!
//! Open a [`Store`] at a [`DatabaseUrl`]; its methods are the operations, grouped by what they are about:
//!
//! - jobs: [`Store::jobs`] with the [`JobTable`] and its aliases, [`Store::save_job`], [`Store::update_job`],
//!   [`Store::delete_job`], job families, and the memory of deleted versions;
//! - deployments: [`Store::claim_deployment`] and what follows it;
//! - who may do what: users, ESCs, tokens, [`Permission`]s, public endpoints; [`Store::access`] is all of it in memory;
//! - the audit trail and the settings.
//!
//! Both databases run the same statements from the same migrations, and the same tests.
//!
//! **Invariants.** One process writes: jobs, access and settings are answered from memory, and nobody but this store
//! changes them. All writes go through one connection, one transaction each and one at a time, so that reading a row
//! and writing it back is never interleaved with another write. A write is over when the tables in memory have it:
//! changes of jobs and uses of tokens are made in them; after any other change, and after a commit whose outcome is
//! unknown, they are read again. What is secret (password hashes, the seeds of tokens) has no `Debug` form.
#![warn(missing_docs)]

mod access;
mod alias;
mod audit;
mod cache;
mod clock;
mod database;
mod database_url;
mod deployment;
mod error;
mod esc;
mod job;
mod job_family;
mod job_row;
mod job_table;
mod lease;
mod limited;
mod lock_file;
mod memory;
mod permission;
mod pooler;
mod public_endpoint;
mod retention;
mod row;
mod scope;
mod session;
mod setting;
mod store;
mod subject;
mod token;
mod user;
mod visibility;
mod warnings;
mod write_check;
mod writer;

pub use access::AccessTable;
pub use audit::{AuditEvent, AuditEventType, AuditFilter, NewAuditEvent};
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use deployment::{Deployment, DeploymentOutcome, DeploymentStatus, NewDeployment};
pub use error::{Conflict, NotFound, StoreError};
pub use esc::Esc;
pub use job::{DeletedJob, JobRecord};
pub use job_family::JobFamily;
pub use job_table::JobTable;
pub use permission::{AccessRequest, JobKey, Permission, may, may_anywhere};
pub use public_endpoint::PublicEndpoint;
pub use scope::{Scope, UnknownScope};
pub use store::Store;
pub use subject::{Subject, SubjectKind};
pub use token::{Token, TokenRefusal};
pub use user::{PasswordHash, User};
pub use visibility::{OwnDoings, ReadableJobs, Visibility};
