//! Plugin sources: the plugin manifest, folders and ZIP bundles, and the diagnostics they give.

mod archive;
pub mod codes;
mod crate_rules;
pub mod diagnostic;
mod edit;
mod file_set;
mod folder;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod ignore_rules;
pub mod limits;
mod line_endings;
pub mod manifest;
pub mod render;
mod safe_path;
pub mod source;
mod source_file;
mod source_label;
mod store;
pub mod suggestion;
pub mod writer;
mod yaml_tree;

pub use crate_rules::Platform;
pub use diagnostic::{Code, Diagnostic, Diagnostics, Location};
pub use edit::Edits;
pub use line_endings::LineEnding;
pub use render::{DiagnosticRecord, Style, render};
pub use source::{LoadOptions, Origin, PluginSource};
pub use source_file::SourceFile;
