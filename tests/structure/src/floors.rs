//! The committed order of the rooms of each package, and what breaks it.
//!
//! The table is a text. A line without an indent names a package; each indented line under it is one floor, from the top
//! down, and names the rooms on it. A room may use the rooms of lower floors. `#` begins a comment.
//!
//! A room is a module with all below it: `auth`, or `auth/password` where a part of a room is on another floor than the
//! rest. A file belongs to the room with the longest path that leads to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use thiserror::Error;

use crate::arrows::{Arrow, Arrows};
use crate::circles::circles;

/// The floors of every package.
#[derive(Debug, Default)]
pub struct Floors {
    packages: BTreeMap<String, BTreeMap<String, Floor>>,
}

#[derive(Debug, Clone, Copy)]
struct Floor {
    /// The line of the table, from 1. Lower floors have higher numbers.
    line: usize,
}

/// Why a table cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// A floor stands before the first package.
    #[error("line {0} is indented, but no package stands above it")]
    NoPackage(usize),
    /// A room or a package stands twice.
    #[error("line {line}: `{name}` has a line already")]
    Twice {
        /// The line of the table, from 1.
        line: usize,
        /// The room or the package.
        name: String,
    },
}

impl Floors {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// If a floor belongs to no package, or if a package or a room of one stands twice.
    pub fn parse(table: &str) -> Result<Self, TableError> {
        let mut floors = Self::default();
        let mut current = None;
        for (index, text) in table.lines().enumerate() {
            let line = index + 1;
            let text = text.split('#').next().unwrap_or_default().trim_end();
            if text.is_empty() {
                continue;
            }
            let twice = |name: &str| TableError::Twice { line, name: name.to_owned() };
            if text.starts_with(' ') {
                let package: &String = current.as_ref().ok_or(TableError::NoPackage(line))?;
                let rooms = floors.packages.entry(package.clone()).or_default();
                for room in text.split_whitespace() {
                    if rooms.insert(room.to_owned(), Floor { line }).is_some() {
                        return Err(twice(room));
                    }
                }
            } else {
                if floors.packages.insert(text.to_owned(), BTreeMap::new()).is_some() {
                    return Err(twice(text));
                }
                current = Some(text.to_owned());
            }
        }
        Ok(floors)
    }

    /// The packages that the table names.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.packages.keys().map(String::as_str)
    }

    /// The rooms of each floor of a package, from the top down and by name within a floor; none for an unknown package.
    pub fn rooms(&self, package: &str) -> Vec<Vec<&str>> {
        let mut floors: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (room, Floor { line }) in self.packages.get(package).into_iter().flatten() {
            floors.entry(*line).or_default().push(room);
        }
        floors.into_values().collect()
    }

    /// What in a package is not as the table says, one sentence each.
    pub fn violations(&self, package: &str, arrows: &Arrows) -> Vec<String> {
        let Some(table) = self.packages.get(package) else {
            return vec![format!("{package} has no floors in the table")];
        };
        let mut violations = Vec::new();
        let mut empty: BTreeSet<&String> = table.keys().collect();
        for file in &arrows.files {
            match place(table, file) {
                Some((room, _)) => drop(empty.remove(room)),
                None => violations.push(format!("{package}: {} is in no room of the table", file.display())),
            }
        }
        for room in empty {
            let line = table[room].line;
            violations
                .push(format!("{package}: line {line} of the table names `{room}`, which does not exist"));
        }
        for (Arrow { from, to }, names) in &arrows.names {
            let (Some((above, one)), Some((below, other))) = (place(table, from), place(table, to)) else {
                continue;
            };
            if above == below || one.line < other.line {
                continue;
            }
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            violations.push(format!(
                "{package}: {} uses {} of {}, and `{above}` (line {} of the table) is not above `{below}` (line {})",
                from.display(),
                names.join(", "),
                to.display(),
                one.line,
                other.line,
            ));
        }
        for circle in circles(arrows) {
            let files: Vec<_> = circle.iter().map(|file| file.display().to_string()).collect();
            violations.push(format!("{package}: these files use each other: {}", files.join(", ")));
        }
        violations
    }
}

/// The room of a file, and its floor: of all rooms that lead to the file the one with the longest path.
fn place<'table>(table: &'table BTreeMap<String, Floor>, file: &Path) -> Option<(&'table String, Floor)> {
    let module = file.with_extension("");
    let rooms = module.ancestors().filter_map(Path::to_str).map(|room| table.get_key_value(room));
    rooms.flatten().next().map(|(room, floor)| (room, *floor))
}

/// The room that a file is drawn in: the top-level module, the first file of a crate by its own name.
fn room_of(file: &Path) -> &str {
    let first = file.iter().next().and_then(|segment| segment.to_str()).unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The arrows between files that tie rooms into circles, one line each: a room must not use a room that leads back to it.
pub fn room_circles(arrows: &Arrows) -> Vec<String> {
    let reached = crate::circles::reached(room_edges(arrows));
    let leads = |above: &str, below: &str| reached.get(above).is_some_and(|rooms| rooms.contains(below));
    let tied = arrows.names.iter().filter(|(Arrow { from, to }, _)| {
        let (above, below) = (room_of(from), room_of(to));
        above != below && leads(below, above)
    });
    tied.map(|(arrow, names)| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        format!("{} -> {}: {}", arrow.from.display(), arrow.to.display(), names.join(", "))
    })
    .collect()
}

fn room_edges(arrows: &Arrows) -> BTreeSet<(&str, &str)> {
    let edges = arrows.names.keys().map(|Arrow { from, to }| (room_of(from), room_of(to)));
    edges.filter(|(above, below)| above != below).collect()
}

/// The rooms of a package from the top floor down, as the table has them: each room as low as what it uses allows.
/// Rooms of a circle share a floor.
pub fn drawn(arrows: &Arrows) -> Vec<Vec<&str>> {
    let rooms: BTreeSet<&str> = arrows.files.iter().map(|file| room_of(file)).collect();
    let reached = crate::circles::reached(room_edges(arrows));
    let leads = |above: &str, below: &str| reached.get(above).is_some_and(|rooms| rooms.contains(below));
    let mut floors: Vec<Vec<&str>> = Vec::new();
    let mut pending = rooms;
    while !pending.is_empty() {
        let rests = |room: &&&str| {
            pending.iter().all(|other| other == *room || !leads(room, other) || leads(other, room))
        };
        let floor: Vec<&str> = pending.iter().filter(rests).copied().collect();
        pending.retain(|room| !floor.contains(room));
        floors.push(floor);
    }
    floors.reverse();
    floors
}
