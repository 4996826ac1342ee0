//! `plugin check`: says whether a plugin has mistakes.

use serde::Serialize;

use super::result;
use crate::source::load;
use crate::{CheckArgs, Failure};

/// What `--format json` prints.
#[derive(Serialize)]
struct Checked {
    name: String,
    version: String,
    digest: String,
    files: usize,
}

/// Checks the plugin.
pub(crate) fn run(args: &CheckArgs) -> Result<String, Failure> {
    let source = load(&args.source)?;
    let checked = Checked {
        name: source.manifest.name.to_string(),
        version: source.manifest.version.to_string(),
        files: source.files.len(),
        digest: source.digest,
    };
    let Checked { name, version, digest, files } = &checked;
    let text = format!("{name} {version} has no mistakes\n{files} files, digest {digest}");
    result(text, &checked, args.output.format)
}
