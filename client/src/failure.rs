//! Why a command failed.

use std::error::Error;
use std::path::PathBuf;
use std::{io, iter};

use racetrack_bundle::writer::WriteError;
use racetrack_bundle::{DiagnosticRecord, Diagnostics};
use serde_json::json;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The plugin has mistakes.
    #[error("the plugin has mistakes")]
    Rejected(Diagnostics),
    /// There is a bundle where a folder belongs.
    #[error("`{}` is a bundle already; name the plugin's folder", path.display())]
    Bundled {
        /// The path given.
        path: PathBuf,
    },
    /// A new plugin would overwrite something.
    #[error("`{}` is there already and not empty; name another folder with `--dir`", folder.display())]
    Occupied {
        /// The folder to write.
        folder: PathBuf,
    },
    /// A path that leads nowhere.
    #[error("cannot find `{}`", path.display())]
    Path {
        /// The path given.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The current folder is gone.
    #[error("cannot find the current folder")]
    CurrentFolder(#[source] io::Error),
    /// A file or a folder, which the error names, cannot be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The bundle cannot be made or saved.
    #[error(transparent)]
    Bundle(#[from] WriteError),
    /// The result has no JSON form.
    #[error("cannot write the result as JSON")]
    Json(#[source] serde_json::Error),
}

impl Failure {
    /// The one JSON document that scripts find on standard output.
    pub fn document(&self) -> String {
        let document = match self {
            Self::Rejected(diagnostics) => {
                let records: Vec<_> = diagnostics.0.iter().map(DiagnosticRecord::from).collect();
                json!({ "diagnostics": records })
            }
            _ => json!({ "error": self.sentence() }),
        };
        format!("{document:#}")
    }

    /// The whole chain of errors in one line.
    pub fn sentence(&self) -> String {
        let chain = iter::successors(Some(self as &dyn Error), |&error| error.source());
        chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_read_every_cause_in_one_document() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the path is empty");
        let failure = Failure::Path { path: PathBuf::new(), source };
        assert_eq!(failure.document(), "{\n  \"error\": \"cannot find ``: the path is empty\"\n}");
    }
}
