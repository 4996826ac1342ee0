//! `racetrack completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs, PROGRAM};

/// The script, without a final newline.
pub(crate) fn script(args: &CompletionsArgs) -> String {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), PROGRAM, &mut script);
    let script = String::from_utf8(script).expect("names and help are text");
    script.trim_end().to_owned()
}
