//! Prints the rooms of each package from the top floor down, and its circles with the names that tie them.

use std::error::Error;
use std::io::{self, Write};

use racetrack_structure::circles::circles;
use racetrack_structure::{Arrows, floors, packages};

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut output = io::stdout().lock();
    for sources in packages::sources(&packages::metadata()?) {
        if !wanted.is_empty() && !wanted.contains(&sources.package) {
            continue;
        }
        let arrows = Arrows::read(&sources)?;
        writeln!(output, "{}", sources.package)?;
        for floor in floors::drawn(&arrows) {
            writeln!(output, "    {}", floor.join(" "))?;
        }
        for room_arrow in floors::room_circles(&arrows) {
            writeln!(output, "# rooms that use each other: {room_arrow}")?;
        }
        for circle in circles(&arrows) {
            writeln!(output, "# circle of {} files", circle.len())?;
            for (arrow, names) in &arrows.names {
                if circle.contains(&arrow.from) && circle.contains(&arrow.to) {
                    let names: Vec<_> = names.iter().map(String::as_str).collect();
                    let (from, to) = (arrow.from.display(), arrow.to.display());
                    writeln!(output, "#   {from} -> {to}: {}", names.join(", "))?;
                }
            }
        }
    }
    Ok(())
}
