//! The commands of plugin authors. `racetrack plugin` and `cargo xtask plugin` both run this code: it does the work and
//! returns what there is to say, and the program prints that.

mod arguments;
mod commands;
mod failure;
mod program;
mod sample;
mod source;

pub use arguments::{BundleArgs, CheckArgs, Format, NewArgs, OutputArgs, PluginCommand};
pub use failure::Failure;
pub use program::Program;
pub use sample::Sample;

use commands::{bundle, check, new};

/// Runs a command and returns what belongs on standard output, without a final newline.
pub fn run(command: &PluginCommand, program: &Program) -> Result<String, Failure> {
    match command {
        PluginCommand::New(args) => new::run(args, program),
        PluginCommand::Bundle(args) => bundle::run(args),
        PluginCommand::Check(args) => check::run(args),
    }
}
