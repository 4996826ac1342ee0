//! `cargo xtask vendor`: everything a build needs that is not in the checkout, in one folder.

use std::path::Path;

use anyhow::Result;
use racetrack_composer::quantity::counted;
use racetrack_composer::session::Session;
use racetrack_composer::vendoring::{Vendored, vendor};

use crate::cli::VendorArgs;

/// Makes the folder, and says what it holds.
pub(crate) fn run(declaration: Option<&Path>, args: &VendorArgs, session: &Session) -> Result<()> {
    let Vendored { folder, contents } = vendor(declaration, &args.folder, session)?;
    let crates = counted(contents.crates, "crate");
    let sources = counted(contents.plugins, "plugin source");
    let (shown, digest) = (session.checkout.display(&folder), contents.digest);
    let message = format_args!("{shown}: {crates} and {sources}; SHA-256 of its checksums {digest}");
    session.shell.status("Finished", message);
    Ok(())
}
