//! What the attribute macro submits for each plugin.

use crate::sdk::context::PluginContext;
use crate::sdk::hook::HookSet;
use crate::sdk::hook_result::PluginError;
use crate::sdk::plugin::Plugin;

/// A plugin that is linked into the binary. Made by `#[racetrack_core::plugin]`, never by hand.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// The name of the plugin's crate.
    pub name: &'static str,
    /// The version of the plugin's crate.
    pub version: &'static str,
    /// The type that implements [`Plugin`].
    pub type_name: &'static str,
    /// The hooks its `impl` block overrides.
    pub hooks: HookSet,
    /// Makes the plugin.
    pub construct: fn(PluginContext) -> Result<Box<dyn Plugin>, PluginError>,
}

inventory::collect!(Registration);

/// Every registration in the binary, in no particular order: the linker's order changes with its optimisations.
pub fn linked() -> impl Iterator<Item = &'static Registration> {
    inventory::iter::<Registration>.into_iter()
}
