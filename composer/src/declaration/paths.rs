//! The declaration against the disk: paths, crates of components, and names that refer to each other.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use racetrack_bundle::suggestion::suggestion;
use racetrack_bundle::{Code, Diagnostic, Diagnostics, Origin};

use super::declared::{ComponentDeclaration, Declaration, PartialDeclaration, PluginDeclaration};
use super::document::Document;
use super::keys::DEFAULT_OUT_DIR;
use super::out_dir::check_out_dir;
use super::source::WrittenSource;
use super::syntax::{Written, WrittenComponent, WrittenPlugin};
use super::table::Placed;
use crate::checkout::Checkout;
use crate::codes;
use crate::remote::RemoteSource;

/// Top-level names of a generated workspace that cannot lead to a component's crate.
const RESERVED_TOPS: [&str; 3] = ["plugins", "src", ".racetrack"];

struct Resolver<'a> {
    document: &'a Document,
    folder: &'a Path,
    checkout: &'a Checkout,
}

/// Where a source is.
struct FoundSource {
    origin: Origin,
    remote: Option<RemoteSource>,
    /// As it is shown, at the place that names it.
    text: Placed<String>,
}

/// Finds what the declaration names.
pub(super) fn resolve(
    written: Written,
    document: Document,
    folder: PathBuf,
    checkout: &Checkout,
    diagnostics: &mut Diagnostics,
) -> PartialDeclaration {
    let resolver = Resolver { document: &document, folder: &folder, checkout };
    let components: Vec<_> = written
        .components
        .into_iter()
        .filter_map(|component| resolver.component(component, diagnostics))
        .collect();
    let mut refused = written.refused_sources;
    let plugins = resolver.plugins(written.plugins, &written.component_names, &mut refused, diagnostics);
    if !written.profiles.0.contains_key(&written.profile.value) {
        let message = format!("there is no profile `{}`", written.profile.value);
        let help = suggestion(&written.profile.value, "profiles", written.profiles.names());
        let place = written.profile.place.clone();
        diagnostics.push(document.diagnostic(codes::UNKNOWN_PROFILE, place, message).with_help(help));
    }
    let out_dir = resolver.out_dir(&written.out_dir, diagnostics);
    let declaration = Declaration {
        profile: written.profile.value,
        out_dir,
        components,
        plugins,
        profiles: written.profiles,
        folder,
        document,
    };
    if let Err(refusal) = check_out_dir(&declaration.out_dir, &declaration, checkout) {
        let place = written.out_dir.place;
        let diagnostic =
            declaration.document.diagnostic(codes::PROTECTED_OUT_DIR, place, refusal.to_string());
        diagnostics.push(diagnostic.with_help("choose a folder of its own, such as \"dist\""));
    }
    PartialDeclaration { declaration, refused }
}

