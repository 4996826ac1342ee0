//! The program that people type.

use crate::sample::Sample;

/// The program that runs a command.
#[derive(Debug)]
pub struct Program {
    /// What people type before `plugin`, so that next steps name a command that they have.
    pub name: &'static str,
    /// What it makes new plugins from.
    pub sample: Sample,
}
