//! How plugins and crates show in what cargo and the compilers print.

use std::sync::Arc;

use cargo_metadata::PackageId;

use super::graph::CrateId;
use crate::cargo::name_and_version;
use crate::plan::PlannedPlugin;

/// The indexes of the plugins whose crate a text leads to.
pub(super) fn with_folder_in(text: &str, plugins: &[Arc<PlannedPlugin>]) -> Vec<usize> {
    (0..plugins.len()).filter(|index| holds_folder(text, &plugins[*index])).collect()
}

/// Whether a path or address leads to the crate of the plugin. The folder ends with a digest, so no other one begins
/// alike.
pub(super) fn holds_folder(text: &str, plugin: &PlannedPlugin) -> bool {
    text.contains(&format!("plugins/{}", plugin.folder))
}

/// Whether a package id is that of the crate.
pub(super) fn is_of(id: &PackageId, external: &CrateId) -> bool {
    let is_external = !id.repr.starts_with("path+");
    let titled = |(name, version)| name == external.name && version == external.version;
    is_external && name_and_version(&id.repr).is_some_and(titled)
}

/// Whether a word is in the text, with no character of an identifier on either side.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(start, _)| {
        !text[..start].ends_with(is_part) && !text[start + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_ids_name_their_crate() {
        let external = |name: &str| CrateId {
            name: name.to_owned(),
            version: "0.5.1".to_owned(),
            source: Some("registry".to_owned()),
        };
        let id = |repr: &str| PackageId { repr: repr.to_owned() };
        assert!(is_of(&id("registry+https://index#bs58@0.5.1"), &external("bs58")));
        assert!(is_of(&id("registry+https://host/bs58#0.5.1"), &external("bs58")));
        assert!(!is_of(&id("registry+https://index#bs58@0.5.10"), &external("bs58")));
        assert!(!is_of(&id("path+file:///plugins/bs58#0.5.1"), &external("bs58")));
    }

    #[test]
    fn words_are_whole() {
        assert!(mentions("&plugin_a_1_0_0::X", "plugin_a_1_0_0"));
        assert!(!mentions("&plugin_plugin_a_1_0_0::X", "plugin_a_1_0_0"));
        assert!(!mentions("&plugin_a_1_0_0_rc1::X", "plugin_a_1_0_0"));
    }
}
