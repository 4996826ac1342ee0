//! Reading a lock. People merge and edit it, so mistakes are told like those of a declaration.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, Result};
use racetrack_bundle::{Diagnostic, Diagnostics, Location};
use toml::de::DeTable;

use super::{FORMAT, Lock, LockedComponent, LockedPlugin, Toolchain, path};
use crate::codes;
use crate::declaration::integer::integer;
use crate::declaration::table::{Placed, TableReader, kind};
use crate::declaration::{Declaration, Document};
use crate::rejected::Rejected;

/// The way out of every mistake.
const HELP: &str = "`cargo xtask lock` writes the file anew";

/// The lock of a declaration, if there is one.
pub fn read(declaration: &Declaration) -> Result<Option<Lock>> {
    let path = path(declaration);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let file = path.file_name().map(PathBuf::from).context("a lock has a name")?;
    let lock = parse(file, bytes).map_err(|mut diagnostics| {
        diagnostics.sort_by_place();
        for diagnostic in &mut diagnostics.0 {
            diagnostic.help.push(HELP.to_owned());
        }
        Rejected(diagnostics)
    })?;
    Ok(Some(lock))
}

fn parse(file: PathBuf, bytes: Vec<u8>) -> Result<Lock, Diagnostics> {
    let text = String::from_utf8(bytes)
        .map_err(|_| Diagnostic::new(codes::NOT_UTF8, Location::file(&file), "the lock is no UTF-8 text"))?;
    let document = Document { file, text: text.into() };
    let (root, errors) = DeTable::parse_recoverable(&document.text);
    let syntax = errors.iter().map(|error| {
        document.diagnostic(codes::TOML_SYNTAX, error.span().unwrap_or_default(), error.message())
    });
    Diagnostics(syntax.collect()).into_result(())?;
    let mut diagnostics = Diagnostics::default();
    check_format(&document, root.get_ref())?;
    let known = ["components", "plugin", "toolchain", "version"];
    let reader =
        TableReader::new(&document, "the lock".to_owned(), root.get_ref(), 0..0, &known, &mut diagnostics);
    let toolchain = toolchain(&document, &reader, &mut diagnostics);
    let plugins = plugins(&document, &reader, &mut diagnostics);
    let components = components(&document, &reader, &mut diagnostics);
    match toolchain {
        Some(toolchain) if diagnostics.is_empty() => {
            check_titles(&document, &plugins, &components)?;
            let components = components.into_iter().map(|component| component.locked).collect();
            Ok(Lock { toolchain, plugins, components })
        }
        _ => Err(diagnostics),
    }
}

/// What another version of the format means is not known, so nothing else is said about it.
fn check_format(document: &Document, root: &DeTable<'_>) -> Result<(), Diagnostics> {
    let Some(version) = root.get("version") else {
        return Err(document.diagnostic(codes::LOCK_VERSION, 0..0, "the lock has no `version`").into());
    };
    let found = integer(version.get_ref());
    if found == Some(FORMAT) {
        return Ok(());
    }
    let found = found.map_or_else(|| kind(version.get_ref()).to_owned(), |found| format!("version {found}"));
    let message = format!("the lock is of {found}, and this xtask knows version {FORMAT}");
    Err(document.diagnostic(codes::LOCK_VERSION, version.span(), message).into())
}

