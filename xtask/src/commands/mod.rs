//! The subcommands: each puts together what the other modules offer.

pub(crate) mod add;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod fetch;
pub(crate) mod fuzz;
pub(crate) mod gc;
pub(crate) mod inspect;
pub(crate) mod lock;
pub(crate) mod outdated;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod remove;
pub(crate) mod schema;
pub(crate) mod sizes;
pub(crate) mod test;
pub(crate) mod up;
pub(crate) mod update;
pub(crate) mod vendor;
pub(crate) mod verify;

use std::collections::BTreeSet;

use racetrack_bundle::suggestion::suggestion;

use crate::declaration::Declaration;
use crate::plan::LoadedPlugin;

/// An argument that does not fit the declaration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
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
    /// A locked build of something that is not locked.
    #[error(
        "`--locked` builds what the lock says, `--override` builds something else; leave one of the two out"
    )]
    LockedOverride,
    /// A source that cannot replace that of a plugin.
    #[error("cannot use `--override {argument}`")]
    Override {
        /// The argument given.
        argument: String,
        /// Why not.
        #[source]
        source: crate::overrides::OverrideRefusal,
    },
    /// A text that names no source.
    #[error("{message}; {help}")]
    Source {
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        help: String,
    },
    /// Something that cannot be done without a network.
    #[error("{what} needs the network, which `--offline` forbids")]
    Offline {
        /// The command.
        what: &'static str,
    },
    /// A name that several declared plugins have.
    #[error("`{name}` is declared more than once: {declared}; say which one as NAME==VERSION")]
    AmbiguousPlugin {
        /// The name given.
        name: String,
        /// All of them, with their lines.
        declared: String,
    },
    /// An output folder that would overwrite something.
    #[error("cannot use `--out-dir {path}`")]
    OutDir {
        /// The path given.
        path: String,
        /// Why not.
        #[source]
        source: crate::declaration::OutDirRefusal,
    },
    /// A folder that cannot be filled without losing something.
    #[error("cannot vendor into `{path}`, which {reason}")]
    VendorFolder {
        /// The path given.
        path: String,
        /// Why not.
        reason: String,
    },
}

/// Refuses a name that no component of the declaration has.
pub(crate) fn check_component(declaration: &Declaration, name: &str) -> Result<(), UsageError> {
    if declaration.component_names().any(|known| known == name) {
        return Ok(());
    }
    let help = suggestion(name, "components", declaration.component_names());
    Err(UsageError::UnknownComponent { name: name.to_owned(), help })
}

/// The plugin that `NAME` or `NAME==VERSION` means.
pub(crate) fn select_plugin<'a>(
    declaration: &Declaration,
    plugins: &'a [LoadedPlugin],
    selector: &str,
) -> Result<&'a LoadedPlugin, UsageError> {
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
            Err(UsageError::UnknownPlugin { name: selector.to_owned(), help })
        }
        _ => {
            let place = |plugin: &&LoadedPlugin| {
                format!("`{}` at {}", versioned(plugin), declaration.line_of(&plugin.declaration))
            };
            let declared: Vec<_> = meant.iter().map(place).collect();
            Err(UsageError::AmbiguousPlugin { name: selector.to_owned(), declared: declared.join(", ") })
        }
    }
}
