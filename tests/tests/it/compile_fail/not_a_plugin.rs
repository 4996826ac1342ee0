struct Watcher;

#[racetrack_core::plugin]
impl Watcher {
    fn watch(&self) {}
}

#[racetrack_core::plugin]
impl Default for Watcher {
    fn default() -> Self {
        Self
    }
}

#[racetrack_core::plugin]
struct Elsewhere;

fn main() {}
