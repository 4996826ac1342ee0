//! Reading a `plugin-manifest.yaml`: all its mistakes, each at its place.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use racetrack_core::yaml::{self, Reason, Refusal, YamlError};
use racetrack_core::{Category, PluginManifest, PluginName, Version};

use crate::suggestion::suggestion;
use crate::yaml_tree::{self, Node, Step};
use crate::{Code, Diagnostic, Diagnostics, Location, codes, limits};

/// The file name of a plugin manifest.
pub use racetrack_core::plugin_manifest::FILE_NAME;

/// A key that manifests may have.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for.
    pub doc: &'static str,
}

/// What a key holds. Where it may be left out, it may also be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`PluginName`].
    Name,
    /// A [`Version`].
    Version,
    /// Any text.
    Text,
    /// An integer.
    Integer,
    /// A [`Category`].
    Category,
    /// A list of names of components, none twice.
    Components,
}

/// The keys a manifest may have.
pub const KEYS: [Key; 7] = [
    key("name", Kind::Name, true, "The name of the plugin, and of its crate."),
    key("version", Kind::Version, true, "Equal to the version of the plugin's crate."),
    key("url", Kind::Text, false, "Home page of the plugin."),
    key(
        "priority",
        Kind::Integer,
        false,
        "Hooks run by ascending priority, 0 if it is left out; plugins of one priority run in the order of racetrack.toml.",
    ),
    key("category", Kind::Category, false, "What kind of thing the plugin adds."),
    key(
        "components",
        Kind::Components,
        false,
        "The components the plugin is meant for; empty or left out means all.",
    ),
    key("build_date", Kind::Text, false, "When the bundle was made: UTC, `%Y-%m-%dT%H%M%SZ`."),
];

const fn key(name: &'static str, kind: Kind, required: bool, doc: &'static str) -> Key {
    Key { name, kind, required, doc }
}

fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// Reads a manifest. `shown` is the file's name in diagnostics. Components are checked against
/// `known_components`, if these are known.
pub fn parse(
    content: &[u8],
    shown: &Path,
    known_components: Option<&BTreeSet<String>>,
) -> Result<PluginManifest, Diagnostics> {
    match read(content, shown, known_components) {
        (Some(manifest), diagnostics) => diagnostics.into_result(manifest),
        (None, diagnostics) => Err(diagnostics),
    }
}

/// The line of a key that has a value, counted from 1; nothing for a text that is no manifest.
pub fn line_of(content: &[u8], key: &str) -> Option<usize> {
    let text = decode(content, Path::new(FILE_NAME)).ok()?;
    let entries = top_level(&text, Path::new(FILE_NAME)).ok()?;
    let entry = entries.iter().position(|(name, value)| is_text(name, key) && *value != Node::Null)?;
    let range = yaml_tree::locate(&text, 0, &[Step::Key(entry)]);
    Location::in_text(FILE_NAME, text, range).line_and_column().map(|(line, _)| line)
}

/// The same, with a manifest to check the crate against where at least name and version are right.
pub(crate) fn read(
    content: &[u8],
    shown: &Path,
    known_components: Option<&BTreeSet<String>>,
) -> (Option<PluginManifest>, Diagnostics) {
    let decoded = decode(content, shown).and_then(|text| Ok((top_level(&text, shown)?, text)));
    let (entries, text) = match decoded {
        Ok(decoded) => decoded,
        Err(diagnostic) => return (None, diagnostic.into()),
    };
    let mut reading = Reading { text, shown, entries: &entries, diagnostics: Diagnostics::default() };
    reading.check_keys();
    let name = reading.required("name").and_then(|entry| reading.parsed(entry, codes::MANIFEST_BAD_NAME));
    let version =
        reading.required("version").and_then(|entry| reading.parsed(entry, codes::MANIFEST_BAD_VERSION));
    let build_date = reading.optional("build_date").and_then(|entry| reading.text(entry));
    let url = reading.optional("url").and_then(|entry| reading.text(entry));
    let priority = reading.optional("priority").and_then(|entry| reading.integer(entry));
    let category = reading.optional("category").and_then(|entry| reading.category(entry));
    let components = reading.optional("components").map(|entry| reading.components(entry, known_components));
    let diagnostics = reading.into_diagnostics();
    let (Some(name), Some(version)) = (name, version) else { return (None, diagnostics) };
    let mut manifest = PluginManifest::new(name, version);
    manifest.build_date = build_date;
    manifest.url = url;
    manifest.priority = priority.unwrap_or_default();
    manifest.category = category;
    manifest.components = components.unwrap_or_default();
    (Some(manifest), diagnostics)
}

