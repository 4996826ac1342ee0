//! The rooms of every package stand on the floors that `floors.txt` gives them.

use std::collections::BTreeSet;

use racetrack_structure::floors::Floors;
use racetrack_structure::{Arrows, packages};

/// Rooms that only lead into a package; pictures leave them out.
const ENTRANCES: [&str; 3] = ["fuzzing", "lib", "main"];

#[test]
fn every_package_stands_on_its_floors() {
    let floors = table();
    let metadata = packages::metadata().expect("the workspace has metadata");
    let sources = packages::sources(&metadata);
    let mut violations = Vec::new();
    for sources in &sources {
        let arrows = Arrows::read(sources).expect("the sources can be read");
        violations.extend(floors.violations(&sources.package, &arrows));
    }
    let packages: BTreeSet<&str> = sources.iter().map(|sources| sources.package.as_str()).collect();
    let unknown = floors.packages().filter(|package| !packages.contains(package));
    violations.extend(
        unknown.map(|package| format!("the table names the package `{package}`, which does not exist")),
    );
    assert!(violations.is_empty(), "see tests/structure/floors.txt:\n{}", violations.join("\n"));
}

#[test]
fn the_pictures_in_the_architecture_are_the_table() {
    let floors = table();
    let document = packages::checkout().join("ARCHITECTURE.md");
    let text = fs_err::read_to_string(document).expect("the document can be read");
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("text\n"));
    let mut drawn = 0;
    for block in blocks {
        let mut lines = block.lines();
        let package = lines.next().unwrap_or_default();
        if !floors.packages().any(|known| known == package) {
            continue;
        }
        // What stands behind three spaces says what the floor is for.
        let pictured = lines.map(|line| {
            let rooms = line.trim_start().split("   ").next().unwrap_or_default();
            rooms.split_whitespace().collect::<Vec<_>>()
        });
        let mut expected = floors.rooms(package);
        for rooms in &mut expected {
            rooms.retain(|room| !ENTRANCES.contains(room));
        }
        expected.retain(|rooms| !rooms.is_empty());
        assert_eq!(pictured.collect::<Vec<_>>(), expected, "{package}");
        drawn += 1;
    }
    assert_eq!(drawn, 2);
}

fn table() -> Floors {
    Floors::parse(include_str!("../../floors.txt")).expect("the table can be read")
}
