//! Plugin sources: the plugin manifest, folders and ZIP bundles, and the diagnostics they give.

pub mod diagnostic;
pub mod source;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Location};
pub use source::{LoadOptions, Origin, PluginSource, SourceFile};
