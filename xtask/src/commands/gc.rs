//! `cargo xtask gc`: removes from `.racetrack/` what no build needs any more.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::{Result, bail};

use crate::cli::GcArgs;
use racetrack_composer::declaration::Declaration;
use racetrack_composer::garbage::{self, Rule};
use racetrack_composer::quantity::{counted, shown_bytes};
use racetrack_composer::rejected::Rejected;
use racetrack_composer::sources::store_use;

/// Removes the garbage, or says what would be removed.
pub(crate) fn run(declaration: Option<&Path>, args: &GcArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let declaration = Declaration::load(&checkout.declaration(declaration), checkout).map_err(Rejected)?;
    let rule = if args.all { Rule::All } else { Rule::unused_for(args.older_than) };
    garbage::refuse_links(&declaration, checkout)?;
    let store = checkout.store();
    if !store.exists() && !declaration.state().exists() {
        shell.status("Finished", "nothing was ever built here");
        return Ok(());
    }
    let Some(_alone) = store_use::seize(&store)? else {
        bail!("a build of this checkout is running; run `cargo xtask gc` again when it has finished");
    };
    let found = garbage::find(&declaration, checkout, rule)?;
    let verb = if args.dry_run { "Unneeded" } else { "Removing" };
    for garbage in &found {
        let (path, bytes) = (checkout.display(&garbage.path), shown_bytes(garbage.bytes));
        shell.status(verb, format_args!("{path} ({bytes}, {})", garbage.reason));
        if !args.dry_run {
            garbage::remove(garbage, &store)?;
        }
    }
    let bytes = shown_bytes(found.iter().map(|garbage| garbage.bytes).sum());
    let things = counted(found.len(), "thing");
    if args.dry_run {
        shell.status("Finished", format_args!("{things}, {bytes}: nothing was removed"));
    } else {
        shell.status("Finished", format_args!("{things} removed, {bytes} freed"));
    }
    Ok(())
}
