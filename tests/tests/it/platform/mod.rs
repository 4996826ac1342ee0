//! The whole platform, from `job.yaml` to an answer, with the client that users have.
//!
//! All tests share one build, but each starts components of its own.

mod builds;
mod client_session;
mod distribution;
mod hooks;
mod jobs;
mod openapi;
mod public_endpoint;
mod refusals;
mod requirements;
mod secrets;
mod transcript;
