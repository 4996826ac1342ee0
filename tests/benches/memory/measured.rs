//! How much memory the processes of the components take.

use racetrack_tests::RunningComponent;

/// The most that any input may take above the idle component, in MiB.
pub(crate) const BAR: f64 = 200.0;

/// A component whose memory is watched.
#[derive(Clone, Copy)]
pub(crate) struct Watched<'a> {
    component: &'a RunningComponent,
    idle: f64,
}

/// What one component took, in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) idle: f64,
    pub(crate) peak: f64,
}

impl<'a> Watched<'a> {
    /// Watches it from now on, while it is idle.
    pub(crate) fn from_now(component: &'a RunningComponent) -> Self {
        // Resets the highest resident size.
        fs_err::write(format!("/proc/{}/clear_refs", component.id()), "5").expect("the process is ours");
        Self { component, idle: mebibytes(component, "VmRSS:") }
    }

    pub(crate) fn memory(self) -> Memory {
        Memory { idle: self.idle, peak: mebibytes(self.component, "VmHWM:") }
    }
}

impl Memory {
    pub(crate) fn above_idle(self) -> f64 {
        self.peak - self.idle
    }
}

fn mebibytes(component: &RunningComponent, of: &str) -> f64 {
    let status = fs_err::read_to_string(format!("/proc/{}/status", component.id())).expect("there is /proc");
    let line = status.lines().find(|line| line.starts_with(of)).expect("has a line about memory");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kib / 1024.0
}
