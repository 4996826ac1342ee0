//! The configurations of plugins, read and written while lifecycle runs.
//!
//! A configuration is for every version of its plugin. What was written goes before the plugin's section of the
//! configuration file, now and after a restart, until an empty text is written.

mod folder;
mod state;

use std::io;

use racetrack_core::error::chain;
use racetrack_core::host::catalogue::CatalogueError;
use racetrack_core::yaml::{YamlError, YamlLimits};
use racetrack_service::ApiError;
use racetrack_service::hooks::{Replacement, ReplacementError};
use serde_yaml::Value;
use tokio::task::{JoinError, spawn_blocking};

pub(crate) use self::folder::ConfigFolder;
pub(crate) use self::state::PluginConfigs;
use crate::App;
use crate::offers::Offers;
use crate::request_error::RequestError;

/// The longest configuration that is taken, in bytes.
const MAX_LENGTH: usize = YamlLimits::CONFIGURATION.bytes;

/// Why a plugin has no other configuration now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginConfigError {
    #[error("the configuration of plugin `{plugin}` is longer than {MAX_LENGTH} bytes")]
    TooLong { plugin: String },
    #[error("the configuration of plugin `{plugin}` is not YAML")]
    Yaml {
        plugin: String,
        #[source]
        source: YamlError,
    },
    #[error(transparent)]
    Plugin(#[from] ReplacementError),
    #[error("what plugins would offer with this configuration of `{plugin}` is refused")]
    Offers {
        plugin: String,
        #[source]
        source: Box<CatalogueError>,
    },
    #[error("cannot access the configuration kept for plugin `{plugin}`")]
    Folder {
        plugin: String,
        #[source]
        source: io::Error,
    },
    #[error("the section of plugin `{plugin}` in the configuration file cannot be shown as YAML")]
    Section {
        plugin: String,
        #[source]
        source: serde_yaml::Error,
    },
    #[error("a task that reads or writes the configuration of a plugin ended")]
    Task(#[source] JoinError),
}

/// The configuration of a plugin: what was written, else its section of the configuration file, else nothing.
///
/// # Errors
/// When what was written cannot be read.
pub(crate) async fn read(app: &App, plugin: &str) -> Result<String, PluginConfigError> {
    let section = app.service.hooks.section(plugin).filter(|section| !section.is_null());
    let written = in_folder(app, plugin, ConfigFolder::text).await?;
    match (written, section) {
        (Some(text), _) => Ok(text),
        (None, Some(section)) => serde_yaml::to_string(section)
            .map_err(|source| PluginConfigError::Section { plugin: plugin.to_owned(), source }),
        (None, None) => Ok(String::new()),
    }
}

/// Gives a plugin another configuration, and stores it for later starts. An empty text goes back to the plugin's section of
/// the configuration file. When that fails, the plugin that is there goes on as it is.
///
/// One is written at a time, and to its end, also when whoever asked goes away.
///
/// # Errors
/// What is wrong with the configuration, or that it cannot be stored.
pub(crate) async fn write(app: &App, plugin: &str, text: String) -> Result<(), PluginConfigError> {
    let (app, plugin) = (app.clone(), plugin.to_owned());
    let writing = tokio::spawn(async move { write_in_turn(&app, &plugin, text).await });
    writing.await.map_err(PluginConfigError::Task)?
}

async fn write_in_turn(app: &App, plugin: &str, text: String) -> Result<(), PluginConfigError> {
    let _turn = app.plugin_configs.turn().await;
    let (config, text) = config_of(app, plugin, text).await?;
    let (replacement, offers) = prepare(app, plugin, config).await?;
    // Stored first: what is in force and would be gone after a restart is worse than a failure that changes nothing.
    in_folder(app, plugin, move |folder, plugin| {
        if text.trim().is_empty() { folder.remove(plugin) } else { folder.write(plugin, &text) }
    })
    .await?;
    app.replace_plugins(replacement, offers);
    Ok(())
}

/// What a text stands for, with the text. A large one takes a while to read, where that delays no request.
async fn config_of(app: &App, plugin: &str, text: String) -> Result<(Value, String), PluginConfigError> {
    if text.len() > MAX_LENGTH {
        return Err(PluginConfigError::TooLong { plugin: plugin.to_owned() });
    }
    if text.trim().is_empty() {
        return Ok((app.service.hooks.section(plugin).cloned().unwrap_or_default(), text));
    }
    let parsed = spawn_blocking(move || folder::parse(&text).map(|config| (config, text))).await;
    let parsed = parsed.map_err(PluginConfigError::Task)?;
    parsed.map_err(|source| PluginConfigError::Yaml { plugin: plugin.to_owned(), source })
}

/// Makes the plugin and asks what it would offer beside the others.
async fn prepare(app: &App, plugin: &str, config: Value) -> Result<(Replacement, Offers), PluginConfigError> {
    let replacement = app.service.hooks.prepare(plugin, config).await?;
    let offers = app.offers().renewed(replacement.hooks(), plugin).await;
    let refused = |source| PluginConfigError::Offers { plugin: plugin.to_owned(), source: Box::new(source) };
    Ok((replacement, offers.map_err(refused)?))
}

/// Reads or writes in the folder, where that delays no request.
async fn in_folder<T: Send + 'static>(
    app: &App,
    plugin: &str,
    access: impl FnOnce(&ConfigFolder, &str) -> io::Result<T> + Send + 'static,
) -> Result<T, PluginConfigError> {
    let (folder, plugin) = (app.plugin_configs.folder.clone(), plugin.to_owned());
    let accessed = spawn_blocking(move || {
        access(&folder, &plugin).map_err(|source| PluginConfigError::Folder { plugin, source })
    });
    accessed.await.map_err(PluginConfigError::Task)?
}

impl From<PluginConfigError> for RequestError {
    fn from(error: PluginConfigError) -> Self {
        match error {
            PluginConfigError::TooLong { .. }
            | PluginConfigError::Yaml { .. }
            | PluginConfigError::Plugin(_)
            | PluginConfigError::Offers { .. } => ApiError::invalid(chain(&error)).into(),
            PluginConfigError::Folder { .. }
            | PluginConfigError::Section { .. }
            | PluginConfigError::Task(_) => ApiError::internal(error).into(),
        }
    }
}
