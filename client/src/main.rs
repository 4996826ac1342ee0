//! The `racetrack` command line.

mod carried;
mod cli;
mod completions;
mod output;

use std::process::ExitCode;

use clap::Parser as _;
use racetrack_client::{Program, Sample};

use crate::cli::{Cli, Command, PROGRAM};

/// What was asked for could not be done, or has mistakes. Mistakes in the command line itself give 2.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let program = Program { name: PROGRAM, sample: Sample::Carried(carried::FILES) };
    match &Cli::parse().command {
        Command::Completions(args) => output::line(&completions::script(args)),
        Command::Plugin(command) => match racetrack_client::run(command, &program) {
            Ok(text) => output::line(&text),
            Err(failure) => {
                output::failure(&failure, command.format());
                return ExitCode::from(FAILURE);
            }
        },
    }
    ExitCode::SUCCESS
}
