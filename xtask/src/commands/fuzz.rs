//! `cargo xtask fuzz`: feeds what reads bytes of strangers with bytes of nobody's making.

use racetrack_composer::session::Session;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;
use fs_err as fs;

use crate::cli::FuzzArgs;
use crate::fuzz_target::{FuzzTarget, Statistics};
use racetrack_composer::checkout::Checkout;
use racetrack_composer::shell::print_data;

/// One input may take so many seconds; more is a fault.
const TIME_LIMIT: u32 = 10;
/// All inputs together may take so many megabytes; more is a fault.
const MEMORY_LIMIT: u32 = 1024;

/// What of libFuzzer's output is shown while it runs.
const SHOWN: [&str; 3] = ["INITED", "pulse", "DONE"];

/// How the report of a fault begins.
const FAILURES: [&str; 3] = ["thread '", "==", "ALARM"];

/// Runs one target or all of them, one after the other, and says what came of each.
pub(crate) fn run(args: &FuzzArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    check_tools(checkout)?;
    let targets = args.target.map_or_else(|| FuzzTarget::value_variants().to_vec(), |target| vec![target]);
    let mut table = String::new();
    let mut faults = Vec::new();
    for target in targets {
        let name = target.name();
        shell.status("Fuzzing", format_args!("`{name}` for {} s", args.seconds));
        let (statistics, is_sound) = run_one(target, args.seconds, session)?;
        let Statistics { executions, coverage } = statistics;
        let verdict = if is_sound { "clean" } else { "fault" };
        writeln!(table, "{name:<16} {executions:>12} executions {coverage:>8} edges  {verdict}")?;
        if !is_sound {
            faults.push(name);
        }
    }
    print_data(&table)?;
    if faults.is_empty() {
        return Ok(());
    }
    bail!(
        "found a fault in {}; the input is in target/fuzz/artifacts. Mend the fault, and keep the input in fuzz/corpus, whose \
         files the tests read",
        faults.join(", ")
    )
}

fn run_one(target: FuzzTarget, seconds: u32, session: &Session) -> Result<(Statistics, bool)> {
    let Session { checkout, shell } = session;
    let name = target.name();
    let work = checkout.root.join("target/fuzz");
    let [found, artifacts] = ["corpus", "artifacts"].map(|kind| work.join(kind).join(&name));
    for folder in [&found, &artifacts] {
        fs::create_dir_all(folder)?;
    }
    let kept = checkout.root.join("fuzz/corpus").join(&name);
    let mut command = cargo_fuzz(checkout);
    // Safe code has no use for sanitizers, and they need a nightly compiler.
    command.args(["run", "--sanitizer", "none", "--fuzz-dir"]).arg(checkout.root.join("fuzz"));
    command.arg("--target-dir").arg(&work).arg(&name).arg(&found).arg(&kept).arg("--");
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={TIME_LIMIT}"),
        format!("-rss_limit_mb={MEMORY_LIMIT}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start `cargo fuzz`")?;
    let output = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut statistics = Statistics::default();
    // Before the first input it is cargo that speaks, and after a fault everything counts.
    let (mut is_running, mut is_failing) = (false, false);
    for line in output.split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        statistics.read(&line);
        is_failing |= is_running && FAILURES.iter().any(|beginning| line.starts_with(beginning));
        if !is_running || is_failing || SHOWN.iter().any(|word| line.contains(word)) {
            shell.text(&line);
        }
        is_running |= line.contains("INITED");
    }
    let status = child.wait().context("cannot wait for `cargo fuzz`")?;
    if !status.success() && statistics.executions == 0 {
        bail!("`cargo fuzz` could not run the target `{name}` ({status})");
    }
    Ok((statistics, status.success()))
}

fn cargo_fuzz(checkout: &Checkout) -> Command {
    let mut command = Command::new(&checkout.cargo);
    command.arg("fuzz").current_dir(&checkout.root);
    if checkout.offline {
        command.env("CARGO_NET_OFFLINE", "true");
    }
    command
}

/// Refuses to begin without what has to be installed by hand.
fn check_tools(checkout: &Checkout) -> Result<()> {
    let is_there = |command: &mut Command| {
        let status = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !is_there(&mut cargo_fuzz(checkout)) {
        bail!("cargo-fuzz is missing; `cargo install cargo-fuzz --locked` installs it");
    }
    let compiler = std::env::var_os("CXX").map_or_else(|| PathBuf::from("c++"), PathBuf::from);
    if !is_there(&mut Command::new(&compiler)) {
        bail!(
            "the C++ compiler `{}` is missing, which compiles libFuzzer; on Debian and Ubuntu `apt-get install g++` installs it",
            compiler.display()
        );
    }
    Ok(())
}
