//! What is checked of a compiled binary before it is installed.

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::binary::self_report;
use crate::cargo::leak;
use crate::checkout::HOST_TRIPLE;
use crate::description::Embedded;
use crate::plan::PlannedComponent;
use crate::remote::Sha256;
use crate::transcript::Speaker;
use crate::workspace::prepare::BuildContext;

/// A binary that is to be checked.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    /// The file that cargo has written.
    pub(super) file: &'a Path,
    /// Its content.
    pub(super) bytes: &'a [u8],
    /// What was planned.
    pub(super) component: &'a PlannedComponent,
    /// What it has to say about itself.
    pub(super) embedded: &'a Embedded,
}

/// A binary that is what was planned, and what everybody else gets. Nothing else is installed.
#[derive(Debug)]
pub(super) struct Checked {
    digest: Sha256,
}

impl Checked {
    /// The digest of its content.
    pub(super) fn into_digest(self) -> Sha256 {
        self.digest
    }
}

/// Checks a binary that is to go into `out_dir`.
pub(super) fn check(
    candidate: Candidate<'_>,
    out_dir: &Path,
    speaker: Speaker<'_>,
    context: &BuildContext<'_>,
) -> Result<Checked> {
    compare_report(candidate, speaker, context)?;
    let checkout = context.checkout();
    if let Some(leak) = leak::find(candidate.bytes, &leak::needles(checkout)) {
        let origin = leak.origin(&candidate.component.plugins);
        return Err(anyhow!(leak).context(format!(
            "the binary was not put into {}: a path of this machine, from {origin}",
            checkout.display(out_dir)
        )));
    }
    candidate.embedded.check(candidate.bytes)?;
    Ok(Checked { digest: Sha256::of(candidate.bytes) })
}

/// Checks a binary whose bytes are in the output folder already. Only what was checked gets there, so they need no second
/// search.
pub(super) fn check_again(
    candidate: Candidate<'_>,
    speaker: Speaker<'_>,
    context: &BuildContext<'_>,
) -> Result<Checked> {
    compare_report(candidate, speaker, context)?;
    Ok(Checked { digest: Sha256::of(candidate.bytes) })
}

/// Compares what the binary says of its plugins with the plan, where it runs.
fn compare_report(candidate: Candidate<'_>, speaker: Speaker<'_>, context: &BuildContext<'_>) -> Result<()> {
    let Candidate { file, component, embedded, .. } = candidate;
    if context.options.target() == HOST_TRIPLE {
        return self_report::compare(&self_report::ask(file)?, component, embedded);
    }
    let name = &component.declaration.name;
    speaker.warn(format_args!("`{name}` is for another machine, so it was not asked for its plugins"));
    Ok(())
}
