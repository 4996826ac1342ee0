//! What `cargo xtask fuzz` feeds with bytes of nobody's making. Whatever they are: no panic, and what is accepted is safe.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source_label::SourceLabel;
use crate::{Diagnostics, Style, archive, limits, manifest, render, safe_path};

/// Reads the bytes as a ZIP bundle.
pub fn archive(bytes: &[u8]) {
    match archive::unpack(bytes, SourceLabel::archive(Path::new("x.zip"), Path::new(""))) {
        Ok(archive::ArchiveContent { files, .. }) => {
            assert!(files.len() <= limits::FILES);
            assert!(files.is_sorted_by(|one, other| one.path < other.path), "each path once");
            for file in &files {
                assert!(safe_path::check(&file.path).is_ok(), "{}", file.path);
                assert!(file.content.len() as u64 <= limits::FILE_BYTES);
            }
        }
        Err(refused) => rendered(&refused),
    }
}

/// Reads the bytes as a `plugin-manifest.yaml`.
pub fn plugin_manifest(bytes: &[u8]) {
    let components = BTreeSet::from(["image-builder".to_owned(), "lifecycle".to_owned()]);
    let (read, found) = manifest::read(bytes, Path::new(manifest::FILE_NAME), Some(&components));
    assert!(read.is_some() || !found.is_empty(), "what is not read is explained");
    rendered(&found);
}

/// Shows every mistake: that takes apart the text around its place.
fn rendered(found: &Diagnostics) {
    assert_eq!(render(found, Style::Plain).is_empty(), found.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a target on the inputs that are kept of it.
    fn replay(target: &str, run: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let inputs = fs_err::read_dir(folder).expect("there are inputs");
        let count =
            inputs.map(|input| run(&fs_err::read(input.expect("readable").path()).expect("a file"))).count();
        assert!(count > 0, "{target} has no inputs");
    }

    #[test]
    fn kept_inputs_do_no_harm() {
        replay("archive", archive);
        replay("plugin-manifest", plugin_manifest);
    }
}