/// The text of a manifest without its byte order mark.
pub(crate) fn decode(content: &[u8], shown: &Path) -> Result<Arc<str>, Diagnostic> {
    if content.len() > limits::MANIFEST_BYTES {
        let size = content.len();
        let message = format!("the manifest has {size} bytes, the limit is {}", limits::MANIFEST_BYTES);
        let help = "keep the manifest to its keys; other data belongs into resource files";
        return Err(
            Diagnostic::new(codes::MANIFEST_TOO_LARGE, Location::file(shown), message).with_help(help)
        );
    }
    let text = decode_utf8(content, shown)?;
    match yaml::check(&text, limits::MANIFEST) {
        Err(YamlError::Refused(Refusal { reason, place })) => {
            let code = match reason {
                Reason::SecondDocument => codes::MANIFEST_SEVERAL_DOCUMENTS,
                _ => codes::MANIFEST_SYNTAX,
            };
            let location =
                Location::in_text(shown, Arc::clone(&text), yaml_tree::token_at(&text, place.offset));
            Err(Diagnostic::new(code, location, reason.to_string()).with_help(reason.help()))
        }
        // What is no YAML is reported by whoever makes a tree of it; the size was looked at.
        _ => Ok(text),
    }
}

/// A text file without its byte order mark.
pub(crate) fn decode_utf8(content: &[u8], shown: &Path) -> Result<Arc<str>, Diagnostic> {
    match str::from_utf8(content) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text).into()),
        Err(error) => {
            let valid = String::from_utf8_lossy(&content[..error.valid_up_to()]);
            let line = valid.matches('\n').count() + 1;
            let message =
                format!("the file is not UTF-8: byte {} (line {line}) is wrong", error.valid_up_to() + 1);
            Err(Diagnostic::new(codes::NOT_UTF8, Location::file(shown), message)
                .with_help("save the file as UTF-8"))
        }
    }
}

fn top_level(text: &Arc<str>, shown: &Path) -> Result<Vec<(Node, Node)>, Diagnostic> {
    let at = |range| Location::in_text(shown, Arc::clone(text), range);
    let mut documents = yaml_tree::parse(text).map_err(|error| {
        let message = format!("the manifest is no valid YAML: {}", error.message);
        let location = match error.offset {
            Some(offset) => at(offset..offset),
            None => Location::file(shown),
        };
        Diagnostic::new(codes::MANIFEST_SYNTAX, location, message)
            .with_help("write one `key: value` per line")
    })?;
    match documents.pop() {
        Some(Node::Mapping(entries)) => Ok(entries),
        None | Some(Node::Null) => {
            let message = "the manifest is empty";
            Err(Diagnostic::new(codes::MANIFEST_EMPTY, at(0..0), message)
                .with_help("write at least `name: …` and `version: …`"))
        }
        Some(node) => {
            let message =
                format!("the manifest must be a mapping of keys to values, this is {}", node.kind());
            let range = yaml_tree::locate(text, 0, &[]);
            Err(Diagnostic::new(codes::MANIFEST_NOT_A_MAPPING, at(range), message)
                .with_help("write one `key: value` per line"))
        }
    }
}

/// The state of reading one manifest. Entries are numbers into `entries`.
struct Reading<'a> {
    text: Arc<str>,
    shown: &'a Path,
    entries: &'a [(Node, Node)],
    diagnostics: Diagnostics,
}

