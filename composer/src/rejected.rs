//! Mistakes in what the user wrote, as an error.

use racetrack_bundle::Diagnostics;

/// Mistakes in what the user wrote, as an error.
#[derive(Debug, thiserror::Error)]
#[error("the declaration cannot be built")]
pub struct Rejected(pub Diagnostics);