impl Resolver<'_> {
    fn component(
        &self,
        written: WrittenComponent,
        diagnostics: &mut Diagnostics,
    ) -> Option<ComponentDeclaration> {
        let WrittenComponent { name, package, path } = written;
        let crate_folder = self.existing(&path, codes::MISSING_COMPONENT, diagnostics)?;
        let refuse = |code: Code, place: &Range<usize>, message: String| {
            self.document.diagnostic(code, place.clone(), message)
        };
        let member = member_path(crate_folder.strip_prefix(&self.checkout.root).ok()?)?;
        if RESERVED_TOPS.contains(&member.split('/').next().unwrap_or_default()) {
            let message =
                format!("the crate of a component cannot be in `{member}`, which generated workspaces use");
            diagnostics.push(
                refuse(codes::RESERVED_COMPONENT_PATH, &path.place, message)
                    .with_help("move the crate, for example below components/"),
            );
            return None;
        }
        let manifest = crate_folder.join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else {
            let message = format!("there is no crate at `{}`: it has no readable Cargo.toml", path.value);
            let help = "`path` is the folder of the component's library crate";
            diagnostics.push(refuse(codes::MISSING_COMPONENT, &path.place, message).with_help(help));
            return None;
        };
        let found = text.parse::<toml::Table>().ok();
        let found = found.as_ref().and_then(|table| table.get("package")?.get("name")?.as_str());
        if found != Some(&package.value) {
            let found = found.map_or_else(|| "no package".to_owned(), |found| format!("package `{found}`"));
            let message = format!("`{}` holds {found}, not `{}`", path.value, package.value);
            let help = "`package` is the name in the [package] table of the component's Cargo.toml";
            diagnostics.push(refuse(codes::COMPONENT_PACKAGE, &package.place, message).with_help(help));
            return None;
        }
        Some(ComponentDeclaration { name, package: package.value, member })
    }

    fn plugins(
        &self,
        written: Vec<WrittenPlugin>,
        names: &[String],
        refused: &mut Diagnostics,
        diagnostics: &mut Diagnostics,
    ) -> Vec<PluginDeclaration> {
        let mut plugins: Vec<PluginDeclaration> = Vec::new();
        for plugin in written {
            for (component, place) in plugin.components.iter().flatten() {
                if !names.contains(component) {
                    let message = format!("there is no component `{component}`");
                    let help = suggestion(component, "components", names.iter().map(String::as_str));
                    let place = place.clone();
                    diagnostics.push(
                        self.document.diagnostic(codes::UNKNOWN_COMPONENT, place, message).with_help(help),
                    );
                }
            }
            let Some(found) = self.source(plugin.source, refused) else {
                continue;
            };
            let is_same =
                |other: &&PluginDeclaration| other.origin == found.origin || other.source == found.text.value;
            if let Some(first) = plugins.iter().find(is_same) {
                let line =
                    self.document.diagnostic(codes::DUPLICATE_SOURCE, first.place.clone(), "").location;
                let message = format!("`{}` is declared twice; the first time at {line}", found.text.value);
                let diagnostic = self.document.diagnostic(codes::DUPLICATE_SOURCE, found.text.place, message);
                refused.push(diagnostic.with_help("remove one of the two tables"));
                continue;
            }
            plugins.push(PluginDeclaration {
                position: plugin.position,
                origin: found.origin,
                remote: found.remote,
                source: found.text.value,
                components: plugin.components,
                order: plugin.order,
                allow_build_script: plugin.allow_build_script,
                place: found.text.place,
                overridden: false,
            });
        }
        plugins
    }

    /// Finds a source on the disk; one that is elsewhere has its place there, whether it was fetched or not.
    fn source(&self, written: WrittenSource, diagnostics: &mut Diagnostics) -> Option<FoundSource> {
        let (is_zip, text) = match written {
            WrittenSource::Folder(text) => (false, text),
            WrittenSource::Zip(text) => (true, text),
            WrittenSource::Remote(Placed { value, place }) => {
                let text = Placed { value: value.to_string(), place };
                let vendored = self.vendored(&text.value);
                let origin = vendored.unwrap_or_else(|| value.origin(&self.checkout.store()));
                return Some(FoundSource { origin, remote: Some(value), text });
            }
        };
        if is_zip
            && !self.folder.join(&text.value).exists()
            && let Some(origin) = self.vendored(&text.value)
        {
            return Some(FoundSource { origin, remote: None, text });
        }
        let path = self.existing(&text, codes::MISSING_SOURCE, diagnostics)?;
        if let Some(diagnostic) = self.wrong_kind(is_zip, &text, &path) {
            diagnostics.push(diagnostic);
            return None;
        }
        let origin = if is_zip { Origin::Zip(path) } else { Origin::Folder(path) };
        Some(FoundSource { origin, remote: None, text })
    }

    /// What a vendor folder has of a source.
    fn vendored(&self, source: &str) -> Option<Origin> {
        let path = self.checkout.vendor.as_ref()?.plugin(source)?;
        Some(if path.is_dir() { Origin::Folder(path) } else { Origin::Zip(path) })
    }

    fn wrong_kind(&self, is_zip: bool, text: &Placed<String>, path: &Path) -> Option<Diagnostic> {
        let source = &text.value;
        let (message, help) = match (is_zip, path.is_dir()) {
            (true, true) => {
                (format!("`{source}` is a folder, not a bundle"), format!("write `path = {source:?}`"))
            }
            (false, false) => {
                (format!("`{source}` is a file, not a folder"), format!("write `zip = {source:?}`"))
            }
            _ => return None,
        };
        let place = text.place.clone();
        Some(self.document.diagnostic(codes::WRONG_SOURCE_KIND, place, message).with_help(help))
    }

    /// The canonical path of something that must exist inside the checkout.
    fn existing(
        &self,
        path: &Placed<String>,
        missing: Code,
        diagnostics: &mut Diagnostics,
    ) -> Option<PathBuf> {
        let text = path.value.as_str();
        let refuse = |code, message: String, help: String| {
            Some(self.document.diagnostic(code, path.place.clone(), message).with_help(help))
        };
        let found = self.folder.join(text).canonicalize();
        let refusal = if is_absolute(text) {
            let help = "write it relative to the folder of the declaration".to_owned();
            refuse(codes::ABSOLUTE_PATH, format!("`{text}` is an absolute path"), help)
        } else {
            match &found {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    refuse(missing, format!("`{text}` does not exist"), self.near(text))
                }
                Err(error) => refuse(missing, format!("`{text}` cannot be read: {error}"), self.near(text)),
                Ok(found) if !found.starts_with(&self.checkout.root) => {
                    let help = "copy it into the checkout".to_owned();
                    refuse(codes::OUTSIDE_CHECKOUT, format!("`{text}` leads out of the checkout"), help)
                }
                Ok(_) => None,
            }
        };
        if let Some(refusal) = refusal {
            diagnostics.push(refusal);
            return None;
        }
        found.ok()
    }

    fn out_dir(&self, out_dir: &Placed<String>, diagnostics: &mut Diagnostics) -> PathBuf {
        let text = out_dir.value.as_str();
        let absolute = normal(&self.folder.join(text));
        let refusal = if is_absolute(text) {
            let message = format!("`{text}` is an absolute path");
            let help = "write it relative to the folder of the declaration, or use `--out-dir`";
            self.document.diagnostic(codes::ABSOLUTE_PATH, out_dir.place.clone(), message).with_help(help)
        } else if !absolute.starts_with(&self.checkout.root)
            || !nearest(&absolute).starts_with(&self.checkout.root)
        {
            let message = format!("`{text}` leads out of the checkout");
            let help = "write a path inside the checkout, or use `--out-dir`";
            self.document.diagnostic(codes::OUTSIDE_CHECKOUT, out_dir.place.clone(), message).with_help(help)
        } else {
            return absolute;
        };
        diagnostics.push(refusal);
        // The place of the default: the refusal above is all there is to say about the output folder.
        self.folder.join(DEFAULT_OUT_DIR)
    }

    /// What there is instead of a path that does not exist.
    fn near(&self, text: &str) -> String {
        let wanted = normal(&self.folder.join(text));
        let parent =
            wanted.parent().filter(|parent| parent.is_dir() && parent.starts_with(&self.checkout.root));
        let (Some(parent), Some(name)) = (parent, wanted.file_name()) else {
            return "paths are relative to the folder of the declaration".to_owned();
        };
        let prefix = text.rfind('/').map_or("", |slash| &text[..=slash]);
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let siblings: BTreeSet<String> =
            entries.filter_map(|entry| Some(format!("{prefix}{}", entry.file_name().to_str()?))).collect();
        let near = suggestion(
            &format!("{prefix}{}", name.to_string_lossy()),
            "paths",
            siblings.iter().map(String::as_str),
        );
        if near.starts_with("did you mean") {
            near
        } else {
            "paths are relative to the folder of the declaration".to_owned()
        }
    }
}

/// `a/b/c`, whatever the separator of the system; nothing for paths that are no text.
fn member_path(relative: &Path) -> Option<String> {
    let parts: Option<Vec<_>> = relative.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

/// The path without `.` and `..`, as text: it need not exist.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Paths that are absolute on any system: a declaration must mean the same everywhere.
fn is_absolute(text: &str) -> bool {
    let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    drive || text.starts_with(['/', '\\'])
}

/// The canonical form of the nearest folder above that exists.
fn nearest(path: &Path) -> PathBuf {
    path.ancestors().find_map(|ancestor| ancestor.canonicalize().ok()).unwrap_or_default()
}
