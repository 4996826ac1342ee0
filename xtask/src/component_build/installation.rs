//! Finished binaries in the output folder.

use std::fs::{Metadata, Permissions};
use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;

use crate::checkout::HOST_TRIPLE;
use crate::description::Embedded;
use crate::plan::PlannedComponent;
use crate::prepare::Site;
use crate::remote::Sha256;
use crate::transcript::Speaker;
use crate::{leak, output, records, self_report};

/// Puts a binary at its `path` in the output folder, unless it is there already. Only binaries that describe themselves and hold no
/// paths of this machine get there, so what is there already needs no second search. It has the time of the original, and the
/// content: anybody can set a time. Returns the digest of its content.
pub(super) fn install(
    binary: &Path,
    path: &Path,
    component: &PlannedComponent,
    embedded: &Embedded,
    speaker: Speaker<'_>,
    site: &Site<'_>,
) -> Result<Sha256> {
    let original = fs::metadata(binary)?;
    let time = original.modified().context("cannot tell when the binary was made")?;
    // What is written is what was checked.
    let content = fs::read(binary)?;
    let is_original = |found: Metadata| {
        found.is_file() && found.len() == original.len() && found.modified().is_ok_and(|found| found == time)
    };
    if fs::metadata(path).is_ok_and(is_original) && fs::read(path)? == content {
        ask(binary, component, embedded, speaker, site)?;
        return Ok(Sha256::of(&content));
    }
    if path.is_dir() {
        bail!("there is a folder where the binary {} belongs", path.display());
    }
    let out_dir = path.parent().context("a binary is in a folder")?;
    // Each takes about as long as the other: a tenth of a second for a large binary.
    thread::scope(|scope| {
        let checked = scope.spawn(|| {
            ask(binary, component, embedded, speaker, site)?;
            check(&content, component, out_dir, embedded, site)?;
            Ok::<_, anyhow::Error>(Sha256::of(&content))
        });
        output::replace(path, |temporary| {
            let written = write(temporary, &content, original.permissions(), time);
            let digest = checked.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            written?;
            // They speak of the former binary, and the new ones are written after it.
            records::remove(out_dir, &component.declaration.name)?;
            Ok::<_, anyhow::Error>(digest)
        })
    })
}

fn write(path: &Path, content: &[u8], permissions: Permissions, time: SystemTime) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    file.set_permissions(permissions)?;
    file.into_file().set_modified(time)
}

/// Refuses a binary that is not what was planned, or not what everybody else gets.
fn check(
    content: &[u8],
    component: &PlannedComponent,
    out_dir: &Path,
    embedded: &Embedded,
    site: &Site<'_>,
) -> Result<()> {
    let checkout = site.checkout;
    if let Some(leak) = leak::find(content, &leak::needles(checkout)) {
        let origin = leak.origin(&component.plugins);
        return Err(anyhow!(leak).context(format!(
            "the binary was not put into {}: a path of this machine, from {origin}",
            checkout.display(out_dir)
        )));
    }
    embedded.check(content)
}

/// Compares what the binary says of its plugins with the plan, where it runs.
fn ask(
    binary: &Path,
    component: &PlannedComponent,
    embedded: &Embedded,
    speaker: Speaker<'_>,
    site: &Site<'_>,
) -> Result<()> {
    if site.options.target() == HOST_TRIPLE {
        return self_report::compare(&self_report::ask(binary)?, component, embedded);
    }
    let name = &component.declaration.name;
    speaker.warn(format_args!("`{name}` is for another machine, so it was not asked for its plugins"));
    Ok(())
}
