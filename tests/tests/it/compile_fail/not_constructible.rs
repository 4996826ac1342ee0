use racetrack_core::Plugin;

struct Watcher {
    _pattern: String,
}

#[racetrack_core::plugin]
impl Plugin for Watcher {}

fn main() {}
