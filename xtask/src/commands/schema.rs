//! `cargo xtask schema`: writes the JSON Schemas of the files that people write, or says that they are out of date.

use anyhow::{Result, bail};
use racetrack_composer::session::Session;

use crate::cli::SchemaArgs;
use racetrack_composer::declaration::schema::schemas;
use racetrack_composer::files::write_if_changed;

/// Writes the schemas; with `--check`, fails where one is not what it should be.
pub(crate) fn run(args: &SchemaArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let mut stale = Vec::new();
    for schema in schemas() {
        let path = checkout.root.join(schema.path);
        if args.check {
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            if found != schema.text() {
                stale.push(schema.path);
            }
        } else if write_if_changed(&path, schema.text().as_bytes())? {
            shell.status("Writing", schema.path);
        }
    }
    if !stale.is_empty() {
        bail!("out of date: {}; `cargo xtask schema` writes them", stale.join(", "));
    }
    shell.status("Finished", "the schemas are up to date");
    Ok(())
}
