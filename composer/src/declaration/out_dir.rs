//! Where the binaries may go.

use std::path::{Path, PathBuf};

use super::declared::Declaration;
use crate::checkout::Checkout;

/// Folders of a checkout that people or tools write; relative to its root.
const OWN_FOLDERS: [&str; 7] = [".cargo", ".ci", ".git", ".racetrack", "composer", "locks", "xtask"];

/// Why binaries cannot go to a folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutDirRefusal {
    /// Something that must not be overwritten lies in the folder, or is the folder.
    #[error("the binaries cannot go to a folder that holds `{held}`")]
    Holds {
        /// What it holds, relative to the checkout.
        held: String,
    },
    /// The folder lies in something that must not be changed.
    #[error("the binaries cannot go into `{owner}`")]
    Inside {
        /// What it lies in, relative to the checkout.
        owner: String,
    },
}

/// Refuses an output folder that holds, or lies in, anything written by hand.
pub fn check_out_dir(
    out_dir: &Path,
    declaration: &Declaration,
    checkout: &Checkout,
) -> Result<(), OutDirRefusal> {
    let shown = |path: &Path| match path.strip_prefix(&checkout.root) {
        Ok(relative) if relative.as_os_str().is_empty() => "the checkout".to_owned(),
        Ok(relative) => relative.display().to_string(),
        Err(_) => path.display().to_string(),
    };
    let protected = protected(declaration, checkout);
    if let Some(held) = protected.iter().find(|path| path.starts_with(out_dir)) {
        return Err(OutDirRefusal::Holds { held: shown(held) });
    }
    // A declaration may stand in a folder of a crate, such as the fixtures of its tests.
    let owners = protected.iter().filter(|path| !declaration.folder.starts_with(path));
    match owners.into_iter().find(|path| out_dir.starts_with(path)) {
        Some(owner) => Err(OutDirRefusal::Inside { owner: shown(owner) }),
        None => Ok(()),
    }
}

fn protected(declaration: &Declaration, checkout: &Checkout) -> Vec<PathBuf> {
    let mut protected = vec![checkout.root.clone(), declaration.folder.clone()];
    protected.extend(OWN_FOLDERS.iter().map(|folder| checkout.root.join(folder)));
    protected.extend([declaration.folder.join("locks"), declaration.state()]);
    protected.extend(declaration.components.iter().map(|component| checkout.root.join(&component.member)));
    protected.extend(declaration.plugins.iter().map(|plugin| plugin.origin.path().to_owned()));
    protected.extend(members(checkout));
    protected
}

/// The members of the hand-written workspace.
fn members(checkout: &Checkout) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(checkout.root.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = text.parse().unwrap_or_default();
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members")?.as_array());
    members
        .into_iter()
        .flatten()
        .filter_map(|member| member.as_str())
        .map(|member| checkout.root.join(member))
        .collect()
}
