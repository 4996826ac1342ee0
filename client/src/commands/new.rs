//! `plugin new`: writes a plugin to start from.

use std::io;
use std::path::{Path, PathBuf};

use racetrack_bundle::SourceFile;

use crate::{Failure, NewArgs, Program};

/// Plugins are compared by their bytes, so every checkout has to have the same ones. No part of the plugin itself.
const GIT_ATTRIBUTES: (&str, &str) = (".gitattributes", "* -text\n");

/// Writes the plugin.
pub(crate) fn run(args: &NewArgs, program: &Program) -> Result<String, Failure> {
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(args.name.as_str()));
    if !is_free(&folder)? {
        return Err(Failure::Occupied { folder });
    }
    for SourceFile { path, content } in program.sample.renamed(&args.name)? {
        let path = folder.join(path);
        fs_err::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs_err::write(path, content)?;
    }
    let (path, content) = GIT_ATTRIBUTES;
    fs_err::write(folder.join(path), content)?;
    let name = &args.name;
    Ok(format!(
        "Wrote the plugin `{name}` to {folder}

Next:
  1. Write your hooks in {folder}/src/lib.rs
  2. Declare the plugin in racetrack.toml:
         [[plugin]]
         path = \"{folder}\"
  3. In a Racetrack checkout, add \"{folder}\" to `members` in Cargo.toml, and run its tests:
         cargo test -p {name}
  4. Build Racetrack with it:
         cargo xtask build

To give the plugin to others, run: {program} plugin bundle {folder}",
        folder = folder.display(),
        program = program.name,
    ))
}

/// Whether nothing would be overwritten.
fn is_free(folder: &Path) -> io::Result<bool> {
    match fs_err::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}
