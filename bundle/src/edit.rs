//! Setting the version and the build date of a plugin in the text of its files, leaving the rest as it is.

use std::ops::Range;
use std::path::Path;

use racetrack_core::Version;
use toml_edit::{DocumentMut, Item, Value};

use crate::yaml_tree::{self, Node, Step};
use crate::{Diagnostic, Diagnostics, Location, codes, manifest};

/// What to set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// The plugin's version; set in the manifest and in the crate.
    pub version: Option<Version>,
    /// The manifest's build date: UTC, `%Y-%m-%dT%H%M%SZ`.
    pub build_date: Option<String>,
}

impl Edits {
    /// Whether nothing is to be set.
    pub fn is_empty(&self) -> bool {
        self.version.is_none() && self.build_date.is_none()
    }
}

/// The manifest with the edits. The result is read again and compared, so nothing else has changed.
pub(crate) fn edit_manifest(content: &[u8], shown: &Path, edits: &Edits) -> Result<Vec<u8>, Diagnostics> {
    let mut wanted = manifest::parse(content, shown, None)?;
    let mut text = String::from(&*manifest::decode(content, shown)?);
    if let Some(version) = &edits.version {
        set_key(&mut text, "version", version.as_str());
        wanted.version = version.clone();
    }
    if let Some(build_date) = &edits.build_date {
        set_key(&mut text, "build_date", build_date);
        wanted.build_date = Some(build_date.clone());
    }
    match manifest::parse(text.as_bytes(), shown, None) {
        Ok(edited) if edited == wanted => Ok(text.into_bytes()),
        _ => {
            let message = "the manifest is written in a way that cannot be edited";
            Err(Diagnostic::new(codes::MANIFEST_NOT_EDITABLE, Location::file(shown), message)
                .with_help("write one `key: value` per line, without anchors")
                .into())
        }
    }
}

/// The `Cargo.toml` of a crate that was checked, with `version` in its `[package]`.
pub(crate) fn edit_crate(content: &[u8], shown: &Path, version: &Version) -> Result<Vec<u8>, Diagnostics> {
    let text = manifest::decode_utf8(content, shown)?;
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let message = format!("the Cargo.toml is no valid TOML: {}", error.message());
        Diagnostic::new(codes::CRATE_SYNTAX, Location::file(shown), message).with_help("mend the file")
    })?;
    if let Some(Item::Value(old)) = document.get_mut("package").and_then(|package| package.get_mut("version"))
    {
        let decor = old.decor().clone();
        *old = Value::from(version.as_str());
        *old.decor_mut() = decor;
    }
    Ok(document.to_string().into_bytes())
}

/// Replaces the value of a top-level key, or adds a line at the end.
fn set_key(text: &mut String, key: &str, value: &str) {
    let value = quoted(value);
    if let Some(range) = value_range(text, key) {
        return text.replace_range(range, &value);
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.extend([key, ": ", &value, "\n"]);
}

fn value_range(text: &str, key: &str) -> Option<Range<usize>> {
    let documents = yaml_tree::parse(text).ok()?;
    let Some(Node::Mapping(entries)) = documents.first() else {
        return None;
    };
    let entry = entries.iter().position(|(name, _)| *name == Node::Text(key.to_owned()))?;
    Some(yaml_tree::locate(text, 0, &[Step::Value(entry)]))
}

/// A text that YAML reads as a text; plain where that is safe.
fn quoted(value: &str) -> String {
    let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    if is_plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, version: Option<&str>, build_date: Option<&str>) -> Result<String, Diagnostics> {
        let edits = Edits {
            version: version.map(|version| version.parse().expect("valid")),
            build_date: build_date.map(str::to_owned),
        };
        edit_manifest(text.as_bytes(), Path::new("m"), &edits)
            .map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn comments_and_quotes_elsewhere_stay() {
        let text = "# mine\nname: a   # the name\nversion: '1.0.0' # old\nurl: \"x\"";
        assert_eq!(
            edited(text, Some("2.0.0-rc1"), Some("2026-11-22T152104Z")).as_deref(),
            Ok(
                "# mine\nname: a   # the name\nversion: 2.0.0-rc1 # old\nurl: \"x\"\nbuild_date: 2026-11-22T152104Z\n"
            ),
        );
        let text = "version: 1.0.0\nname: a\nbuild_date: x\n";
        assert_eq!(
            edited(text, Some("1.0.0 it's"), Some("y")).as_deref(),
            Ok("version: '1.0.0 it''s'\nname: a\nbuild_date: y\n"),
        );
    }

    #[test]
    fn a_manifest_in_one_line_can_be_edited_only_in_place() {
        assert_eq!(
            edited("{name: a, version: 1.0.0}\n", Some("2.0.0"), None).as_deref(),
            Ok("{name: a, version: 2.0.0}\n")
        );
        let refused =
            edited("{name: a, version: 1.0.0}\n", None, Some("x")).expect_err("no place for a line");
        assert_eq!(refused.0[0].code, codes::MANIFEST_NOT_EDITABLE);
    }

    #[test]
    fn the_crate_keeps_its_comments() {
        let text = "[package]\nname = \"a\"\nversion = \"1.0.0\" # mine\n";
        let edited = edit_crate(text.as_bytes(), Path::new("c"), &"1.1.0".parse().expect("valid"));
        assert_eq!(edited.as_deref(), Ok("[package]\nname = \"a\"\nversion = \"1.1.0\" # mine\n".as_bytes()));
    }
}
