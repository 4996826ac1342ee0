//! Who calls, and what they may do.
//!
//! A request shows a token: a JSON Web Token signed with the key of this lifecycle. The token names a subject; the store
//! knows whether it is still good and what the subject may do. `Authenticator` makes a
//! [`Caller`] of it. [`Access`] is what each route asks of its caller, said where the route is listed. Calls of jobs
//! follow a rule of their own, in `call`.

mod access;
mod attempts;
mod auth_key;
mod authenticator;
mod call;
mod caller;
mod credential;
mod delegation;
mod first_administrator;
mod identifier;
mod json_web_token;
mod live_logs;
mod password;
mod path;
mod recent_readers;
mod refusal;
mod registrations;
mod request_token;
mod standing;
pub(crate) mod user_token;

pub use access::Access;
pub(crate) use access::{Guard, authorize};
pub(crate) use attempts::{Attempts, Purpose};
pub use auth_key::{AuthKey, AuthKeyError};
pub(crate) use authenticator::Authenticator;
pub(crate) use call::{AllowedCall, may_call};
pub use caller::Caller;
pub(crate) use credential::Credential;
pub(crate) use delegation::{check_covers, check_giver};
pub(crate) use first_administrator::FirstAdministratorError;
pub(crate) use first_administrator::ensure as ensure_first_administrator;
pub(crate) use identifier::{check as check_identifier, check_username};
pub use json_web_token::{Claims, InvalidToken};
pub(crate) use live_logs::LogGate;
pub use live_logs::{Admission, LiveLogs};
pub(crate) use password::check as check_password;
pub(crate) use password::{Line, PasswordError, Passwords};
pub(crate) use path::{BuildPath, JobPath};
pub(crate) use recent_readers::RecentReaders;
pub(crate) use refusal::{missing_scope, refused};
pub(crate) use registrations::Registrations;
pub(crate) use request_token::token_in_header;
pub(crate) use standing::{Right, Standing};
