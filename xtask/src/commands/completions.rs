//! `cargo xtask completions`: what a shell needs to complete the command line.

use anyhow::{Context, Result};
use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use racetrack_composer::shell::print_data;

/// The name that shells complete: `cargo xtask` is an alias, which no shell knows, so the binary itself.
const PROGRAM: &str = "xtask";

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Cli::command().name(PROGRAM).bin_name(PROGRAM);
    clap_complete::generate(args.shell, &mut command, PROGRAM, &mut script);
    print_data(&String::from_utf8(script).context("the script is no text")?)
}
