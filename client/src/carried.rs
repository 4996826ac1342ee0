//! The files of `plugin_sample`: this program works outside a checkout too.

/// Paths and texts.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../plugin_sample/Cargo.toml")),
    ("README.md", include_str!("../../plugin_sample/README.md")),
    ("plugin-manifest.yaml", include_str!("../../plugin_sample/plugin-manifest.yaml")),
    ("resources/docs.md", include_str!("../../plugin_sample/resources/docs.md")),
    ("src/lib.rs", include_str!("../../plugin_sample/src/lib.rs")),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use racetrack_bundle::{Origin, PluginSource};

    use super::*;

    #[test]
    fn every_file_of_the_sample_is_carried() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin_sample");
        let source = PluginSource::load_undeclared(Origin::Folder(folder.clone()), &folder).expect("valid");
        let found: Vec<_> = source.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(found, FILES.iter().map(|(path, _)| *path).collect::<Vec<_>>());
    }
}
