//! What `cargo xtask` starts: compiles the build system where it changed, says so, and hands over to it.
//!
//! Cargo alone would do, in silence: an alias either hides that a minute of compiling has begun, or repeats two lines before the
//! output of every command. And with the dependencies of the build system it takes cargo half as long again to see that nothing
//! has changed, on every command.

mod inputs;
mod stamp;
mod watched;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::inputs::{Inputs, package_name};

/// The binary of the build system, and its package.
const NAME: &str = "xtask";

/// The same as what the build system gives for a failure.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    match launch(&arguments) {
        Ok(code) => code,
        Err(message) => {
            say(&format!("error: {message}"));
            ExitCode::from(FAILURE)
        }
    }
}

fn launch(arguments: &[OsString]) -> Result<ExitCode, String> {
    let own = env::current_exe().map_err(|error| format!("the launcher cannot find itself: {error}"))?;
    let folder = own.parent().ok_or("the launcher is in no folder")?;
    let root = root()?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let binary = folder.join(NAME).with_extension(env::consts::EXE_EXTENSION);
    let before = Inputs::read(&binary, &root, &cargo);
    let known = stamp::read(&binary);
    if before.is_none() || before != known {
        build(arguments, &binary, &root, &cargo, before.as_ref(), known.as_ref())?;
    }
    hand_over(&binary, arguments, &root)
}

/// The checkout: `cargo run` says where this package is now.
fn root() -> Result<PathBuf, String> {
    let folder = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&folder).ancestors().nth(2).map(Path::to_owned);
    root.filter(|root| root.join("xtask/Cargo.toml").is_file())
        .ok_or_else(|| format!("{} is not in a checkout of Racetrack", folder.display()))
}

fn build(
    arguments: &[OsString],
    binary: &Path,
    root: &Path,
    cargo: &OsStr,
    before: Option<&Inputs>,
    known: Option<&Inputs>,
) -> Result<(), String> {
    let is_quiet = arguments.iter().any(|argument| argument == "--quiet" || argument == "-q");
    if !is_quiet {
        say_what_happens(binary.exists());
    }
    let run = |subcommand: &str, rest: &[OsString]| {
        let mut command = Command::new(cargo);
        command.arg(subcommand).args(configuration(arguments)).args(rest).current_dir(root);
        if is_quiet {
            command.arg("--quiet");
        }
        let status = watched::run(&mut command);
        let status = status.map_err(|error| format!("cannot run {}: {error}", cargo.display()))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("`cargo {subcommand}` of the build system failed"))
        }
    };
    // Cargo goes by the times of files, so it has to forget crates that changed without a newer file.
    if let (Some(before), Some(known)) = (before, known) {
        for folder in before.hidden_changes(known, stamp::time(binary)) {
            run("clean", &["--package".into(), package_name(&folder)?.into()])?;
        }
    }
    run("build", &["--package".into(), NAME.into()])?;
    // What was edited meanwhile may or may not have been compiled: then there is no stamp, and the next command asks again.
    let after =
        Inputs::read(binary, root, cargo).filter(|after| before.is_none_or(|before| before.agrees(after)));
    match after {
        Some(after) => stamp::write(binary, &after),
        None => stamp::remove(binary),
    }
}

/// A build from a vendor folder takes the crates of the build system from it as well.
fn configuration(arguments: &[OsString]) -> Vec<OsString> {
    let mut folder = None;
    for (argument, next) in arguments.iter().zip(arguments.iter().skip(1).map(Some).chain([None])) {
        if argument == "--vendor" {
            folder = next.cloned();
        } else if let Some(value) = argument.to_str().and_then(|text| text.strip_prefix("--vendor=")) {
            folder = Some(value.into());
        }
    }
    let Some(folder) = folder else {
        return Vec::new();
    };
    // Relative to the caller's folder, where cargo is not started.
    let file = env::current_dir().unwrap_or_default().join(folder).join("cargo/config.toml");
    if file.is_file() { vec!["--config".into(), file.into()] } else { Vec::new() }
}

fn say_what_happens(exists: bool) {
    let what = if exists {
        "the build system, which has changed"
    } else {
        "the build system first, about one minute on two cores"
    };
    let verb = format!("{:>12}", "Compiling");
    if std::io::stderr().is_terminal() {
        say(&format!("\u{1b}[1;32m{verb}\u{1b}[0m {what}"));
    } else {
        say(&format!("{verb} {what}"));
    }
}

fn say(text: &str) {
    // There is nowhere left to say that standard error is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn hand_over(binary: &Path, arguments: &[OsString], root: &Path) -> Result<ExitCode, String> {
    let mut command = Command::new(binary);
    command.args(arguments).env("CARGO_MANIFEST_DIR", root.join(NAME));
    let failed = |error| format!("cannot start {}: {error}", binary.display());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;

        // Returns only when it failed.
        Err(failed(command.exec()))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().map_err(failed)?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(FAILURE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_taken_from_the_vendor_folder_of_the_command() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cargo")).unwrap();
        std::fs::write(folder.path().join("cargo/config.toml"), "").unwrap();
        let shown = folder.path().to_str().unwrap();
        let configured = |arguments: &[&str]| {
            configuration(&arguments.iter().map(OsString::from).collect::<Vec<_>>()).len()
        };
        assert_eq!(configured(&["build", "--vendor", shown]), 2);
        assert_eq!(configured(&["build", &format!("--vendor={shown}"), "--frozen"]), 2);
        assert_eq!(configured(&["build", "--vendor"]), 0);
        assert_eq!(configured(&["vendor", shown]), 0);
        assert_eq!(configured(&["build", "--vendor", "/nowhere"]), 0);
    }
}
