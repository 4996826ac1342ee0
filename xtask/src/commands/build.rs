//! `cargo xtask build`: from the declaration to checked binaries in the output folder.

use std::path::Path;

use anyhow::Result;
use racetrack_composer::build::{BuildRequest, Purpose, Selection, build};
use racetrack_composer::session::Session;

use crate::cli::{BuildArgs, SelectionArgs};

/// Builds the declared components, or the selected ones.
pub(crate) fn run(declaration: Option<&Path>, args: &BuildArgs, session: &Session) -> Result<()> {
    build(&request(declaration, args, Purpose::Distribution), session).map(drop)
}

/// The build that the command line asks for.
pub(super) fn request(declaration: Option<&Path>, args: &BuildArgs, purpose: Purpose) -> BuildRequest {
    BuildRequest {
        declaration: declaration.map(Path::to_path_buf),
        selection: selection(&args.selection),
        locked: args.locked,
        frozen: args.frozen,
        vendor: args.vendor.clone(),
        out_dir: args.out_dir.clone(),
        overrides: args.overrides.overrides.clone(),
        purpose,
    }
}

/// What the command line selects.
pub(super) fn selection(args: &SelectionArgs) -> Selection {
    Selection {
        components: args.component.clone(),
        profile: args.profile.clone(),
        target: args.target.clone(),
    }
}
