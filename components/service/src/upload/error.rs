//! Why a request with a source is not taken, and how that is answered.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;

use super::splitter::RestError;
use crate::{ApiError, StalledBody};

/// When a request that found no room may come again.
const AGAIN_IN: Duration = Duration::from_secs(30);

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// It is larger than one may be.
    #[error(
        "the request is larger than {limit} bytes: leave files out that the job does not need (.dockerignore, .gitignore), fetch the source \
         from git, or have max-request-size raised"
    )]
    TooLarge {
        /// How large one may be, in bytes.
        limit: u64,
    },
    /// What is beside the source is too much.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// There is no room on disk.
    #[error(
        "too many jobs are being deployed at once: the {limit} bytes for sources that are not built yet are taken, and none \
         got free for {} s; try again later, or have max-uploads-size raised", wait.as_secs()
    )]
    DiskFull {
        /// The room for all of them, in bytes.
        limit: u64,
        /// How long room was waited for.
        wait: Duration,
    },
    /// There is no room in memory.
    #[error(
        "too many jobs are being deployed at once: the {limit} bytes of memory for their manifests and variables are taken, \
         and none got free for {} s; try again later", wait.as_secs()
    )]
    MemoryFull {
        /// The room for all of them, in bytes.
        limit: u64,
        /// How long room was waited for.
        wait: Duration,
    },
    /// The body does not come.
    #[error("the body of the request cannot be read")]
    Body(#[source] axum::Error),
    /// The folder cannot take it.
    #[error("cannot keep the source of the job in {}", folder.display())]
    Write {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread that took it apart has ended.
    #[error("a request could not be taken apart")]
    Thread(#[source] tokio::task::JoinError),
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "ValueError", error.to_string())
            }
            UploadError::DiskFull { .. } | UploadError::MemoryFull { .. } => {
                let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyUploads", error.to_string());
                refused.retry_after(AGAIN_IN)
            }
            UploadError::Body(source) if StalledBody::is_cause_of(&source) => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", StalledBody.to_string())
            }
            UploadError::Write { source, .. } if is_full(&source) => {
                let message = format!("cannot keep the source of the job: {source}");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "InsufficientStorage", message)
                    .retry_after(AGAIN_IN)
            }
            UploadError::Rest(_) | UploadError::Body(_) => Self::invalid(error.to_string()),
            UploadError::Write { .. } | UploadError::Thread(_) => Self::internal(error),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
