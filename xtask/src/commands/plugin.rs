//! `cargo xtask plugin`: the commands of plugin authors, which `racetrack-client` carries out. They need no declaration.

use anyhow::Result;
use racetrack_client::{Failure, Format, PluginCommand, Program, Sample};

use crate::cli::PROGRAM;
use racetrack_composer::checkout::Checkout;
use racetrack_composer::rejected::Rejected;
use racetrack_composer::shell::{Reported, print_data};

/// The plugin that new ones are made from, in the checkout.
const SAMPLE: &str = "plugin_sample";

/// Runs the command and prints its result. Scripts find failures where they look for results.
pub(crate) fn run(command: &PluginCommand, checkout: &Checkout) -> Result<()> {
    // Compiled into this program, the sample would have it compiled anew with each of its edits.
    let sample = Sample::Folder(checkout.root.join(SAMPLE));
    match racetrack_client::run(command, &Program { name: PROGRAM, sample }) {
        Ok(text) => print_data(&(text + "\n")),
        Err(failure) if command.format() == Format::Json => {
            print_data(&(failure.document() + "\n"))?;
            Err(Reported.into())
        }
        Err(Failure::Rejected(diagnostics)) => Err(Rejected(diagnostics).into()),
        Err(failure) => Err(failure.into()),
    }
}
