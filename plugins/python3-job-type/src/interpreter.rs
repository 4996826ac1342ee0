//! The Python interpreter of the machine.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use crate::config;

/// The oldest Python that the job runner starts on: it imports `http.HTTPMethod`.
const OLDEST: (u32, u32) = (3, 11);

/// Tells about the interpreter that runs it.
const QUESTION: &str = "import importlib.util, json, sys
parts = ('venv', 'ensurepip')
print(json.dumps({
    'executable': sys.executable,
    'version': sys.version,
    'release': sys.version_info[:2],
    'missing': [name for name in parts if importlib.util.find_spec(name) is None],
}))";

/// An interpreter that virtual environments can be made with.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    /// Its file.
    pub(crate) executable: PathBuf,
    /// Its version with the date and compiler of its build: packages are compiled for exactly that.
    pub(crate) version: String,
}

/// Why there is no interpreter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InterpreterError {
    /// The program could not be started.
    #[error(
        "cannot start `{}`: install Python {}.{} or newer on the machine of image-builder, or name its interpreter \
         by `python` in the configuration of the plugin `python3-job-type`",
        .program.display(), OLDEST.0, OLDEST.1
    )]
    Start { program: PathBuf, source: std::io::Error },
    /// The program did not answer as an interpreter does.
    #[error("`{}` is no Python interpreter: {answer}", .program.display())]
    Answer { program: PathBuf, answer: String },
    /// The interpreter is too old.
    #[error(
        "`{}` is Python {}.{}, and the job runner needs {}.{} or newer: name another interpreter by `python` in the \
         configuration of the plugin `python3-job-type`",
        .program.display(), .release.0, .release.1, OLDEST.0, OLDEST.1
    )]
    TooOld { program: PathBuf, release: (u32, u32) },
    /// Parts of the standard library are not installed.
    #[error(
        "the Python of `{}` lacks the modules {missing}: install them (Debian has them in `python3-venv`)",
        .program.display()
    )]
    Incomplete { program: PathBuf, missing: String },
}

#[derive(Deserialize)]
struct Answer {
    executable: PathBuf,
    version: String,
    release: (u32, u32),
    missing: Vec<String>,
}

impl Interpreter {
    /// Asks the program about itself.
    pub(crate) async fn find(program: &Path) -> Result<Self, InterpreterError> {
        let name = || program.to_owned();
        let mut command = Command::new(program);
        command.args(["-I", "-c", QUESTION]).env_clear().envs(config::passed_on());
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|source| InterpreterError::Start { program: name(), source })?;
        let answer: Answer = match serde_json::from_slice(&output.stdout) {
            Ok(answer) if output.status.success() => answer,
            _ => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                let answer = stderr.lines().last().map_or_else(|| output.status.to_string(), str::to_owned);
                return Err(InterpreterError::Answer { program: name(), answer });
            }
        };
        if answer.release < OLDEST {
            return Err(InterpreterError::TooOld { program: name(), release: answer.release });
        }
        if !answer.missing.is_empty() {
            return Err(InterpreterError::Incomplete { program: name(), missing: answer.missing.join(", ") });
        }
        Ok(Self { executable: answer.executable, version: answer.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn message(program: &str) -> String {
        Interpreter::find(Path::new(program)).await.expect_err(program).to_string()
    }

    #[tokio::test]
    async fn what_is_no_interpreter_is_told_with_the_way_out() {
        let missing = message("no-such-python").await;
        assert!(
            missing.starts_with("cannot start `no-such-python`: install Python 3.11 or newer"),
            "{missing}"
        );
        assert!(message("false").await.starts_with("`false` is no Python interpreter: exit status: 1"));
    }

    #[tokio::test]
    async fn an_old_or_incomplete_interpreter_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = async |answer: &str| {
            let program = folder.path().join("python");
            // Written by a process of its own: a file that is open for writing here, in a child that another test has
            // just forked, could not be started.
            let script = format!("#!/bin/sh\necho '{answer}'\n");
            let mut writer = Command::new("sh");
            writer.args(["-c", r#"printf %s "$1" > "$0" && chmod +x "$0""#]).arg(&program).arg(script);
            assert!(writer.status().await.expect("can be started").success());
            message(program.to_str().expect("is text")).await
        };
        let answer = r#"{"executable": "/p", "version": "v", "release": [3, 9], "missing": []}"#;
        assert!(fake(answer).await.contains("is Python 3.9, and the job runner needs 3.11 or newer"));
        let answer = r#"{"executable": "/p", "version": "v", "release": [3, 12], "missing": ["ensurepip"]}"#;
        assert!(fake(answer).await.contains("lacks the modules ensurepip"));
    }
}
