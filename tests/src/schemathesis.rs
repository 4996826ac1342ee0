//! schemathesis, from `PyPI`: makes requests that an `OpenAPI` document allows, and others that it forbids, and checks the answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Finished, checkout, python_package};

/// The package and its version.
const PACKAGE: &str = "schemathesis==4.32.5";

/// The program.
pub struct Schemathesis(PathBuf);

/// What to try.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// Where the document is: an address or a file.
    pub document: &'a str,
    /// The address of the server, if the document does not say it.
    pub url: Option<&'a str>,
    /// The token to show in each request.
    pub token: Option<&'a str>,
    /// The operations, by their ids.
    pub operations: Operations<'a>,
    /// How many examples there are of each, besides those at the edges of what is allowed.
    pub examples: usize,
    /// The folder for what it writes.
    pub folder: &'a Path,
}

/// Which operations to try.
#[derive(Clone, Copy, Debug)]
pub enum Operations<'a> {
    /// All but these.
    AllBut(&'a [&'a str]),
    /// This one.
    One(&'a str),
}

impl Schemathesis {
    /// The program, which is installed below `tools` unless it is there already.
    ///
    /// # Panics
    /// When it cannot be installed; the panic says what that takes.
    pub fn new(tools: &Path) -> Self {
        Self(python_package::install(PACKAGE, "schemathesis", tools))
    }

    /// Runs a trial. It succeeds when every answer is one that the document has.
    pub fn run(&self, trial: &Trial<'_>) -> Finished {
        let mut command = Command::new(&self.0);
        let config = checkout().join("tests/fixtures/schemathesis.toml");
        command.arg("--config-file").arg(config).args(["run", trial.document, "--no-color"]);
        command.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--seed", "1"]);
        command.args(["--generation-database", "none", "--warnings", "off", "--request-timeout", "120"]);
        command.args(["--max-examples", &trial.examples.to_string()]);
        if let Some(url) = trial.url {
            command.args(["--url", url]);
        }
        if let Some(token) = trial.token {
            command.args(["--header", &format!("X-Racetrack-Auth: {token}")]);
        }
        match trial.operations {
            Operations::AllBut(names) => {
                for name in names {
                    command.args(["--exclude-operation-id", name]);
                }
            }
            Operations::One(name) => {
                command.args(["--include-operation-id", name]);
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("LANG", "C.UTF-8").env("HOME", trial.folder);
        Finished::run(command.current_dir(trial.folder))
    }
}
