//! What a plugin is constructed with.

use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::resources::ResourceFile;
pub use super::resources::{ResourceNotFound, Resources};
use crate::model::plugin_manifest::PluginManifest;

/// A plugin's manifest, its resource files and its configuration.
#[derive(Clone, Debug)]
pub struct PluginContext {
    manifest: PluginManifest,
    resources: Resources,
    config: Value,
}

/// Makes the context that a unit test of a plugin needs.
#[derive(Clone, Debug)]
pub struct PluginContextBuilder {
    manifest: PluginManifest,
    resources: Vec<ResourceFile>,
    config: Value,
}

/// The configuration given to a plugin does not have the shape the plugin asks for.
#[derive(Debug, thiserror::Error)]
#[error("wrong configuration of plugin `{plugin}` {version} at `{key}`")]
pub struct ConfigError {
    /// The name of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The path of the key, `.` for the whole.
    pub key: String,
    /// What is wrong.
    #[source]
    pub source: serde_yaml::Error,
}

impl PluginContext {
    pub(crate) fn new(manifest: PluginManifest, resources: &'static [ResourceFile], config: Value) -> Self {
        Self { manifest, resources: Resources::new(resources), config }
    }

    /// A context for a unit test: `PluginContext::builder("skynet-watcher", "1.2.3").build()`.
    ///
    /// # Panics
    /// When the name or the version is not valid.
    pub fn builder(name: &str, version: &str) -> PluginContextBuilder {
        let name = name.parse().expect("the name of a plugin under test is valid");
        let version = version.parse().expect("the version of a plugin under test is valid");
        PluginContextBuilder {
            manifest: PluginManifest::new(name, version),
            resources: Vec::new(),
            config: Value::Null,
        }
    }

    /// The plugin manifest.
    pub const fn manifest(&self) -> &PluginManifest {
        &self.manifest
    }

    /// The resource files.
    pub const fn resources(&self) -> Resources {
        self.resources
    }

    /// The configuration of this plugin, as a type of the plugin's own: its section of the component's configuration
    /// file, or what an administrator wrote since. Without one, the type is read from an empty mapping, so that defaults apply.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration does not fit the type, with the path of the key.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let value = match &self.config {
            Value::Null => Value::Mapping(serde_yaml::Mapping::new()),
            given => given.clone(),
        };
        serde_path_to_error::deserialize(value).map_err(|error| ConfigError {
            plugin: self.manifest.name.to_string(),
            version: self.manifest.version.to_string(),
            key: error.path().to_string(),
            source: error.into_inner(),
        })
    }
}

impl PluginContextBuilder {
    /// The configuration, as YAML.
    ///
    /// # Panics
    /// When the text is not YAML.
    #[must_use]
    pub fn config(mut self, yaml: &str) -> Self {
        self.config = serde_yaml::from_str(yaml).expect("the configuration of a plugin under test is YAML");
        self
    }

    /// One more resource file.
    #[must_use]
    pub fn resource(mut self, path: &'static str, content: &'static [u8]) -> Self {
        self.resources.push(ResourceFile { path, content });
        self
    }

    /// The context. Its list of resources is never freed: it stands in for constants of a binary.
    pub fn build(self) -> PluginContext {
        PluginContext::new(self.manifest, self.resources.leak(), self.config)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        limit: u8,
    }

    #[test]
    fn configuration_is_typed_by_the_plugin() {
        let context = PluginContext::builder("a", "1.0.0");
        assert_eq!(context.clone().build().config::<Config>().expect("fits"), Config { limit: 0 });
        assert_eq!(context.clone().config("limit: 7").build().config::<Config>().expect("fits").limit, 7);
        let error =
            context.clone().config("limit: 300").build().config::<Config>().expect_err("does not fit");
        assert_eq!(error.to_string(), "wrong configuration of plugin `a` 1.0.0 at `limit`");
        assert_eq!(error.source.to_string(), "invalid value: integer `300`, expected u8");
        let error = context.config("limti: 3").build().config::<Config>().expect_err("unknown key");
        assert!(error.source.to_string().contains("unknown field `limti`"), "{}", error.source);
    }
}
