//! The exit codes of `cargo xtask`.
//!
//! | code | constant | when |
//! | --- | --- | --- |
//! | 0 | [`SUCCESS`] | everything that was asked for is done |
//! | 1 | [`FAILURE`] | something is wrong with what was built, or with what was to be built |
//! | 2 | [`USAGE`] | something is wrong with the command line: an argument that does not exist, or that does not fit the declaration |

use std::process::ExitCode;

use racetrack_composer::build::{OutDirError, RequestError};
use racetrack_composer::session::NetworkForbidden;
use racetrack_composer::sources::discovery::AddressError;
use racetrack_composer::sources::overrides::OverrideError;
use racetrack_composer::sources::selection::SelectionError;
use racetrack_composer::vendoring::PlaceError;

/// Everything that was asked for is done.
pub const SUCCESS: u8 = 0;
/// Something is wrong with what was built, or with what was to be built.
pub const FAILURE: u8 = 1;
/// Something is wrong with the command line. The parser of the command line exits with the same code.
pub const USAGE: u8 = 2;

/// The exit code of a command that failed.
pub(crate) fn of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if is_of_the_command_line(error) { USAGE } else { FAILURE })
}

fn is_of_the_command_line(error: &anyhow::Error) -> bool {
    error.is::<SelectionError>()
        || error.is::<RequestError>()
        || error.is::<OverrideError>()
        || error.is::<OutDirError>()
        || error.is::<AddressError>()
        || error.is::<NetworkForbidden>()
        || error.is::<PlaceError>()
}
