//! Components and plugins by the names that people give them.

use std::collections::BTreeSet;

use racetrack_bundle::suggestion::suggestion;

use crate::declaration::Declaration;
use crate::plan::LoadedPlugin;

/// A name that the declaration does not have.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A component that is not declared.
    #[error("there is no component `{name}`; {help}")]
    UnknownComponent {
        /// The name given.
        name: String,
        /// What was probably meant.
        help: String,
    },
    /// A profile that neither exists nor is declared.
    #[error("there is no profile `{name}`; {help}")]
    UnknownProfile {
        /// The name given.
        name: String,
        /// What was probably meant.
        help: String,
    },
    /// A plugin that is neither declared nor locked.
    #[error("there is no plugin `{name}`; {help}")]
    UnknownPlugin {
        /// The name given.
        name: String,
        /// What was probably meant.
        help: String,
    },
    /// A name that several declared plugins have.
    #[error("`{name}` is declared more than once: {declared}; say which one as NAME==VERSION")]
    AmbiguousPlugin {
        /// The name given.
        name: String,
        /// All of them, with their lines.
        declared: String,
    },
}

/// Refuses a name that no component of the declaration has.
pub fn check_component(declaration: &Declaration, name: &str) -> Result<(), SelectionError> {
    if declaration.component_names().any(|known| known == name) {
        return Ok(());
    }
    let help = suggestion(name, "components", declaration.component_names());
    Err(SelectionError::UnknownComponent { name: name.to_owned(), help })
}

/// The plugin that `NAME` or `NAME==VERSION` means.
pub fn select_plugin<'a>(
    declaration: &Declaration,
    plugins: &'a [LoadedPlugin],
    selector: &str,
) -> Result<&'a LoadedPlugin, SelectionError> {
    let name = |plugin: &LoadedPlugin| plugin.source.manifest.name.to_string();
    let versioned = |plugin: &LoadedPlugin| format!("{}=={}", name(plugin), plugin.source.manifest.version);
    let is_meant = |plugin: &&LoadedPlugin| name(plugin) == selector || versioned(plugin) == selector;
    let meant: Vec<_> = plugins.iter().filter(is_meant).collect();
    match meant[..] {
        [one] => Ok(one),
        [] => {
            let known = plugins.iter();
            let known: BTreeSet<_> = if selector.contains("==") {
                known.map(versioned).collect()
            } else {
                known.map(name).collect()
            };
            let help = suggestion(selector, "plugins", known.iter().map(String::as_str));
            Err(SelectionError::UnknownPlugin { name: selector.to_owned(), help })
        }
        _ => {
            let place = |plugin: &&LoadedPlugin| {
                format!("`{}` at {}", versioned(plugin), declaration.line_of(&plugin.declaration))
            };
            let declared: Vec<_> = meant.iter().map(place).collect();
            Err(SelectionError::AmbiguousPlugin { name: selector.to_owned(), declared: declared.join(", ") })
        }
    }
}
