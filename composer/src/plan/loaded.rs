//! A declaration, its sources and its plan.

use super::loaded_plugin::LoadedPlugin;
use super::planned::BuildPlan;
use crate::declaration::Declaration;

/// A declaration with everything that was read for it.
#[derive(Debug)]
pub struct Loaded {
    /// The declaration.
    pub declaration: Declaration,
    /// Its plugins, in the order of their tables.
    pub plugins: Vec<LoadedPlugin>,
    /// What is to be built.
    pub plan: BuildPlan,
}
