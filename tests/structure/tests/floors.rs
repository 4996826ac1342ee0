//! The rooms of every package stand on the floors that `floors.txt` gives them.

use std::collections::BTreeSet;

use racetrack_structure::floors::Floors;
use racetrack_structure::{Arrows, packages};

#[test]
fn every_package_stands_on_its_floors() {
    let floors = Floors::parse(include_str!("../floors.txt")).expect("the table can be read");
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
