//! A declared plugin whose source was read.

use racetrack_bundle::{Origin, PluginSource, manifest};

use super::order::OrderKey;
use crate::declaration::PluginDeclaration;

/// A declared plugin whose source was read.
#[derive(Debug)]
pub struct LoadedPlugin {
    /// What the declaration says.
    pub declaration: PluginDeclaration,
    /// What the source holds.
    pub source: PluginSource,
    /// The hooks it implements, sorted by name.
    pub hooks: Vec<&'static str>,
}

impl LoadedPlugin {
    /// What decides where the plugin comes, constraints apart.
    pub fn order_key(&self) -> OrderKey {
        OrderKey { priority: self.source.manifest.priority, position: self.declaration.position }
    }

    /// The plugin manifest as people find it: `plugins/x/plugin-manifest.yaml`, or `x.zip!/plugin-manifest.yaml`.
    pub fn manifest_file(&self) -> String {
        let source = self.declaration.source.trim_end_matches('/');
        let separator = if matches!(self.source.origin, Origin::Zip(_)) { "!/" } else { "/" };
        format!("{source}{separator}{}", manifest::FILE_NAME)
    }

    /// `plugins/x/plugin-manifest.yaml:4`, the line of the priority; nothing where it is the default.
    pub fn priority_at(&self) -> Option<String> {
        let file = self.source.files.iter().find(|file| file.path == manifest::FILE_NAME)?;
        let line = manifest::line_of(&file.content, "priority")?;
        Some(format!("{}:{line}", self.manifest_file()))
    }

    pub(super) fn title(&self) -> String {
        format!("`{}` {}", self.source.manifest.name, self.source.manifest.version)
    }
}
