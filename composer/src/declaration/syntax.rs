//! The declaration as it is written: keys and types, nothing that needs the disk.

use std::ops::Range;

use racetrack_bundle::Diagnostics;
use racetrack_core::PluginName;
use toml::de::{DeTable, DeValue};

use super::declared::DeclaredOrder;
use super::document::Document;
use super::keys::{self, DEFAULT_OUT_DIR, DEFAULT_PROFILE, TAKEN_NAMES};
use super::profile::{self, Profiles};
use super::source::{self, WrittenSource};
use super::table::{Placed, TableReader, kind};
use crate::codes;

/// A declaration whose keys and types were checked.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) profile: Placed<String>,
    pub(super) out_dir: Placed<String>,
    /// Every name that has a table, also those whose table is wrong.
    pub(super) component_names: Vec<String>,
    pub(super) components: Vec<WrittenComponent>,
    pub(super) plugins: Vec<WrittenPlugin>,
    /// What is wrong with the sources of plugins, which may be missing above.
    pub(super) refused_sources: Diagnostics,
    pub(super) profiles: Profiles,
}

/// A `[components.NAME]` table.
#[derive(Debug)]
pub(super) struct WrittenComponent {
    pub(super) name: String,
    pub(super) package: Placed<String>,
    pub(super) path: Placed<String>,
}

/// A `[[plugin]]` table.
#[derive(Debug)]
pub(super) struct WrittenPlugin {
    pub(super) position: usize,
    pub(super) source: WrittenSource,
    pub(super) components: Option<Vec<(String, Range<usize>)>>,
    pub(super) order: DeclaredOrder,
    pub(super) allow_build_script: bool,
}

/// Reads the text of a declaration.
pub(super) fn parse(document: &Document, diagnostics: &mut Diagnostics) -> Written {
    let (root, errors) = DeTable::parse_recoverable(&document.text);
    for error in &errors {
        let place = error.span().unwrap_or_default();
        let help = "texts stand in double quotes, tables begin with `[name]`, and each name stands once";
        let diagnostic = document.diagnostic(codes::TOML_SYNTAX, place, lower_first(error.message()));
        diagnostics.push(diagnostic.with_help(help));
    }
    if !errors.is_empty() {
        // What could be saved of a broken document is no reliable ground for further complaints.
        return Written {
            profile: whole(DEFAULT_PROFILE),
            out_dir: whole(DEFAULT_OUT_DIR),
            component_names: Vec::new(),
            components: Vec::new(),
            plugins: Vec::new(),
            refused_sources: Diagnostics::default(),
            profiles: Profiles::default(),
        };
    }
    let name = "the declaration".to_owned();
    let reader =
        TableReader::with_keys(document, name, root.get_ref(), 0..0, &keys::DECLARATION, diagnostics);
    let profiles = reader.table("profile", diagnostics);
    let profiles = profiles.map_or_else(Profiles::default, |table| {
        let reader = TableReader::by_name(document, table.value, table.place);
        profile::read(document, &reader, diagnostics)
    });
    let (profile, out_dir) = build(document, &reader, diagnostics);
    let (component_names, components) = components(document, &reader, diagnostics);
    let mut refused_sources = Diagnostics::default();
    let plugins = plugins(document, &reader, &mut refused_sources, diagnostics);
    Written { profile, out_dir, component_names, components, plugins, refused_sources, profiles }
}

fn build(
    document: &Document,
    reader: &TableReader<'_>,
    diagnostics: &mut Diagnostics,
) -> (Placed<String>, Placed<String>) {
    let Some(table) = reader.table("build", diagnostics) else {
        return (whole(DEFAULT_PROFILE), whole(DEFAULT_OUT_DIR));
    };
    let name = "[build]".to_owned();
    let reader = TableReader::with_keys(document, name, table.value, table.place, &keys::BUILD, diagnostics);
    let profile = reader.string("profile", diagnostics).unwrap_or_else(|| whole(DEFAULT_PROFILE));
    let out_dir = reader.string("out-dir", diagnostics).unwrap_or_else(|| whole(DEFAULT_OUT_DIR));
    (profile, out_dir)
}

