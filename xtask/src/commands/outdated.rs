//! `cargo xtask outdated`: what the lock says of each plugin, and what its source holds now.
//!
//! The JSON form is `{"plugins": [{"name", "state", "locked": ENTRY, "current": ENTRY}]}`, where each `ENTRY` is
//! `{"version", "source", "digest"}` or null, and `state` is one of `up-to-date`, `content-changed`,
//! `version-changed`, `not-locked` and `not-declared`. The plugins are in the order of the declaration, those that are
//! no longer declared at the end.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::{Format, OutdatedArgs};
use racetrack_composer::lockfile::{self, Lock, LockedPlugin, Pairs};
use racetrack_composer::shell::print_data;
use racetrack_composer::sources::load::load;

#[derive(Serialize)]
struct Comparison<'a> {
    plugins: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    state: State,
    locked: Option<Entry<'a>>,
    current: Option<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    version: &'a str,
    source: &'a str,
    digest: &'a str,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    UpToDate,
    ContentChanged,
    VersionChanged,
    NotLocked,
    NotDeclared,
}

/// Prints the comparison. That something differs is no failure.
pub(crate) fn run(declaration: Option<&Path>, args: &OutdatedArgs, session: &Session) -> Result<()> {
    let shell = &session.shell;
    let loaded = load(declaration, &[], session)?;
    let locked = lockfile::read(&loaded.declaration)?;
    if locked.is_none() {
        shell.note("nothing is locked yet; `cargo xtask lock` writes the lock");
    }
    let current = Lock::of(&loaded);
    let comparison = compare(locked.as_ref().map_or(&[], |lock| &lock.plugins), &current.plugins);
    let text = match args.format {
        Format::Text => text(&comparison),
        Format::Json => {
            serde_json::to_string_pretty(&comparison).context("cannot write the comparison as JSON")? + "\n"
        }
    };
    print_data(&text)
}

fn compare<'a>(locked: &'a [LockedPlugin], current: &'a [LockedPlugin]) -> Comparison<'a> {
    let pairs = Pairs::of(locked, current);
    let declared = current.iter().map(|plugin| Row::declared(pairs.locked(plugin), plugin));
    let removed = pairs.removed.iter().map(|plugin| Row::removed(plugin));
    Comparison { plugins: declared.chain(removed).collect() }
}

impl<'a> Row<'a> {
    fn declared(locked: Option<&'a LockedPlugin>, current: &'a LockedPlugin) -> Self {
        let state = match locked {
            None => State::NotLocked,
            Some(locked) if locked.version != current.version => State::VersionChanged,
            Some(locked) if locked.digest != current.digest => State::ContentChanged,
            Some(_) => State::UpToDate,
        };
        Self { name: &current.name, state, locked: locked.map(Entry::of), current: Some(Entry::of(current)) }
    }

    fn removed(locked: &'a LockedPlugin) -> Self {
        Self { name: &locked.name, state: State::NotDeclared, locked: Some(Entry::of(locked)), current: None }
    }
}

impl<'a> Entry<'a> {
    fn of(plugin: &'a LockedPlugin) -> Self {
        Self { version: &plugin.version, source: &plugin.source, digest: &plugin.digest }
    }
}

fn text(comparison: &Comparison<'_>) -> String {
    let entry = |entry: &Option<Entry<'_>>| {
        entry
            .as_ref()
            .map_or_else(|| "-".to_owned(), |entry| format!("{} {:.12}", entry.version, entry.digest))
    };
    let cells = |row: &Row<'_>| {
        let state = match row.state {
            State::UpToDate => "up to date",
            State::ContentChanged => "content changed",
            State::VersionChanged => "version changed",
            State::NotLocked => "not locked",
            State::NotDeclared => "not declared",
        };
        [row.name.to_owned(), entry(&row.locked), entry(&row.current), state.to_owned()]
    };
    let header = ["PLUGIN", "LOCKED", "CURRENT", "STATE"].map(str::to_owned);
    let rows: Vec<_> = [header].into_iter().chain(comparison.plugins.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let (name, locked, current) = (width(0), width(1), width(2));
    let line = |row: &[String; 4]| {
        format!("{:name$}  {:locked$}  {:current$}  {}\n", row[0], row[1], row[2], row[3])
    };
    rows.iter().map(line).collect()
}
