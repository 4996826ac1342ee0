//! `cargo xtask sizes`: how many bytes each plugin adds to the component binaries.
//!
//! The JSON form is [`Sizes`]: profile, target and toolchain; and by component the length of the file, and `code` and
//! `data` of the whole, of each plugin, of what several plugins share and of the component alone.

use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use racetrack_composer::files::write_if_changed;
use racetrack_composer::session::Session;
use racetrack_composer::shell::{Shell, print_data};
use racetrack_composer::sizes::{self, Sizes, measure_components};
use serde_json::Value;

use super::build::selection;
use crate::cli::{Format, SizesArgs};

/// Builds each component with all its plugins, without each of them and without any; prints the differences. Neither the
/// output folder nor a lock is touched.
pub(crate) fn run(declaration: Option<&Path>, args: &SizesArgs, session: &Session) -> Result<()> {
    let before = args.compare.as_deref().map(read).transpose()?;
    let overrides = &args.overrides.overrides;
    let sizes = measure_components(declaration, &selection(&args.selection), overrides, session)?;
    if let Some(before) = &before {
        warn_of_differences(&sizes, before, &session.shell);
    }
    let json = serde_json::to_string_pretty(&sizes).context("cannot write the sizes as JSON")? + "\n";
    // Printed first: what cannot be saved is not lost.
    match args.format {
        Format::Json => print_data(&json)?,
        Format::Text => print_data(&text(&sizes, before.as_ref()))?,
    }
    if let Some(path) = &args.save {
        write_if_changed(path, json.as_bytes())?;
        session.shell.status("Saved", path.display());
    }
    Ok(())
}

/// The sizes that an earlier run has saved. Read before anything is built.
fn read(path: &Path) -> Result<Sizes> {
    let read = || {
        let saved: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        match saved["format"].as_u64() {
            Some(sizes::FORMAT) => Ok(serde_json::from_value(saved)?),
            Some(format) => bail!("it has format {format}, and this checkout reads format {}", sizes::FORMAT),
            None => bail!("it has no format; `cargo xtask sizes --save` writes such files"),
        }
    };
    read().with_context(|| format!("cannot compare with {}", path.display()))
}

fn warn_of_differences(now: &Sizes, before: &Sizes, shell: &Shell) {
    if before.conditions != now.conditions {
        let difference = before.conditions.difference(&now.conditions);
        shell
            .warn(format_args!("the saved run was of {difference}; not every change comes from the sources"));
    }
    for name in now.components.keys().filter(|name| !before.components.contains_key(*name)) {
        shell.warn(format_args!("the saved run did not measure `{name}`"));
    }
}

fn text(sizes: &Sizes, before: Option<&Sizes>) -> String {
    let tables = sizes.components.iter().map(|(name, now)| {
        let before = before.and_then(|before| before.components.get(name));
        sizes::table(name, now, before)
    });
    tables.collect::<Vec<_>>().join("\n")
}
