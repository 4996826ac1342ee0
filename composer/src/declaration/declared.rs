//! What a checked declaration says.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use racetrack_bundle::{Diagnostics, Location, Origin};

use super::document::Document;
use super::profile::Profiles;
use crate::remote::RemoteSource;

/// A checked declaration.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The text, for diagnostics about things that only show later.
    pub document: Document,
    /// The canonical folder of the declaration: sources, the output folder, `locks/` and `.racetrack/` are in it.
    pub folder: PathBuf,
    /// The name of the profile to build with.
    pub profile: String,
    /// Where the binaries go, absolute.
    pub out_dir: PathBuf,
    /// The components, sorted by name.
    pub components: Vec<ComponentDeclaration>,
    /// The plugins, in the order of their tables.
    pub plugins: Vec<PluginDeclaration>,
    /// The built-in and the declared profiles.
    pub profiles: Profiles,
}

/// One `[components.NAME]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentDeclaration {
    /// Also the name of the binary.
    pub name: String,
    /// The package of the component's library crate.
    pub package: String,
    /// The folder of that crate, relative to the checkout, with `/` between its parts.
    pub member: String,
}

/// One `[[plugin]]` table.
#[derive(Clone, Debug)]
pub struct PluginDeclaration {
    /// The place of the table among all `[[plugin]]` tables, counted from 0.
    pub position: usize,
    /// The folder or bundle, canonical; for a source that is elsewhere the place in the store.
    pub origin: Origin,
    /// The source that is elsewhere, if it is.
    pub remote: Option<RemoteSource>,
    /// The folder or bundle as the declaration writes it.
    pub source: String,
    /// The components that the declaration narrows the plugin to, each with its place.
    pub components: Option<Vec<(String, Range<usize>)>>,
    /// Which plugins it is to run before and after.
    pub order: DeclaredOrder,
    /// Whether the crate may have a build script.
    pub allow_build_script: bool,
    /// Where the declaration names the source.
    pub place: Range<usize>,
    /// Whether the source is not the declared one, but one given on the command line.
    pub overridden: bool,
}

/// `before` and `after` of a `[[plugin]]`: names of plugins, each with its place.
#[derive(Clone, Debug, Default)]
pub struct DeclaredOrder {
    /// The plugins that run later.
    pub before: Vec<(String, Range<usize>)>,
    /// The plugins that run earlier.
    pub after: Vec<(String, Range<usize>)>,
}

/// A declaration of which at most the sources of some plugins are wrong.
#[derive(Debug)]
pub struct PartialDeclaration {
    /// The declaration without those plugins.
    pub declaration: Declaration,
    /// What is wrong with their sources.
    pub refused: Diagnostics,
}

impl Declaration {
    /// Where the declaration names the source of a plugin.
    pub fn location_of(&self, plugin: &PluginDeclaration) -> Location {
        Location::in_text(&self.document.file, Arc::clone(&self.document.text), plugin.place.clone())
    }

    /// The disposable folder of generated workspaces.
    pub fn state(&self) -> PathBuf {
        self.folder.join(".racetrack")
    }

    /// The names of the components, sorted.
    pub fn component_names(&self) -> impl Iterator<Item = &str> {
        self.components.iter().map(|component| component.name.as_str())
    }

    /// `racetrack.toml:12`, the line that names the source of a plugin.
    pub fn line_of(&self, plugin: &PluginDeclaration) -> String {
        self.line_at(plugin.place.clone())
    }

    /// `racetrack.toml:12`, the line of a place.
    pub fn line_at(&self, place: Range<usize>) -> String {
        let location = Location::in_text(&self.document.file, Arc::clone(&self.document.text), place);
        let line = location.line_and_column().map_or(1, |(line, _)| line);
        format!("{}:{line}", self.document.file.display())
    }
}
