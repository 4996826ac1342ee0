//! Finished binaries in the output folder.

use std::fs::{Metadata, Permissions};
use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::checking::{Candidate, Checked, check, check_again};
use crate::binary::records;
use crate::description::Embedded;
use crate::files;
use crate::plan::PlannedComponent;
use crate::transcript::Speaker;
use crate::workspace::prepare::BuildContext;

/// Puts a binary at its `path` in the output folder, unless it is there already. It has the time of the original, and the
/// content: anybody can set a time. Returns what was checked.
pub(super) fn install(
    binary: &Path,
    path: &Path,
    component: &PlannedComponent,
    embedded: &Embedded,
    speaker: Speaker<'_>,
    context: &BuildContext<'_>,
) -> Result<Checked> {
    let original = fs::metadata(binary)?;
    let time = original.modified().context("cannot tell when the binary was made")?;
    // What is written is what was checked.
    let bytes = fs::read(binary)?;
    let candidate = Candidate { file: binary, bytes: &bytes, component, embedded };
    let is_original = |found: Metadata| {
        found.is_file() && found.len() == original.len() && found.modified().is_ok_and(|found| found == time)
    };
    if fs::metadata(path).is_ok_and(is_original) && fs::read(path)? == bytes {
        return check_again(candidate, speaker, context);
    }
    if path.is_dir() {
        bail!("there is a folder where the binary {} belongs", path.display());
    }
    let out_dir = path.parent().context("a binary is in a folder")?;
    // Each takes about as long as the other: a tenth of a second for a large binary.
    thread::scope(|scope| {
        let checked = scope.spawn(|| check(candidate, out_dir, speaker, context));
        files::replace(path, |temporary| {
            let written = write(temporary, &bytes, original.permissions(), time);
            let checked = checked.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            written?;
            // They speak of the former binary, and the new ones are written after it.
            records::remove(out_dir, &component.declaration.name)?;
            Ok::<_, anyhow::Error>(checked)
        })
    })
}

fn write(path: &Path, content: &[u8], permissions: Permissions, time: SystemTime) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    file.set_permissions(permissions)?;
    file.into_file().set_modified(time)
}
