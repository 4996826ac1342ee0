//! `racetrack completions`: what a shell needs to complete the command line.

use anyhow::{Context, Result};
use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::output;

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "racetrack", &mut script);
    output::line(String::from_utf8(script).context("the script is no text")?.trim_end());
    Ok(())
}
