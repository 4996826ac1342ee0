//! What fails again and again, as the log tells of it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Something that fails again and again, often because somebody else has it try: the log tells when that begins and when it is over,
/// and not each time.
///
/// ```
/// use racetrack_core::trouble::Trouble;
///
/// let trouble = Trouble::new();
/// assert!(trouble.begins() && !trouble.begins());
/// assert!(trouble.ends() && !trouble.ends());
/// assert!(trouble.begins());
/// ```
#[derive(Debug, Default)]
pub struct Trouble(AtomicBool);

impl Trouble {
    /// Nothing has failed yet.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// It failed; whether that is news.
    #[must_use]
    pub fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// It succeeded; whether that is news.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
