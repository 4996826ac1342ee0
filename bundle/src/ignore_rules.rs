//! Which files of a plugin's folder are no part of the plugin.
//!
//! The rules are those of `.gitignore`, read from the folder's `.racetrackignore`, after the default ones: a line such as
//! `!keep.zip` takes a file back in. The folder's `.gitignore` is not read, because a plugin may ship what it does
//! not keep under version control. `Cargo.lock` is left out because the locks of the components decide.

use std::path::Path;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::{Diagnostic, Diagnostics, Location, codes};

/// The file with a plugin's own rules.
pub const FILE_NAME: &str = ".racetrackignore";

/// The rules that apply before a plugin's own.
pub const DEFAULTS: [&str; 17] = [
    ".git",
    ".hg",
    ".svn",
    ".gitignore",
    ".gitattributes",
    "/.racetrackignore",
    "/.racetrack/",
    "/target/",
    "/Cargo.lock",
    "*.zip",
    "__pycache__/",
    "*.pyc",
    ".DS_Store",
    "Thumbs.db",
    "*~",
    ".*.sw[op]",
    "#*#",
];

/// The rules of one folder.
pub(crate) struct IgnoreRules(Gitignore);

impl IgnoreRules {
    /// The default rules and those of `text`, the content of a `.racetrackignore` that is shown as `shown`.
    pub(crate) fn parse(text: Option<Arc<str>>, shown: &Path) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        // Paths are given relative to the plugin's folder.
        let mut builder = GitignoreBuilder::new("");
        for line in DEFAULTS {
            builder.add_line(None, &default_line(line)).expect("the default rules are valid");
        }
        let text = text.unwrap_or_default();
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let rule = line.trim_end_matches(['\n', '\r']);
            if let Err(error) = builder.add_line(None, rule) {
                let location = Location::in_text(shown, Arc::clone(&text), offset..offset + rule.len());
                let message = format!("the line is no ignore pattern: {error}");
                diagnostics.push(
                    Diagnostic::new(codes::IGNORE_PATTERN, location, message)
                        .with_help("write a pattern as in a `.gitignore`"),
                );
            }
            offset += line.len();
        }
        let matcher = builder.build().map_err(|error| {
            let message = format!("the ignore patterns cannot be used together: {error}");
            Diagnostic::new(codes::IGNORE_PATTERN, Location::file(shown), message)
                .with_help("write fewer patterns")
        })?;
        diagnostics.into_result(Self(matcher))
    }

    /// Whether a file or folder, given by its path in the plugin's folder, is left out.
    pub(crate) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        self.0.matched(path, is_folder).is_ignore()
    }
}

/// A line that starts with `#` is a comment unless it is escaped.
fn default_line(line: &str) -> String {
    if line.starts_with('#') { format!("\\{line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> IgnoreRules {
        IgnoreRules::parse(Some(text.into()), Path::new(FILE_NAME)).expect("valid rules")
    }

    #[test]
    fn the_default_rules_leave_out_what_is_no_source() {
        let rules = rules("");
        for folder in [".git", "target", "src/__pycache__", ".racetrack"] {
            assert!(rules.ignores(folder, true), "{folder}");
        }
        for file in
            ["old.zip", "deep/old.zip", "x.pyc", ".gitignore", "Cargo.lock", ".src.rs.swp", "lib.rs~", "#a#"]
        {
            assert!(rules.ignores(file, false), "{file}");
        }
        for file in ["src/target/mod.rs", "target.rs", ".env.example", "resources/Cargo.lock", "zip"] {
            assert!(!rules.ignores(file, false), "{file}");
        }
    }

    #[test]
    fn own_rules_have_the_semantics_of_gitignore() {
        let rules = rules("# comment\n*.log\n!keep.log\n/docs\nbuild/\na/**/z\n!old.zip\n\\#literal\n");
        for (path, is_folder, ignored) in [
            ("x.log", false, true),
            ("deep/x.log", false, true),
            ("keep.log", false, false),
            ("docs", true, true),
            ("src/docs", true, false),
            ("build", true, true),
            ("build", false, false),
            ("a/z", false, true),
            ("a/b/c/z", false, true),
            ("old.zip", false, false),
            ("#literal", false, true),
        ] {
            assert_eq!(rules.ignores(path, is_folder), ignored, "{path}");
        }
    }

    #[test]
    fn a_bad_pattern_is_reported_at_its_line() {
        let wrong = IgnoreRules::parse(Some("ok\n{b\n".into()), Path::new(FILE_NAME));
        let wrong = wrong.err().expect("a bad line");
        let places: Vec<_> = wrong.0.iter().map(|one| one.location.to_string()).collect();
        assert_eq!(places, [".racetrackignore:2:1"]);
    }
}
