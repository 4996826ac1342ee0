//! Where the binaries of a build go.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::request::{BuildRequest, Purpose};
use crate::checkout::Checkout;
use crate::declaration::{Declaration, OutDirRefusal, check_out_dir, normal};

/// An output folder that would overwrite something.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `--out-dir {path}`")]
pub struct OutDirError {
    /// The path given.
    pub path: String,
    /// Why it cannot be used.
    #[source]
    pub refusal: OutDirRefusal,
}

/// The folder for the binaries, absolute.
pub(super) fn out_dir(
    request: &BuildRequest,
    declaration: &Declaration,
    checkout: &Checkout,
) -> Result<PathBuf> {
    let Some(given) = &request.out_dir else {
        return Ok(match request.purpose {
            Purpose::Distribution => declaration.out_dir.clone(),
            Purpose::FirstLook => declaration.state().join("up"),
        });
    };
    let absolute = normal(&std::path::absolute(given).context("cannot find the current folder")?);
    let refused = |refusal| OutDirError { path: given.display().to_string(), refusal };
    check_out_dir(&absolute, declaration, checkout).map_err(refused)?;
    Ok(absolute)
}
