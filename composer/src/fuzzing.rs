//! What `cargo xtask fuzz` feeds with bytes of nobody's making. Whatever they are: no panic, and edits keep what they do not mean.

use std::path::PathBuf;

use racetrack_bundle::{Diagnostics, Style, render};

use crate::declaration::edit;
use crate::declaration::{Document, read_text};

/// Reads the bytes as a `racetrack.toml`, as far as that goes without a disk, and edits it.
pub fn declaration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let document = Document { file: PathBuf::from("racetrack.toml"), text: text.into() };
    let mut found = Diagnostics::default();
    let plugins = read_text(&document, &mut found);
    assert_eq!(render(&found, Style::Plain).is_empty(), found.is_empty());
    if !found.is_empty() {
        return;
    }
    let added = edit::add(text, None, &[("path", "\"added\"".to_owned())]);
    let edited = Document { text: added.as_str().into(), ..document };
    assert_eq!(read_text(&edited, &mut found), plugins + 1, "one more than in\n{text}\nis\n{added}");
    assert!(found.is_empty(), "{found:?}\n{added}");
    assert_eq!(edit::remove(&added, plugins), text, "what was put in is taken out");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_inputs_do_no_harm() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/declaration");
        let inputs = fs_err::read_dir(folder).expect("there are inputs");
        let run = |path: PathBuf| declaration(&fs_err::read(path).expect("a file"));
        assert!(inputs.map(|input| run(input.expect("readable").path())).count() > 0);
    }
}
