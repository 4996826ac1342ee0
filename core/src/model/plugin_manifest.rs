//! What a `plugin-manifest.yaml` says, once read and checked. Reading it from YAML is the build's business.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::plugin_name::PluginName;
use crate::model::version::Version;

/// The file name of a plugin manifest.
pub const FILE_NAME: &str = "plugin-manifest.yaml";

/// A plugin's description of itself. Its JSON form is what `GET /api/v1/plugin` lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginManifest {
    /// Unique among the plugins of a component, together with the version.
    pub name: PluginName,
    /// Equal to the version of the plugin's crate.
    pub version: Version,
    /// When the bundle was made: UTC, `%Y-%m-%dT%H%M%SZ`. Absent unless the author asked for it, so that bundles
    /// are reproducible.
    pub build_date: Option<String>,
    /// Home page of the plugin.
    pub url: Option<String>,
    /// Hooks run by ascending priority; plugins of one priority run in the order of `racetrack.toml`.
    pub priority: i64,
    /// What kind of thing the plugin adds.
    pub category: Option<Category>,
    /// Names of the components the plugin is meant for; empty means all.
    pub components: Vec<String>,
}

/// What kind of thing a plugin adds to Racetrack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Infrastructure targets. Two versions of such a plugin cannot be declared together: they would claim the
    /// same jobs.
    Infrastructure,
    /// Job types.
    JobType,
    /// Anything else.
    Core,
}

/// A text that names no [`Category`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown category `{text}`")]
pub struct UnknownCategory {
    /// The text found.
    pub text: String,
}

impl PluginManifest {
    /// A manifest with the required fields; every other field has its default.
    pub fn new(name: PluginName, version: Version) -> Self {
        Self {
            name,
            version,
            build_date: None,
            url: None,
            priority: 0,
            category: None,
            components: Vec::new(),
        }
    }

    /// Whether the plugin is meant for the component of that name.
    pub fn is_meant_for(&self, component: &str) -> bool {
        self.components.is_empty() || self.components.iter().any(|name| name == component)
    }
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 3] = [Self::Infrastructure, Self::JobType, Self::Core];

    /// The category as manifests write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::JobType => "job-type",
            Self::Core => "core",
        }
    }
}

impl FromStr for Category {
    type Err = UnknownCategory;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|category| category.as_str() == text);
        known.ok_or_else(|| UnknownCategory { text: text.to_owned() })
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_written_and_read_alike() {
        for category in Category::ALL {
            assert_eq!(category.as_str().parse(), Ok(category));
            assert_eq!(serde_json::to_value(category).expect("serializes"), category.as_str());
        }
        assert!("jobtype".parse::<Category>().is_err());
    }

    #[test]
    fn no_components_means_every_component() {
        let mut manifest = PluginManifest::new("a".parse().expect("valid"), "1.0.0".parse().expect("valid"));
        assert!(manifest.is_meant_for("lifecycle"));
        manifest.components = vec!["image-builder".to_owned()];
        assert!(!manifest.is_meant_for("lifecycle"));
        assert!(manifest.is_meant_for("image-builder"));
    }
}
