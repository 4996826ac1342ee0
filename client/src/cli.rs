//! The whole command line.

use clap::{Args, Parser, Subcommand};
use racetrack_client::PluginCommand;

/// What people type to start this program.
pub(crate) const PROGRAM: &str = "racetrack";

/// Works with Racetrack: writes, checks and bundles plugins.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    // The help is that of the type.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print a script that makes a shell complete this command line
    Completions(CompletionsArgs),
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
