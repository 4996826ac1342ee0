//! Everything lifecycle remembers, in SQLite or PostgreSQL.
//!
//! Open a [`Store`] at a [`DatabaseUrl`]; its methods are the operations, grouped by what they are about:
//!
//! - jobs: [`Store::jobs`] with the [`JobTable`] and its aliases, [`Store::save_job`], [`Store::update_job`],
//!   [`Store::delete_job`], job families, and the memory of deleted versions;
//! - deployments: [`Store::claim_deployment`] and what follows it;
//! - who may do what: users, ESCs, tokens, [`Permission`]s, public endpoints; [`Store::access`] is all of it
//!   in memory;
//! - the audit trail and the settings.
//!
//! Both databases run the same statements from the same migrations, and the same tests.
//!
//! **Invariants.** One process writes: jobs, access and settings are answered from memory, and nobody but
//! this store changes them. All writes go through one connection, one transaction each and one at a time, so
//! that reading a row and writing it back is never interleaved with another write. A write is over when the
//! tables in memory have it: changes of jobs and uses of tokens are made in them; after any other change, and
//! after a commit whose outcome is unknown, they are read again. What is secret (password hashes, the seeds
//! of tokens) has no `Debug` form.
#![warn(missing_docs)]

// From the top floor down: the operations; the store itself; the transactions of its writes; the tables in
// memory; the rows of the database as types, with the statements on them; the connections to the database;
// the errors. A module uses those of lower floors alone.
mod database;
mod error;
mod memory;
mod operations;
mod records;
mod store;
mod transaction;

pub use database::database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use error::{Conflict, NotFound, StoreError};
pub use memory::access_table::AccessTable;
pub use memory::job_table::JobTable;
pub use records::access_request::AccessRequest;
pub use records::audit_event::{AuditEvent, AuditEventType, AuditFilter, NewAuditEvent};
pub use records::deleted_job::DeletedJob;
pub use records::deployment::{Deployment, DeploymentOutcome, DeploymentStatus, NewDeployment};
pub use records::esc::Esc;
pub use records::job::JobRecord;
pub use records::job_family::JobFamily;
pub use records::permission::{JobKey, Permission, may, may_anywhere};
pub use records::public_endpoint::PublicEndpoint;
pub use records::scope::{Scope, UnknownScope};
pub use records::subject::{Subject, SubjectKind};
pub use records::token::{Token, TokenRefusal};
pub use records::user::{PasswordHash, User};
pub use records::visibility::{OwnDoings, ReadableJobs, Visibility};
pub use store::Store;
