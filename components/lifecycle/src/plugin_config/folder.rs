//! The folder of the configurations that were written at run time, one file for each plugin.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use racetrack_core::PluginName;
use racetrack_core::yaml::{self, YamlError, YamlLimits};
use racetrack_service::kept_config::{BadKeptConfig, KeptConfig};
use serde_yaml::Value;

use crate::private_folder;

/// The extension of the files.
const EXTENSION: &str = "yaml";

/// The folder: `<state folder>/plugins/<name>.yaml`, for their owner's eyes alone.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFolder {
    folder: PathBuf,
}

/// Why what is in the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigFolderError {
    #[error("cannot read the configurations that plugins were given at run time, kept in {}", folder.display())]
    Read {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Bad(#[from] BadKeptConfig),
}

impl ConfigFolder {
    pub(crate) fn new(state_folder: &Path) -> Self {
        Self { folder: state_folder.join("plugins") }
    }

    /// Every configuration that is stored.
    ///
    /// # Errors
    /// When they cannot be read, or one of them is not YAML.
    pub(crate) fn load(&self) -> Result<Vec<KeptConfig>, ConfigFolderError> {
        let failed = |source| ConfigFolderError::Read { folder: self.folder.clone(), source };
        let mut configs = Vec::new();
        for plugin in self.plugins().map_err(failed)? {
            let file = self.file(plugin.as_str());
            let text = fs_err::read_to_string(&file).map_err(failed)?;
            match parse(&text) {
                Ok(config) => configs.push(KeptConfig { plugin, config, file }),
                Err(source) => return Err(BadKeptConfig { plugin, file, source: source.into() }.into()),
            }
        }
        Ok(configs)
    }

    /// The file of a plugin.
    pub(crate) fn file(&self, plugin: &str) -> PathBuf {
        self.folder.join(plugin).with_extension(EXTENSION)
    }

    /// What is stored for a plugin, as it was written.
    pub(crate) fn text(&self, plugin: &str) -> io::Result<Option<String>> {
        unless_missing(fs_err::read_to_string(self.file(plugin)))
    }

    /// Stores this for a plugin, in one step: whenever lifecycle is stopped, the file has the old text or the new one.
    pub(crate) fn write(&self, plugin: &str, text: &str) -> io::Result<()> {
        private_folder::make(&self.folder)?;
        // Files of this kind are made for their owner alone.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.file(plugin))?;
        Ok(())
    }

    /// Stores nothing for a plugin.
    pub(crate) fn remove(&self, plugin: &str) -> io::Result<()> {
        unless_missing(fs_err::remove_file(self.file(plugin))).map(|_| ())
    }

    /// The plugins for which something is stored, sorted. Other files in the folder mean nothing.
    fn plugins(&self) -> io::Result<Vec<PluginName>> {
        let Some(entries) = unless_missing(fs_err::read_dir(&self.folder))? else { return Ok(Vec::new()) };
        let mut plugins = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            plugins.extend(name.filter(|_| path.extension().is_some_and(|own| own == EXTENSION)));
        }
        plugins.sort();
        Ok(plugins)
    }
}

/// The value of a configuration; a text without any is null.
pub(crate) fn parse(text: &str) -> Result<Value, YamlError> {
    let value: Option<Value> = yaml::read(text, YamlLimits::CONFIGURATION)?;
    Ok(value.unwrap_or_default())
}

fn unless_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use racetrack_core::error::chain;

    use super::*;

    #[test]
    fn what_is_kept_is_found_again() {
        let folder = tempfile::tempdir().expect("can be made");
        let configs = ConfigFolder::new(folder.path());
        assert!(configs.load().expect("nothing is there").is_empty());
        assert_eq!(configs.text("b").expect("can be looked for"), None);
        configs.write("b", "limit: 1\n").expect("can be written");
        configs.write("b", "\u{feff}limit: 2 # two\n").expect("can be written over");
        configs.write("a", "# nothing").expect("can be written");
        fs_err::write(folder.path().join("plugins/.tmpx1"), "limit: [").expect("can be written");
        fs_err::write(folder.path().join("plugins/b.yaml~"), "limit: [").expect("can be written");

        let loaded = configs.load().expect("can be read");
        let found: Vec<_> = loaded.iter().map(|config| (config.plugin.as_str(), &config.config)).collect();
        assert_eq!(found, [("a", &Value::Null), ("b", &parse("limit: 2").expect("is YAML"))]);
        assert!(!format!("{loaded:?}").contains("limit"));
        assert_eq!(configs.text("b").expect("is there").as_deref(), Some("\u{feff}limit: 2 # two\n"));

        configs.remove("b").expect("can be removed");
        configs.remove("b").expect("is removed already");
        assert_eq!(configs.load().expect("can be read").len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("can be made");
        let configs = ConfigFolder::new(folder.path());
        configs.write("a", "password: hunter2").expect("can be written");
        let mode = fs_err::metadata(configs.file("a")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_yaml_is_named_with_the_way_out() {
        let folder = tempfile::tempdir().expect("can be made");
        let configs = ConfigFolder::new(folder.path());
        configs.write("watcher", "limit: [").expect("can be written");
        let text = chain(&configs.load().expect_err("is no YAML"));
        let file = configs.file("watcher");
        assert!(text.contains(&format!("kept in {}; remove that file", file.display())), "{text}");
    }
}