impl Reading<'_> {
    fn check_keys(&mut self) {
        for (index, (key, _)) in self.entries.iter().enumerate() {
            let Node::Text(name) = key else {
                let message = format!("a key must be a text, this is {}", key.kind());
                let help =
                    format!("remove the entry, or quote the key; {}", suggestion("", "keys", key_names()));
                self.report(codes::MANIFEST_WRONG_TYPE, &[Step::Key(index)], message, Some(help));
                continue;
            };
            if !key_names().any(|known| known == name) {
                let message = format!("unknown key `{}`", name.escape_debug());
                let help = suggestion(name, "keys", key_names());
                self.report(codes::MANIFEST_UNKNOWN_KEY, &[Step::Key(index)], message, Some(help));
            } else if self.entries[..index].iter().any(|(earlier, _)| earlier == key) {
                let message = format!("the key `{name}` is given twice");
                let help = "keep one of the two lines".to_owned();
                self.report(codes::MANIFEST_DUPLICATE_KEY, &[Step::Key(index)], message, Some(help));
            }
        }
    }

    /// The entry with that key. An absent value (`url:`) counts as absent.
    fn optional(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(name, value)| is_text(name, key) && *value != Node::Null)
    }

    fn required(&mut self, key: &str) -> Option<usize> {
        let found = self.optional(key);
        if found.is_none() {
            let entry = self.entries.iter().position(|(name, _)| is_text(name, key));
            let (path, message) = match entry {
                Some(index) => (vec![Step::Key(index)], format!("the key `{key}` has no value")),
                None => (vec![], format!("the required key `{key}` is missing")),
            };
            let example = if key == "version" { "version: 1.0.0" } else { "name: my-plugin" };
            let help = format!("write for example `{example}`");
            self.report(codes::MANIFEST_MISSING_KEY, &path, message, Some(help));
        }
        found
    }

    fn text(&mut self, entry: usize) -> Option<String> {
        match &self.entries[entry].1 {
            Node::Text(text) => Some(text.clone()),
            other => self.wrong_type(entry, "a text", other, "put it in quotes"),
        }
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display> + Named>(
        &mut self,
        entry: usize,
        code: Code,
    ) -> Option<T> {
        let text = match &self.entries[entry].1 {
            Node::Text(text) => text,
            other => return self.wrong_type(entry, "a text", other, T::HELP),
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(code, &[Step::Value(entry)], error.to_string(), Some(T::HELP.to_owned()));
                None
            }
        }
    }

    fn integer(&mut self, entry: usize) -> Option<i64> {
        let help = "write an integer; plugins run by ascending priority, the default is 0";
        match &self.entries[entry].1 {
            Node::Integer(number) => {
                let number = i64::try_from(*number).ok();
                if number.is_none() {
                    let message = format!("the priority is not between {} and {}", i64::MIN, i64::MAX);
                    let path = [Step::Value(entry)];
                    self.report(codes::MANIFEST_WRONG_TYPE, &path, message, Some(help.to_owned()));
                }
                number
            }
            other => self.wrong_type(entry, "an integer", other, help),
        }
    }

    fn category(&mut self, entry: usize) -> Option<Category> {
        let text = self.text(entry)?;
        match text.parse() {
            Ok(category) => Some(category),
            Err(error) => {
                let message = format!("unknown category `{}`", error.text.escape_debug());
                let known = Category::ALL.map(Category::as_str);
                let help = suggestion(&text, "categories", known);
                self.report(codes::MANIFEST_UNKNOWN_CATEGORY, &[Step::Value(entry)], message, Some(help));
                None
            }
        }
    }

    fn components(&mut self, entry: usize, known: Option<&BTreeSet<String>>) -> Vec<String> {
        let entries = self.entries;
        let Node::List(items) = &entries[entry].1 else {
            let help =
                "write a list: `components: [lifecycle]`; without the key, the plugin is for all components";
            self.wrong_type::<()>(entry, "a list of component names", &entries[entry].1, help);
            return Vec::new();
        };
        let mut components = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = [Step::Value(entry), Step::Item(index)];
            let Node::Text(name) = item else {
                let message = format!("a component's name must be a text, this is {}", item.kind());
                let help = "write a component's name, such as `lifecycle`".to_owned();
                self.report(codes::MANIFEST_WRONG_TYPE, &path, message, Some(help));
                continue;
            };
            if components.contains(name) {
                let message = format!("the component `{}` is listed twice", name.escape_debug());
                let help = "remove one of the two".to_owned();
                self.report(codes::MANIFEST_DUPLICATE_COMPONENT, &path, message, Some(help));
            } else if known.is_some_and(|known| !known.contains(name)) {
                let message = format!("unknown component `{}`", name.escape_debug());
                let known = known.into_iter().flatten().map(String::as_str);
                let help = suggestion(name, "components", known);
                self.report(codes::MANIFEST_UNKNOWN_COMPONENT, &path, message, Some(help));
            }
            components.push(name.clone());
        }
        components
    }

    fn wrong_type<T>(&mut self, entry: usize, wanted: &str, found: &Node, help: &str) -> Option<T> {
        let Node::Text(key) = &self.entries[entry].0 else {
            return None;
        };
        let message = format!("`{key}` must be {wanted}, this is {}", found.kind());
        self.report(codes::MANIFEST_WRONG_TYPE, &[Step::Value(entry)], message, Some(help.to_owned()));
        None
    }

    /// All mistakes, in the order of the text.
    fn into_diagnostics(mut self) -> Diagnostics {
        self.diagnostics.sort_by_place();
        self.diagnostics
    }

    fn report(&mut self, code: Code, path: &[Step], message: String, help: Option<String>) {
        let range = yaml_tree::locate(&self.text, 0, path);
        let location = Location::in_text(self.shown, Arc::clone(&self.text), range);
        let diagnostic = Diagnostic::new(code, location, message);
        self.diagnostics.push(help.into_iter().fold(diagnostic, Diagnostic::with_help));
    }
}

fn is_text(node: &Node, text: &str) -> bool {
    matches!(node, Node::Text(found) if found == text)
}

/// What to write when a name or a version is wrong.
trait Named {
    const HELP: &'static str;
}

impl Named for PluginName {
    const HELP: &'static str = "write a name such as `my-plugin`";
}

impl Named for Version {
    const HELP: &'static str = "write a version such as `1.0.0` or `1.0.0-rc1`";
}
