//! The `racetrack` command line.

mod cli;
mod commands;
mod output;
mod sample;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::cli::{Cli, Command, PluginCommand};
use crate::commands::{completions, plugin_bundle, plugin_check, plugin_new};

/// What was asked for could not be done, or has mistakes. Mistakes in the command line itself give 2.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error, cli.format());
            ExitCode::from(FAILURE)
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Completions(args) => completions::run(args),
        Command::Plugin(PluginCommand::New(args)) => plugin_new::run(args),
        Command::Plugin(PluginCommand::Bundle(args)) => plugin_bundle::run(args),
        Command::Plugin(PluginCommand::Check(args)) => plugin_check::run(args),
    }
}
