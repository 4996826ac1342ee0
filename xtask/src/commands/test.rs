//! `cargo xtask test`: what CI runs, section by section. A section that fails does not stop the others.

use racetrack_composer::session::Session;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::{build, verify};
use crate::cli::{BuildArgs, Section, TestArgs, VerifyArgs};
use crate::testing::{self, Isolation, Outcome, SectionReport, Slowest, Supplies};
use racetrack_composer::build::with_locked_workspaces;
use racetrack_composer::sources::load::load;

/// Where nextest puts its report, relative to the checkout.
const REPORT: &str = "target/nextest/ci/junit.xml";

/// What every section runs with.
struct Run<'a> {
    declaration: Option<&'a Path>,
    session: &'a Session,
}

/// Runs the chosen sections, or all, and says what each took.
pub(crate) fn run(declaration: Option<&Path>, args: &TestArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let run = Run { declaration, session };
    let is_chosen = |section: &Section| args.sections.is_empty() || args.sections.contains(section);
    // The tests cannot fetch what they need.
    let lacks_supplies = is_chosen(&Section::Tests) && !Supplies::in_checkout(checkout).are_complete();
    let mut reports = Vec::new();
    for section in Section::ALL {
        let is_needed = section == Section::Supplies && lacks_supplies;
        if !(is_chosen(&section) || is_needed) {
            continue;
        }
        shell.status("Testing", section.title());
        let begin = Instant::now();
        let outcome = run.section(section).unwrap_or_else(|error| {
            shell.error(&error.context(format!("section `{}` failed", section.title())));
            Outcome::Failed
        });
        reports.push(SectionReport { title: section.title(), outcome, time: begin.elapsed() });
    }
    let tested = reports.iter().any(|report| report.title == Section::Tests.title());
    let slowest = if tested { run.slowest() } else { None };
    shell.text(&testing::table(&reports, slowest.as_ref()));
    let failed: Vec<_> = reports.iter().filter(|report| report.outcome == Outcome::Failed).collect();
    match failed.len() {
        0 => Ok(()),
        _ => bail!("failed: {}", failed.iter().map(|report| report.title).collect::<Vec<_>>().join(", ")),
    }
}

impl Run<'_> {
    fn section(&self, section: Section) -> Result<Outcome> {
        match section {
            Section::Format => self.cargo(&["fmt", "--all", "--check"]),
            Section::Supplies => self.fetch(),
            Section::Lints => {
                self.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
            }
            Section::Tests => self.tests(),
            Section::DocumentationTests => self.cargo(&["test", "--workspace", "--doc", "--locked"]),
            Section::Documentation => {
                let mut command = self.command(OsStr::new(&self.session.checkout.cargo), Isolation::None);
                command
                    .args(["doc", "--workspace", "--no-deps", "--locked"])
                    .env("RUSTDOCFLAGS", "-D warnings");
                succeed(&mut command)
            }
            Section::Licences => {
                if !self.has_subcommand("deny") {
                    let missing = "cargo-deny is not installed, so licences and sources were not checked";
                    self.session.shell.warn(missing);
                    return Ok(Outcome::Skipped);
                }
                self.cargo(&["deny", "--workspace", "check"])
            }
            Section::Build => {
                build::run(self.declaration, &locked(), self.session)?;
                Ok(Outcome::Passed)
            }
            Section::Verification => {
                let args = VerifyArgs { build: locked(), keep: false };
                verify::run(self.declaration, &args, self.session)?;
                Ok(Outcome::Passed)
            }
        }
    }

    /// Gets everything from registries that any section needs, so that none of them fails with a registry.
    fn fetch(&self) -> Result<Outcome> {
        let session = self.session;
        testing::fetch_crates(&session.checkout.root, session)?;
        with_locked_workspaces(load(self.declaration, &[], session)?, session, |_, prepared| {
            prepared.iter().try_for_each(|prepared| testing::fetch_crates(&prepared.folder, session))
        })?;
        testing::fetch_wheels(session)?;
        Ok(Outcome::Passed)
    }

    /// All tests, without a network.
    fn tests(&self) -> Result<Outcome> {
        let isolation = testing::isolation();
        if isolation == Isolation::None {
            let message =
                "`unshare --net` is not permitted here, so the tests run with the network of this machine";
            if std::env::var_os("CI").is_some() {
                bail!("{message}, which CI must not");
            }
            self.session.shell.warn(message);
        }
        // Compiled first, so that what a compiler says is not mixed with what tests say.
        let runner: &[&str] = if self.has_subcommand("nextest") {
            &["nextest", "run", "--profile", "ci", "--workspace", "--locked"]
        } else {
            self.session.shell.warn("cargo-nextest is not installed, so the slowest tests are not known");
            &["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast"]
        };
        self.cargo(&[runner, &["--no-run"]].concat())?;
        let report = self.session.checkout.root.join(REPORT);
        if report.exists() {
            // That of an earlier run.
            fs_err::remove_file(report)?;
        }
        let mut command = self.command(OsStr::new(&self.session.checkout.cargo), isolation);
        Supplies::in_checkout(&self.session.checkout).apply(&mut command);
        succeed(command.args(runner))
    }

    /// What nextest reported, if it ran.
    fn slowest(&self) -> Option<Slowest> {
        let path = self.session.checkout.root.join(REPORT);
        if !path.exists() {
            return None;
        }
        let read = Slowest::read(&path);
        read.map_err(|error| self.session.shell.warn(format_args!("{error:#}"))).ok()
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Outcome> {
        succeed(self.command(OsStr::new(&self.session.checkout.cargo), Isolation::None).args(arguments))
    }

    fn command(&self, program: &OsStr, isolation: Isolation) -> Command {
        let mut command = isolation.command(program);
        command.current_dir(&self.session.checkout.root);
        if self.session.checkout.offline {
            command.env("CARGO_NET_OFFLINE", "true");
        }
        command
    }

    fn has_subcommand(&self, name: &str) -> bool {
        let mut command = Command::new(&self.session.checkout.cargo);
        command.args([name, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

fn locked() -> BuildArgs {
    BuildArgs { locked: true, ..BuildArgs::default() }
}

fn succeed(command: &mut Command) -> Result<Outcome> {
    let shown = format!("{} {}", command.get_program().display(), shown(command));
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(Outcome::Passed)
}

fn shown(command: &Command) -> String {
    command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