fn toolchain(
    document: &Document,
    reader: &TableReader<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Toolchain> {
    let table = reader.required_table("toolchain", diagnostics)?;
    let name = "[toolchain]".to_owned();
    let reader = TableReader::new(document, name, table.value, table.place, &["rustc"], diagnostics);
    let rustc = reader.required_string("rustc", diagnostics);
    Some(Toolchain { rustc: rustc?.value })
}

fn plugins(
    document: &Document,
    reader: &TableReader<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<LockedPlugin> {
    let mut plugins: Vec<LockedPlugin> = Vec::new();
    for table in reader.tables("plugin", diagnostics) {
        let place = table.place.clone();
        let Some(plugin) = plugin(document, table, diagnostics) else {
            continue;
        };
        if plugins.iter().any(|other| other.title() == plugin.title()) {
            let message = format!("plugin `{}` {} is locked twice", plugin.name, plugin.version);
            diagnostics.push(document.diagnostic(codes::DUPLICATE_PLUGIN, place, message));
        }
        plugins.push(plugin);
    }
    plugins
}

fn plugin(
    document: &Document,
    table: Placed<&DeTable<'_>>,
    diagnostics: &mut Diagnostics,
) -> Option<LockedPlugin> {
    let known = [
        "allow-build-script",
        "components",
        "digest",
        "hooks",
        "name",
        "priority",
        "sha256",
        "source",
        "version",
    ];
    let name = "[[plugin]]".to_owned();
    let reader = TableReader::new(document, name, table.value, table.place, &known, diagnostics);
    let name = reader.required_string("name", diagnostics);
    let version = reader.required_string("version", diagnostics);
    let source = reader.required_string("source", diagnostics);
    let digest = reader.required_string("digest", diagnostics);
    let sha256 = reader.string("sha256", diagnostics);
    let priority = reader.required_integer("priority", diagnostics);
    let components = reader.required_strings("components", diagnostics);
    let hooks = reader.required_strings("hooks", diagnostics);
    let allow_build_script = reader.switch("allow-build-script", diagnostics);
    Some(LockedPlugin {
        name: name?.value,
        version: version?.value,
        source: source?.value,
        digest: digest?.value,
        sha256: sha256.map(|sha256| sha256.value),
        priority: priority?,
        components: texts(components?),
        hooks: texts(hooks?),
        allow_build_script,
    })
}

/// A component with the places of the titles it lists.
struct ReadComponent {
    locked: LockedComponent,
    titles: Vec<(String, Range<usize>)>,
}

fn components(
    document: &Document,
    reader: &TableReader<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<ReadComponent> {
    let Some(table) = reader.table("components", diagnostics) else {
        return Vec::new();
    };
    let known: Vec<_> = table.value.keys().map(|key| key.get_ref().as_ref()).collect();
    let name = "[components]".to_owned();
    let reader = TableReader::new(document, name, table.value, table.place, &known, diagnostics);
    let mut components: Vec<_> = reader
        .entries()
        .into_iter()
        .filter_map(|(name, _)| component(document, &reader, name, diagnostics))
        .collect();
    components.sort_by(|left, right| left.locked.name.cmp(&right.locked.name));
    components
}

fn component(
    document: &Document,
    parent: &TableReader<'_>,
    name: Placed<String>,
    diagnostics: &mut Diagnostics,
) -> Option<ReadComponent> {
    let table = parent.table(&name.value, diagnostics)?;
    let shown = format!("[components.{}]", name.value);
    let known = ["hooks", "package", "path", "plan", "plugins"];
    let reader = TableReader::new(document, shown, table.value, name.place, &known, diagnostics);
    let package = reader.required_string("package", diagnostics);
    let path = reader.required_string("path", diagnostics);
    let plan = reader.required_string("plan", diagnostics);
    let plugins = reader.required_strings("plugins", diagnostics);
    let mut titles = plugins.as_ref().map_or_else(Vec::new, |plugins| plugins.value.clone());
    let mut hooks = BTreeMap::new();
    if let Some(table) = reader.table("hooks", diagnostics) {
        let known: Vec<_> = table.value.keys().map(|key| key.get_ref().as_ref()).collect();
        let shown = format!("[components.{}.hooks]", name.value);
        let reader = TableReader::new(document, shown, table.value, table.place, &known, diagnostics);
        for (hook, _) in reader.entries() {
            if let Some(plugins) = reader.strings(&hook.value, diagnostics) {
                titles.extend(plugins.value.iter().cloned());
                hooks.insert(hook.value, texts(plugins));
            }
        }
    }
    let (package, path, plan) = (package?.value, path?.value, plan?.value);
    let locked = LockedComponent { name: name.value, package, path, plan, plugins: texts(plugins?), hooks };
    Some(ReadComponent { locked, titles })
}

/// An order lists only plugins that are locked.
fn check_titles(
    document: &Document,
    plugins: &[LockedPlugin],
    components: &[ReadComponent],
) -> Result<(), Diagnostics> {
    let known: BTreeSet<_> = plugins.iter().map(LockedPlugin::title).collect();
    let titles = components.iter().flat_map(|component| &component.titles);
    let unknown = titles.filter(|(title, _)| !known.contains(title)).map(|(title, place)| {
        let message = format!("`{title}` stands in an order, but no such plugin is locked");
        document.diagnostic(codes::LOCK_INCONSISTENT, place.clone(), message)
    });
    Diagnostics(unknown.collect()).into_result(())
}

fn texts(placed: Placed<Vec<(String, Range<usize>)>>) -> Vec<String> {
    placed.value.into_iter().map(|(text, _)| text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lockfile::arbitrary;

    #[test]
    fn the_version_may_be_written_in_another_base() {
        let read = |version: &str| {
            let text = format!("version = {version}\n\n[toolchain]\nrustc = \"rustc\"\n");
            parse("racetrack.lock".into(), text.into_bytes())
        };
        assert!(read("0x1").is_ok());
        let refused = read("0x10").unwrap_err().0;
        assert_eq!(refused[0].message, "the lock is of version 16, and this xtask knows version 1");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(lock in arbitrary::lock()) {
            let text = lock.text();
            let read = parse("racetrack.lock".into(), text.clone().into_bytes());
            let read = read.map_err(|found| TestCaseError::fail(format!("{found:?}\n{text}")))?;
            prop_assert_eq!(&read, &lock);
            prop_assert_eq!(read.text(), text);
        }
    }
}
