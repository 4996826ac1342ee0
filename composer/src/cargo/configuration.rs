//! The configuration files of cargo.

use std::path::{Path, PathBuf};

use crate::checkout::Checkout;

/// The configuration files that cargo reads in `folder`, whether they are there or not.
pub fn cargo_configuration_files(folder: &Path, checkout: &Checkout) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let folders = folder.ancestors().map(|folder| folder.join(".cargo"));
    for folder in folders.chain([checkout.cargo_home.clone()]) {
        for name in ["config", "config.toml"] {
            let file = folder.join(name);
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}
