//! Making a vendor folder.

use crate::session::Session;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use racetrack_bundle::Origin;

use super::crates;
use crate::checkout::{Checkout, TOOLCHAIN};
use crate::plan::Loaded;
use crate::plan::LoadedPlugin;
use crate::remote::Sha256;
use crate::vendor_folder::{CARGO_CONFIG, CHECKSUMS, CRATES, PLUGINS, Record, VendoredPlugin};
use crate::vendored::checksums::Checksums;
use crate::vendored::inputs;
use crate::workspace::assemble as workspace;

/// Lets cargo take crates from the vendor folder, and nothing from elsewhere.
const CONFIG: &str = "\
# Made by `cargo xtask vendor`. On a machine without a network: `cargo --config <this file> xtask build --frozen --vendor <DIR>`.
[net]
offline = true

[source.crates-io]
replace-with = \"racetrack-vendor\"

[source.racetrack-vendor]
directory = \"crates\"
";

/// A vendor folder that is committed has to be checked out as it is.
const GIT_ATTRIBUTES: &str = "* -text\n";

/// What a vendor folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many crates.
    pub crates: usize,
    /// How many plugin sources.
    pub plugins: usize,
    /// The SHA-256 of its checksums, by which the whole folder is known.
    pub digest: String,
}

/// Fills the empty folder `into`. The generated workspaces are on disk, each with its lock.
pub(super) fn make(loaded: &Loaded, into: &Path, session: &Session) -> Result<Contents> {
    let Session { checkout, shell } = session;
    let declaration = &loaded.declaration;
    copy_locks(loaded, into, checkout)?;
    let mut manifests = vec![checkout.root.join("Cargo.toml")];
    let components = declaration.component_names();
    manifests.extend(components.map(|name| workspace::folder(declaration, name).join("Cargo.toml")));
    shell.status("Vendoring", format_args!("the crates of {} workspaces", manifests.len()));
    crates::vendor(&manifests, &into.join(CRATES), checkout)?;
    let component = manifests.last().expect("the checkout is a workspace");
    let record = Record {
        version: Record::VERSION,
        toolchain: TOOLCHAIN.to_owned(),
        declaration: Sha256::of(declaration.document.text.as_bytes()).to_string(),
        registry_folder: crates::registry_folder(component, checkout)?,
        plugins: copy_plugins(&loaded.plugins, into, session)?,
    };
    fs::write(into.join(Record::FILE_NAME), record.to_text()?)?;
    let config = into.join(CARGO_CONFIG);
    fs::create_dir_all(config.parent().context("a file has a folder")?)?;
    fs::write(config, CONFIG)?;
    fs::write(into.join(".gitattributes"), GIT_ATTRIBUTES)?;
    let checksums = Checksums::of(into, |files| shell.progress("Digesting", files))?.to_string();
    fs::write(into.join(CHECKSUMS), &checksums)?;
    Ok(Contents {
        crates: fs::read_dir(into.join(CRATES))?.count(),
        plugins: record.plugins.len(),
        digest: Sha256::of(checksums.as_bytes()).to_string(),
    })
}

fn copy_locks(loaded: &Loaded, into: &Path, checkout: &Checkout) -> Result<()> {
    let declaration = &loaded.declaration;
    let file = declaration.folder.join(&declaration.document.file);
    for lock in inputs::locks(declaration.component_names(), &file, checkout) {
        let Some(content) = inputs::content(&lock.path)? else {
            continue;
        };
        crates::check_origins(&lock.name, &String::from_utf8_lossy(&content))?;
        let copy = into.join(&lock.name);
        fs::create_dir_all(copy.parent().context("a file has a folder")?)?;
        fs::write(copy, content)?;
    }
    Ok(())
}

fn copy_plugins(plugins: &[LoadedPlugin], into: &Path, session: &Session) -> Result<Vec<VendoredPlugin>> {
    let Session { checkout, shell } = session;
    let mut vendored = Vec::new();
    for LoadedPlugin { declaration, source, .. } in plugins {
        let name = source.store_name();
        let path = match &source.origin {
            Origin::Folder(folder) if is_of_checkout(folder, checkout) => continue,
            Origin::Folder(_) => {
                source.unpack_into(&into.join(PLUGINS))?;
                format!("{PLUGINS}/{name}")
            }
            Origin::Zip(file) => {
                let path = format!("{PLUGINS}/{name}.zip");
                fs::create_dir_all(into.join(PLUGINS))?;
                // Written rather than copied: the rights of the original are nobody's business.
                fs::write(into.join(&path), fs::read(file)?)?;
                path
            }
        };
        shell.status("Vendoring", format_args!("plugin source `{}`", declaration.source));
        vendored.push(VendoredPlugin { source: declaration.source.clone(), path });
    }
    Ok(vendored)
}

/// Whether a folder is part of the sources, and not something that was fetched.
fn is_of_checkout(folder: &Path, checkout: &Checkout) -> bool {
    folder.starts_with(&checkout.root) && !folder.starts_with(checkout.store())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_into_the_store_is_no_part_of_the_checkout() {
        let checkout = Checkout {
            root: "/a".into(),
            cargo: "cargo".into(),
            cargo_home: "/h".into(),
            homes: Vec::new(),
            offline: false,
            vendor: None,
        };
        assert!(is_of_checkout(Path::new("/a/plugins/x"), &checkout));
        assert!(!is_of_checkout(Path::new("/a/.racetrack/store/git/0"), &checkout));
        assert!(!is_of_checkout(Path::new("/elsewhere/x"), &checkout));
    }
}
