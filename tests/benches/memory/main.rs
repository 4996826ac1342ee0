//! How much memory the components take under hostile and large inputs.
//!
//! `cargo bench -p racetrack-tests --bench memory [-- WORD]` builds both components with the profile `quick`, starts them anew for each input (of
//! those whose names have the word in them), and prints a table of their highest resident sizes. It fails when one is more than 200 MiB above
//! that of the idle component. `--binaries=FOLDER` takes binaries with the plugin `script-job-type` from elsewhere. It needs 8 GiB of disk, as much memory for what it sends, and half an hour.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod inputs;
mod measured;
mod platform;
mod requests;

use std::path::PathBuf;

use measured::{BAR, Memory, Watched};
use platform::Platform;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    // `cargo nextest` and `cargo test` ask benches for their tests.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let binaries = arguments.iter().find_map(|argument| argument.strip_prefix("--binaries="));
    let word = arguments[1..].iter().find(|argument| !argument.starts_with("--"));
    let binaries = binaries.map_or_else(platform::built, PathBuf::from);
    println!(
        "| input | outcome | lifecycle idle | peak | above idle | image-builder idle | peak | above idle |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut too_much = Vec::new();
    for input in inputs::all() {
        if word.is_some_and(|word| !input.name.contains(word.as_str())) {
            continue;
        }
        let platform = Platform::start(&binaries, input.auth_required, input.prepare);
        settle();
        let watched = [&platform.lifecycle, &platform.image_builder].map(Watched::from_now);
        let outcome = (input.run)(&platform);
        let memory = watched.map(Watched::memory);
        println!("| {} | {outcome} | {} | {} |", input.name, cells(memory[0]), cells(memory[1]));
        if memory.iter().any(|memory| memory.above_idle() > BAR) {
            too_much.push(input.name);
        }
    }
    assert!(too_much.is_empty(), "more than {BAR} MiB above idle: {too_much:?}");
}

/// Waits until what a start leaves to be done is done. What follows is measured from then on.
fn settle() {
    std::thread::sleep(std::time::Duration::from_secs(2));
}

fn cells(memory: Memory) -> String {
    format!("{:.0} | {:.0} | {:.0}", memory.idle, memory.peak, memory.above_idle())
}
