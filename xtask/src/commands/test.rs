//! `cargo xtask test`: what CI runs, section by section, up to the first failure.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::build::Purpose;
use super::{build, verify};
use crate::checkout::Checkout;
use crate::cli::{BuildArgs, VerifyArgs};
use crate::shell::Shell;

/// Runs every section.
pub(crate) fn run(declaration: Option<&Path>, checkout: &Checkout, shell: &Shell) -> Result<()> {
    let section = |title: &str, environment: &[(&str, &str)], arguments: &[&str]| {
        shell.status("Testing", format_args!("{title}: cargo {}", arguments.join(" ")));
        let mut command = Command::new(&checkout.cargo);
        command.current_dir(&checkout.root).args(arguments).envs(environment.iter().copied());
        if checkout.offline {
            command.env("CARGO_NET_OFFLINE", "true");
        }
        let status = command.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("{title} failed");
        }
        Ok(())
    };
    section("format", &[], &["fmt", "--all", "--check"])?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    section("lints", &[], &clippy)?;
    if has_subcommand(checkout, "nextest") {
        section("tests", &[], &["nextest", "run", "--workspace", "--locked"])?;
    } else {
        section("tests", &[], &["test", "--workspace", "--all-targets", "--locked"])?;
    }
    section("documentation tests", &[], &["test", "--workspace", "--doc", "--locked"])?;
    let deny_warnings = [("RUSTDOCFLAGS", "-D warnings")];
    section("documentation", &deny_warnings, &["doc", "--workspace", "--no-deps", "--locked"])?;
    if has_subcommand(checkout, "deny") {
        section("licences and sources", &[], &["deny", "--workspace", "check"])?;
    } else {
        shell.warn("cargo-deny is not installed, so licences and sources were not checked");
    }
    shell.status("Testing", "build of the declaration");
    let locked = BuildArgs { locked: true, ..BuildArgs::default() };
    build::run(declaration, &locked, Purpose::Distribution, checkout, shell)?;
    shell.status("Testing", "reproducibility of the declaration");
    verify::run(declaration, &VerifyArgs { build: locked, keep: false }, checkout, shell)
}

fn has_subcommand(checkout: &Checkout, name: &str) -> bool {
    let mut command = Command::new(&checkout.cargo);
    command.args([name, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
