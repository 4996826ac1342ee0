//! `cargo xtask`: the command line of the build system, which is `racetrack-composer`. Only the command line, what each
//! command prints, and the exit codes are decided here.

mod cli;
mod commands;
mod diagnosis;
pub mod exit_code;
mod fuzz_target;
mod testing;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::{
    add, build, check, completions, doctor, fetch, fuzz, gc, inspect, lock as lock_command, outdated,
    plan as plan_command, plugin, remove, schema as schema_command, sizes as sizes_command, test, up, update,
    vendor as vendor_command, verify,
};
use racetrack_composer::checkout::Checkout;
use racetrack_composer::rejected::Rejected;
use racetrack_composer::session::Session;
use racetrack_composer::shell::{Reported, Shell};

/// Reads the command line, does what it says, and reports what came of it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let shell = Shell::new(cli.quiet);
    let Err(error) = run(&cli, &shell) else {
        return ExitCode::from(exit_code::SUCCESS);
    };
    match error.downcast_ref::<Rejected>() {
        Some(Rejected(diagnostics)) => shell.diagnostics(diagnostics),
        None if error.is::<Reported>() => {}
        None => shell.error(&error),
    }
    exit_code::of(&error)
}

fn run(cli: &Cli, shell: &Shell) -> Result<()> {
    let session = &Session { checkout: Checkout::locate(cli.offline)?, shell: shell.clone() };
    let declaration = cli.declaration.as_deref();
    match &cli.command {
        Command::Add(args) => add::run(declaration, args, session),
        Command::Build(args) => build::run(declaration, args, session),
        Command::Check(args) => check::run(declaration, args, session),
        Command::Inspect(args) => inspect::run(args),
        Command::Lock => lock_command::run(declaration, session),
        Command::Outdated(args) => outdated::run(declaration, args, session),
        Command::Plan(args) => plan_command::run(declaration, args, session),
        Command::Plugin(command) => plugin::run(command, &session.checkout),
        Command::Fetch(args) => fetch::run(declaration, args, session),
        Command::Fuzz(args) => fuzz::run(args, session),
        Command::Completions(args) => completions::run(args),
        Command::Schema(args) => schema_command::run(args, session),
        Command::Doctor(args) => doctor::run(declaration, args, session),
        Command::Gc(args) => gc::run(declaration, args, session),
        Command::Test(args) => test::run(declaration, args, session),
        Command::Sizes(args) => sizes_command::run(declaration, args, session),
        Command::Remove(args) => remove::run(declaration, args, session),
        Command::Up(args) => up::run(declaration, args, session),
        Command::Update(args) => update::run(declaration, args, session),
        Command::Vendor(args) => vendor_command::run(declaration, args, session),
        Command::Verify(args) => verify::run(declaration, args, session),
    }
}
