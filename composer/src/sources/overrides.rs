//! Building a declared plugin from another folder, to try a change without declaring it.

use crate::session::Session;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use racetrack_bundle::Origin;
use racetrack_bundle::suggestion::suggestion;

use crate::checkout::Checkout;
use crate::declaration::Declaration;
use crate::files::relative;
use crate::plan::LoadedPlugin;
use crate::rejected::Rejected;
use crate::sources::plugin::load_plugin;

/// Another source for a plugin, as the command line gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The name of the plugin.
    pub plugin: String,
    /// The folder, relative to the current one.
    pub path: PathBuf,
}

/// An override that is refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `--override {argument}`")]
pub struct OverrideError {
    /// The argument given, `NAME=PATH`.
    pub argument: String,
    /// Why it cannot be used.
    #[source]
    pub refusal: OverrideRefusal,
}

/// Why a folder cannot replace the source of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum OverrideRefusal {
    /// No such plugin is declared.
    #[error("no plugin `{name}` is declared; {help}")]
    UnknownPlugin {
        /// The name given.
        name: String,
        /// What was probably meant.
        help: String,
    },
    /// The name stands for more than one plugin.
    #[error(
        "plugin `{name}` is declared in several versions ({versions}), and an override cannot tell them apart"
    )]
    SeveralVersions {
        /// The name given.
        name: String,
        /// The declared versions.
        versions: String,
    },
    /// The plugin has an override already.
    #[error("plugin `{name}` is overridden twice")]
    Twice {
        /// The name given.
        name: String,
    },
    /// The folder is not there.
    #[error("the folder cannot be found")]
    Missing(#[source] std::io::Error),
    /// Something that is no folder.
    #[error("it is no folder; bundles cannot replace a source")]
    NoFolder,
    /// Cargo would hash the place of the folder into the binary.
    #[error("the folder is outside of the checkout")]
    OutsideCheckout,
    /// The folder holds another plugin.
    #[error("the folder holds plugin `{found}`")]
    OtherPlugin {
        /// Its name.
        found: String,
    },
}

/// Replaces the sources of plugins in what was loaded. Says so for each of them.
pub fn apply(
    overrides: &[Override],
    declaration: &mut Declaration,
    plugins: &mut [LoadedPlugin],
    session: &Session,
) -> Result<()> {
    let Session { checkout, shell } = session;
    for wanted in overrides {
        let refused = |refusal| {
            let argument = format!("{}={}", wanted.plugin, wanted.path.display());
            OverrideError { argument, refusal }
        };
        let index = find(&wanted.plugin, plugins).map_err(refused)?;
        let folder = folder(&wanted.path, checkout).map_err(refused)?;
        let former = &plugins[index];
        let mut replaced = former.declaration.clone();
        replaced.source = shown(&relative(&declaration.folder, &folder));
        replaced.origin = Origin::Folder(folder);
        replaced.remote = None;
        replaced.overridden = true;
        let plugin = load_plugin(&replaced, declaration, &checkout.platform()?).map_err(Rejected)?;
        let found = plugin.source.manifest.name.as_str();
        if found != wanted.plugin {
            return Err(refused(OverrideRefusal::OtherPlugin { found: found.to_owned() }).into());
        }
        shell.warn(format_args!(
            "plugin `{found}` {} is built from `{}` instead of `{}`; the components that hold it are unlocked",
            plugin.source.manifest.version, replaced.source, former.declaration.source
        ));
        if let Some(declared) = declaration.plugins.iter_mut().find(|one| one.position == replaced.position) {
            *declared = replaced;
        }
        plugins[index] = plugin;
    }
    Ok(())
}

fn find(name: &str, plugins: &[LoadedPlugin]) -> Result<usize, OverrideRefusal> {
    let name_of = |plugin: &LoadedPlugin| plugin.source.manifest.name.to_string();
    let found: Vec<_> = plugins.iter().enumerate().filter(|(_, plugin)| name_of(plugin) == name).collect();
    match &found[..] {
        [] => {
            let known: Vec<_> = plugins.iter().map(name_of).collect();
            let help = suggestion(name, "plugins", known.iter().map(String::as_str));
            Err(OverrideRefusal::UnknownPlugin { name: name.to_owned(), help })
        }
        [(_, plugin)] if plugin.declaration.overridden => {
            Err(OverrideRefusal::Twice { name: name.to_owned() })
        }
        [(index, _)] => Ok(*index),
        several => {
            let versions: Vec<_> =
                several.iter().map(|(_, plugin)| plugin.source.manifest.version.to_string()).collect();
            let versions = versions.join(", ");
            Err(OverrideRefusal::SeveralVersions { name: name.to_owned(), versions })
        }
    }
}

fn folder(path: &Path, checkout: &Checkout) -> Result<PathBuf, OverrideRefusal> {
    let folder = path.canonicalize().map_err(OverrideRefusal::Missing)?;
    if !folder.is_dir() {
        return Err(OverrideRefusal::NoFolder);
    }
    if !folder.starts_with(&checkout.root) {
        return Err(OverrideRefusal::OutsideCheckout);
    }
    Ok(folder)
}

/// The path with `/` between its parts, as a declaration would write it.
fn shown(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .map(|part| match part {
            Component::ParentDir => "..".into(),
            part => part.as_os_str().to_string_lossy(),
        })
        .collect();
    parts.join("/")
}
