//! What the tests need from registries, fetched before the first of them runs. Registries fail for a moment now and then, and a test
//! that asks one fails with them.

use racetrack_composer::session::Session;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use racetrack_composer::checkout::Checkout;
use racetrack_composer::shell::Shell;

/// What the tests install with pip: the client that users have, the server of Python jobs in the version that `python3-job-type` asks
/// for, the package that `samples/python-requirements` requires, and what tries requests that the `OpenAPI` document allows and forbids.
const WHEELS: [&str; 4] =
    ["racetrack-client==2.35.1", "racetrack-job-runner==1.18.0", "roman==4.2", "schemathesis==4.32.5"];

/// How long to wait before another attempt.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(20)];

/// Where the tests find what was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Supplies {
    /// A folder of wheels, that pip is to take packages from instead of an index.
    pub(crate) wheels: Option<PathBuf>,
}

impl Supplies {
    /// What was fetched in this checkout, now or earlier.
    pub(crate) fn in_checkout(checkout: &Checkout) -> Self {
        let wheels = wheels(checkout);
        Self { wheels: wheels.is_dir().then_some(wheels) }
    }

    /// Whether everything that the tests install is there.
    pub(crate) fn are_complete(&self) -> bool {
        let files =
            self.wheels.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let names: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        WHEELS.iter().all(|wheel| {
            let (package, version) = wheel.split_once("==").expect("every wheel has a version");
            // Further parts come after the version.
            let prefix = format!("{}-{version}-", package.replace('-', "_"));
            names.iter().any(|name| name.starts_with(&prefix))
        })
    }

    /// Has the programs that a command starts take what was fetched.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.env("CARGO_NET_OFFLINE", "true");
        if let Some(wheels) = &self.wheels {
            command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", wheels);
        }
    }
}

/// Fetches the crates that the lock of a workspace names.
pub(crate) fn fetch_crates(folder: &Path, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    attempt(&format!("the crates of {}", checkout.display(&folder.join("Cargo.lock"))), shell, || {
        let mut command = Command::new(&checkout.cargo);
        command.args(["fetch", "--locked"]).current_dir(folder);
        if checkout.offline {
            command.arg("--offline");
        }
        command
    })
}

/// Puts the wheels into a folder below the target folder.
pub(crate) fn fetch_wheels(session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let folder = wheels(checkout);
    // Without a network they are there already, or the tests say what is missing.
    if !checkout.offline {
        attempt(&WHEELS.join(", "), shell, || {
            let mut command = Command::new(OsStr::new("python3"));
            command.args(["-m", "pip", "wheel", "--quiet", "--wheel-dir"]).arg(&folder).args(WHEELS);
            command
        })?;
    }
    Ok(())
}

fn wheels(checkout: &Checkout) -> PathBuf {
    checkout.root.join("target/wheels")
}

fn attempt(what: &str, shell: &Shell, command: impl Fn() -> Command) -> Result<()> {
    shell.status("Fetching", what);
    for pause in PAUSES.iter().map(Some).chain([None]) {
        let mut command = command();
        let program = command.get_program().to_owned();
        let status = command.status().with_context(|| format!("cannot start {}", program.display()))?;
        if status.success() {
            return Ok(());
        }
        let Some(pause) = pause else {
            break;
        };
        shell.warn(format_args!("cannot fetch {what}; another attempt in {} s", pause.as_secs()));
        thread::sleep(*pause);
    }
    bail!("cannot fetch {what}, after {} attempts; is there a network?", PAUSES.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supplies_are_complete_when_every_wheel_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let supplies = Supplies { wheels: Some(folder.path().to_owned()) };
        assert!(!Supplies::default().are_complete());
        for wheel in ["racetrack_client-2.35.1-py3-none-any.whl", "roman-4.2-py3-none-any.whl"] {
            fs_err::write(folder.path().join(wheel), "").unwrap();
        }
        assert!(!supplies.are_complete());
        for wheel in ["racetrack_job_runner-1.18.0-py3-none-any.whl", "schemathesis-4.32.5-py3-none-any.whl"]
        {
            fs_err::write(folder.path().join(wheel), "").unwrap();
        }
        assert!(supplies.are_complete());
    }

    #[test]
    fn the_wheels_are_what_plugins_and_samples_ask_for() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |path: &str| fs_err::read_to_string(root.join(path)).unwrap();
        for (wheel, path) in WHEELS.iter().zip([
            "tests/src/installed_client.rs",
            "plugins/python3-job-type/src/config.rs",
            "samples/python-requirements/requirements.txt",
            "tests/src/schemathesis.rs",
        ]) {
            let version = wheel.split_once("==").unwrap().1;
            assert!(read(path).contains(version), "{path} does not ask for {wheel}");
        }
    }
}
