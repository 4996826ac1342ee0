//! `cargo xtask`: composes the plugins that `racetrack.toml` declares into one binary per component.
//!
//! A build goes through `load` (disk to typed values), `plan` (decisions, pure), `generate` (text, pure),
//! `output` (writes what changed), `cargo` (one call per component), the checks of the finished binary
//! (`self_report`, `description`, `leak`, `lock`) and the output folder, where `records` of it are put beside the
//! binary; `lockfile` says whether that is what was accepted. Only `shell` prints.

mod blame;
mod cargo;
mod checkout;
mod cli;
mod codes;
mod commands;
mod component_build;
mod constraint;
mod crates;
mod declaration;
mod description;
mod diagnosis;
mod draft;
mod edit;
mod environment;
mod explain;
mod file_lock;
mod fingerprint;
mod fuzz_target;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod garbage;
mod generate;
mod graph;
mod implementation;
mod leak;
mod load;
mod lock;
mod lockfile;
mod members;
mod order;
mod output;
mod overrides;
mod plan;
mod plan_view;
mod prepare;
mod provenance;
mod quantity;
mod records;
mod remote;
mod sbom;
mod schema;
mod sections;
mod self_report;
mod shell;
mod sizes;
mod source_argument;
mod store_use;
mod testing;
mod transcript;
mod vendor;
mod verification;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::checkout::Checkout;
use crate::cli::{Cli, Command};
use crate::commands::build::Purpose;
use crate::commands::{
    UsageError, add, build, check, completions, doctor, fetch, fuzz, gc, inspect, lock as lock_command,
    outdated, plan as plan_command, plugin, remove, schema as schema_command, sizes as sizes_command, test,
    up, update, vendor as vendor_command, verify,
};
use crate::load::Rejected;
use crate::shell::{Reported, Shell};

/// Something is wrong with what was built or with what was to be built.
const FAILURE: u8 = 1;
/// Something is wrong with the command line.
const USAGE: u8 = 2;

/// Reads the command line, does what it says, and reports what came of it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let shell = Shell::new(cli.quiet);
    let Err(error) = run(&cli, &shell) else {
        return ExitCode::SUCCESS;
    };
    match error.downcast_ref::<Rejected>() {
        Some(Rejected(diagnostics)) => shell.diagnostics(diagnostics),
        None if error.is::<Reported>() => {}
        None => shell.error(&error),
    }
    ExitCode::from(if error.is::<UsageError>() { USAGE } else { FAILURE })
}

fn run(cli: &Cli, shell: &Shell) -> Result<()> {
    let checkout = Checkout::locate(cli.offline)?;
    let declaration = cli.declaration.as_deref();
    match &cli.command {
        Command::Add(args) => add::run(declaration, args, &checkout, shell),
        Command::Build(args) => {
            build::run(declaration, args, Purpose::Distribution, &checkout, shell).map(drop)
        }
        Command::Check(args) => check::run(declaration, args, &checkout, shell),
        Command::Inspect(args) => inspect::run(args),
        Command::Lock => lock_command::run(declaration, &checkout, shell),
        Command::Outdated(args) => outdated::run(declaration, args, &checkout, shell),
        Command::Plan(args) => plan_command::run(declaration, args, &checkout, shell),
        Command::Plugin(command) => plugin::run(command, &checkout),
        Command::Fetch(args) => fetch::run(declaration, args, &checkout, shell),
        Command::Fuzz(args) => fuzz::run(args, &checkout, shell),
        Command::Completions(args) => completions::run(args),
        Command::Schema(args) => schema_command::run(args, &checkout, shell),
        Command::Doctor(args) => doctor::run(declaration, args, &checkout, shell),
        Command::Gc(args) => gc::run(declaration, args, &checkout, shell),
        Command::Test(args) => test::run(declaration, args, &checkout, shell),
        Command::Sizes(args) => sizes_command::run(declaration, args, &checkout, shell),
        Command::Remove(args) => remove::run(declaration, args, &checkout, shell),
        Command::Up(args) => up::run(declaration, args, &checkout, shell),
        Command::Update(args) => update::run(declaration, args, &checkout, shell),
        Command::Vendor(args) => vendor_command::run(declaration, args, &checkout, shell),
        Command::Verify(args) => verify::run(declaration, args, &checkout, shell),
    }
}
