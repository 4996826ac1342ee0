//! `cargo xtask verify`: a second build, from a copy under other circumstances, gives the same bytes.

use std::path::Path;

use anyhow::Result;
use racetrack_composer::build::Purpose;
use racetrack_composer::session::Session;
use racetrack_composer::verification::{Remains, verify};

use super::build::request;
use crate::cli::VerifyArgs;

/// Builds the declared components, or the selected ones, twice and compares the binaries.
pub(crate) fn run(declaration: Option<&Path>, args: &VerifyArgs, session: &Session) -> Result<()> {
    let remains = if args.keep { Remains::Copies } else { Remains::Nothing };
    verify(&request(declaration, &args.build, Purpose::Distribution), remains, session)
}
