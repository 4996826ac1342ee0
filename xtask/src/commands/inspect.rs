//! `cargo xtask inspect`: what a component binary says about itself. The file is read, never run.
//!
//! The JSON form is the self-description as it is in the file. With `--crates` it has a key `packages` more, with the list
//! of crates in the format of cargo-auditable.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use fs_err as fs;
use serde_json::json;

use crate::cli::{Format, InspectArgs};
use racetrack_composer::cargo::crates::audit::{AuditKind, AuditPackage};
use racetrack_composer::description::{self, Description, Inspected};
use racetrack_composer::plan::view::calls_text;
use racetrack_composer::quantity::counted;
use racetrack_composer::shell::print_data;

/// Prints it.
pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let content = fs::read(&args.file).context("cannot read the binary")?;
    let mut inspected =
        description::read(&content).with_context(|| format!("cannot inspect {}", args.file.display()))?;
    let text = match args.format {
        Format::Text => text(&inspected, args.crates).expect("a String takes any text"),
        Format::Json => {
            if args.crates {
                inspected.document["packages"] = json!(inspected.crates);
            }
            serde_json::to_string_pretty(&inspected.document)
                .context("cannot write the description as JSON")?
                + "\n"
        }
    };
    print_data(&text)
}

fn text(inspected: &Inspected, crates: bool) -> Result<String, std::fmt::Error> {
    let Description { component, plan, profile, target, toolchain, locked, crates: counts, .. } =
        &inspected.description;
    let mut text = String::new();
    let settings = profile.settings.iter().map(|(key, value)| format!("{key} = {value}"));
    let locked = if *locked { "yes" } else { "no, something differed from the lock of the declaration" };
    writeln!(text, "{component} ({})", plan.package)?;
    writeln!(text, "  target     {target}")?;
    writeln!(text, "  toolchain  {toolchain}")?;
    writeln!(text, "  profile    {}: {}", profile.name, settings.collect::<Vec<_>>().join(", "))?;
    writeln!(text, "  locked     {locked}")?;
    let linked = counted(counts.linked, "crate");
    writeln!(text, "  crates     {linked} linked, {} more at build time", counts.build_time)?;
    if plan.plugins.is_empty() {
        writeln!(text, "\n  no plugins")?;
    } else {
        let titles: Vec<_> =
            plan.plugins.iter().map(|plugin| format!("{} {}", plugin.name, plugin.version)).collect();
        let width = titles.iter().map(String::len).max().unwrap_or_default();
        writeln!(text, "\n  plugins, in hook order:")?;
        for (plugin, title) in plan.plugins.iter().zip(&titles) {
            let (priority, source) = (plugin.priority, &plugin.source);
            writeln!(text, "    {title:width$}  priority {priority:>3}, from {source}")?;
            writeln!(text, "    {:width$}  digest {}", "", plugin.digest)?;
        }
        let width = plan.hooks.keys().map(String::len).max().unwrap_or_default();
        writeln!(text, "\n  hooks, in the order they reach the plugins:")?;
        for (hook, calls) in &plan.hooks {
            let order: Vec<_> = calls.iter().map(|call| format!("{} {}", call.name, call.version)).collect();
            writeln!(text, "    {hook:width$}  {}", calls_text(hook, &order))?;
        }
    }
    if crates {
        write_crates("linked crates", AuditKind::Runtime, &inspected.crates, &mut text)?;
        write_crates(
            "crates that only ran during the build",
            AuditKind::Build,
            &inspected.crates,
            &mut text,
        )?;
    }
    Ok(text)
}

fn write_crates(
    title: &str,
    kind: AuditKind,
    crates: &[AuditPackage],
    text: &mut String,
) -> std::fmt::Result {
    writeln!(text, "\n  {title}:")?;
    for one in crates.iter().filter(|one| one.kind == kind) {
        writeln!(text, "    {} {} ({})", one.name, one.version, one.source)?;
    }
    Ok(())
}