fn components(
    document: &Document,
    reader: &TableReader<'_>,
    diagnostics: &mut Diagnostics,
) -> (Vec<String>, Vec<WrittenComponent>) {
    let mut names = Vec::new();
    let mut components = Vec::new();
    let before = diagnostics.0.len();
    if let Some(table) = reader.table("components", diagnostics) {
        let reader = TableReader::by_name(document, table.value, table.place);
        for (name, value) in reader.entries() {
            check_component_name(document, &name, diagnostics);
            names.push(name.value.clone());
            let shown = format!("[components.{}]", name.value);
            let DeValue::Table(table) = value.get_ref() else {
                let message = format!("{shown} must be a table, not {}", kind(value.get_ref()));
                let help = format!("write `{shown}` on a line of its own, and its keys below");
                let place = value.span();
                diagnostics.push(document.diagnostic(codes::WRONG_TYPE, place, message).with_help(help));
                continue;
            };
            let reader =
                TableReader::with_keys(document, shown, table, name.place, &keys::COMPONENT, diagnostics);
            let package = reader.required_string("package", diagnostics);
            let path = reader.required_string("path", diagnostics);
            if let (Some(package), Some(path)) = (package, path) {
                components.push(WrittenComponent { name: name.value, package, path });
            }
        }
    }
    if components.is_empty() && diagnostics.0.len() == before {
        let message = "the declaration has no component to build";
        let help = "add `[components.lifecycle]` with `package = \"racetrack-lifecycle\"` and its `path`";
        diagnostics.push(document.diagnostic(codes::NO_COMPONENTS, 0..0, message).with_help(help));
    }
    components.sort_by(|left, right| left.name.cmp(&right.name));
    (names, components)
}

fn check_component_name(document: &Document, name: &Placed<String>, diagnostics: &mut Diagnostics) {
    let text = name.value.as_str();
    let (message, help) = if TAKEN_NAMES.contains(&text) {
        (
            format!("no component can be called `{text}`: its folder in .racetrack/ has another use"),
            "choose another name",
        )
    } else if text.parse::<PluginName>().is_err() {
        let help = "use lower-case ASCII letters, digits and single dashes, with a letter at the start";
        (format!("`{text}` is no name for a component"), help)
    } else {
        return;
    };
    let place = name.place.clone();
    diagnostics.push(document.diagnostic(codes::INVALID_COMPONENT_NAME, place, message).with_help(help));
}

fn plugins(
    document: &Document,
    reader: &TableReader<'_>,
    refused_sources: &mut Diagnostics,
    diagnostics: &mut Diagnostics,
) -> Vec<WrittenPlugin> {
    let mut plugins = Vec::new();
    for (position, table) in reader.tables("plugin", diagnostics).into_iter().enumerate() {
        let (name, place) = ("[[plugin]]".to_owned(), table.place.clone());
        let reader = TableReader::with_keys(document, name, table.value, place, &keys::PLUGIN, diagnostics);
        let allow_build_script = reader.switch("allow-build-script", diagnostics);
        let components = reader.strings("components", diagnostics);
        let mut names = |key| reader.strings(key, diagnostics).map_or_else(Vec::new, |names| names.value);
        let order = DeclaredOrder { before: names("before"), after: names("after") };
        if let Some(components) = components.as_ref().filter(|components| components.value.is_empty()) {
            let message = "`components` is empty, so no component would hold the plugin";
            let help = "leave `components` out to follow the plugin manifest, or remove the table";
            let place = components.place.clone();
            diagnostics.push(document.diagnostic(codes::EMPTY_COMPONENTS, place, message).with_help(help));
        }
        let Some(source) = source::read(document, &reader, refused_sources) else {
            continue;
        };
        let components = components.map(|components| components.value);
        plugins.push(WrittenPlugin { position, source, components, order, allow_build_script });
    }
    plugins
}

fn whole(text: &str) -> Placed<String> {
    Placed { value: text.to_owned(), place: 0..0 }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
