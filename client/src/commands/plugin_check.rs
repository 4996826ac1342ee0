//! `racetrack plugin check`: says whether a plugin has mistakes.

use anyhow::Result;
use serde::Serialize;

use super::load;
use crate::cli::CheckArgs;
use crate::output;

/// What `--format json` prints.
#[derive(Serialize)]
struct Checked {
    name: String,
    version: String,
    digest: String,
    files: usize,
}

pub(crate) fn run(args: &CheckArgs) -> Result<()> {
    let source = load(&args.source)?;
    let checked = Checked {
        name: source.manifest.name.to_string(),
        version: source.manifest.version.to_string(),
        files: source.files.len(),
        digest: source.digest,
    };
    let Checked { name, version, digest, files } = &checked;
    let text = format!("{name} {version} has no mistakes\n{files} files, digest {digest}");
    Ok(output::result(&text, &checked, args.output.format)?)
}
