//! Adding and removing plugins in the text of a declaration, by putting bytes in and taking bytes out: everything else
//! stays as it is, and removing what was added gives back the same bytes.
//!
//! Comments directly above a table belong to it and go with it. Comments below its last key, and all that a blank line
//! separates from the table, stay.

mod edits;
mod headers;
mod inline;
mod lines;

use toml::de::{DeTable, DeValue};

use edits::Edits;
pub use edits::Entry;
use headers::Block;
use inline::InlineArray;

/// The text with one more plugin, behind the one with the index `after` or behind all plugins. `text` is a valid
/// declaration.
pub fn add(text: &str, after: Option<usize>, entries: &[Entry]) -> String {
    let mut edits = Edits::default();
    match layout(text) {
        Layout::Empty => headers::add_first(text, entries, &mut edits),
        Layout::Headers(blocks) => {
            headers::add(text, &blocks[after.unwrap_or(blocks.len() - 1)], entries, &mut edits);
        }
        Layout::Inline(array) => inline::add(text, &array, after, entries, &mut edits),
    }
    edits.apply(text)
}

/// The text without the plugin with this index. `text` is a valid declaration that has it.
pub fn remove(text: &str, index: usize) -> String {
    let mut edits = Edits::default();
    match layout(text) {
        Layout::Empty => {}
        Layout::Headers(blocks) => headers::remove(text, &blocks[index], &mut edits),
        Layout::Inline(array) => inline::remove(text, &array, index, &mut edits),
    }
    edits.apply(text)
}

/// How a declaration writes its plugins.
enum Layout {
    /// It has none, and does not say so.
    Empty,
    /// `[[plugin]]` above each one.
    Headers(Vec<Block>),
    /// `plugin = [{ … }, { … }]`.
    Inline(InlineArray),
}

fn layout(text: &str) -> Layout {
    let document = DeTable::parse(text).expect("the declaration was read before");
    let Some((array, DeValue::Array(items))) =
        document.get_ref().get("plugin").map(|array| (array.span(), array.get_ref()))
    else {
        return Layout::Empty;
    };
    let tables = || items.iter().map(toml::Spanned::span);
    if !tables().any(|table| text[table].starts_with("[[")) {
        return Layout::Inline(InlineArray { place: array, tables: tables().collect() });
    }
    let mut all = Vec::new();
    ends(document.get_ref(), &mut all);
    let blocks = items.iter().filter_map(|item| {
        let (header, table) = (item.span(), item.get_ref().as_table()?);
        let mut own = vec![header.end];
        ends(table, &mut own);
        let floor = all.iter().copied().filter(|end| *end <= header.start).max();
        Some(Block {
            floor: floor.unwrap_or_default(),
            first_key: table.keys().map(|key| key.span().start).min(),
            end: own.into_iter().max().unwrap_or(header.end),
            header,
        })
    });
    Layout::Headers(blocks.collect())
}

/// Where each value in a table ends.
fn ends(table: &DeTable<'_>, found: &mut Vec<usize>) {
    for value in table.values() {
        match value.get_ref() {
            DeValue::Table(table) => ends(table, found),
            DeValue::Array(items) => {
                items
                    .iter()
                    .filter_map(|item| item.get_ref().as_table())
                    .for_each(|table| ends(table, found));
            }
            _ => {}
        }
        found.push(value.span().end);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::Index;
    use toml::{Table, Value};

    use super::*;
    use crate::sources::argument::quoted;

    /// The declarations in different formats, without byte order marks.
    fn formats() -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/tests/fixtures/formats");
        let mut files: Vec<_> =
            fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let texts = files.into_iter().map(|file| fs_err::read_to_string(file).unwrap());
        texts.map(|text| text.trim_start_matches('\u{feff}').to_owned()).collect()
    }

    /// A format with the newlines of another system, or cut off somewhere behind its last value.
    fn any_text() -> impl Strategy<Value = String> {
        let ends = ["", "\n", "\r\n", "\n\n \t\n", "\n\t", "\n# stays é", "\n\n# stays é\n"];
        let end = proptest::option::of(proptest::sample::select(ends.to_vec()));
        (proptest::sample::select(formats()), any::<bool>(), end).prop_map(|(text, is_crlf, end)| {
            let text = end.map_or_else(|| text.clone(), |end| text.trim_end().to_owned() + end);
            if is_crlf { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text }
        })
    }

    fn entries(path: &str, components: &[&str]) -> Vec<Entry> {
        let components: Vec<_> = components.iter().map(|name| quoted(name)).collect();
        let components = (!components.is_empty()).then(|| format!("[{}]", components.join(", ")));
        let path = ("path", quoted(path));
        [path].into_iter().chain(components.map(|components| ("components", components))).collect()
    }

    /// The plugins of a declaration, and everything else in it.
    fn parsed(text: &str) -> (Vec<Value>, Table) {
        let mut rest: Table = text.parse().unwrap_or_else(|error| panic!("{error}:\n{text}"));
        let plugins = rest.remove("plugin").map(|plugins| plugins.as_array().unwrap().clone());
        (plugins.unwrap_or_default(), rest)
    }

    fn staying(text: &str) -> usize {
        text.matches("stays").count()
    }

    #[test]
    fn there_are_ten_formats() {
        assert!(formats().len() >= 10);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn removing_what_was_added_gives_back_the_same_bytes(
            text in any_text(),
            additions in proptest::collection::vec((any::<Option<Index>>(), "[ -~é\"',#\\[\\]{}]{0,12}", any::<bool>()), 1..4),
        ) {
            let mut history = Vec::new();
            let mut text = text;
            for (after, path, is_narrowed) in additions {
                let (plugins, rest) = parsed(&text);
                let after = after.filter(|_| !plugins.is_empty()).map(|after| after.index(plugins.len()));
                let position = after.map_or(plugins.len(), |after| after + 1);
                let entries = entries(&path, if is_narrowed { &["alpha"] } else { &[] });
                let edited = add(&text, after, &entries);
                let (mut found, found_rest) = parsed(&edited);
                let added = found.remove(position);
                prop_assert_eq!(added.get("path").and_then(Value::as_str), Some(path.as_str()), "{}", edited);
                prop_assert_eq!(added.get("components").is_some(), is_narrowed);
                prop_assert_eq!((found, found_rest), (plugins, rest), "{}", edited);
                history.push((text, position));
                text = edited;
            }
            while let Some((former, position)) = history.pop() {
                prop_assert_eq!(remove(&text, position), former.clone());
                text = former;
            }
        }

        #[test]
        fn removing_leaves_other_plugins_and_comments_that_are_apart(text in any_text(), chosen in any::<Vec<Index>>()) {
            let mut text = text;
            for index in chosen {
                let (mut plugins, rest) = parsed(&text);
                if plugins.is_empty() {
                    break;
                }
                let index = index.index(plugins.len());
                let edited = remove(&text, index);
                plugins.remove(index);
                prop_assert_eq!(parsed(&edited), (plugins, rest), "{}", text);
                prop_assert_eq!(staying(&edited), staying(&text), "{}\n---\n{}", text, edited);
                text = edited;
            }
        }
    }
}
