//! Plugins as an array of inline tables.

use std::ops::Range;

use super::edits::{Edits, Entry};
use super::lines;

/// An array of inline tables: from bracket to bracket, and from brace to brace.
pub(super) struct InlineArray {
    pub(super) place: Range<usize>,
    pub(super) tables: Vec<Range<usize>>,
}

/// Adds a table: on a line of its own behind one that has its lines to itself, otherwise directly behind it.
pub(super) fn add(
    text: &str,
    array: &InlineArray,
    after: Option<usize>,
    entries: &[Entry],
    edits: &mut Edits,
) {
    let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let table = format!("{{ {} }}", entries.join(", "));
    let Some(former) = after.or_else(|| array.tables.len().checked_sub(1)) else {
        return edits.insert(array.place.start + 1, table);
    };
    let end = array.tables[former].end;
    let Some(OwnLines { indentation, has_comma }) = own_lines(text, array, former) else {
        return edits.insert(end, format!(", {table}"));
    };
    let newline = lines::newline(text, end);
    let comma = if has_comma { "," } else { "" };
    if !has_comma {
        edits.insert(end, ",".to_owned());
    }
    edits.insert(lines::next(text, end), format!("{indentation}{table}{comma}{newline}"));
}

/// Removes a table and a comma; if it has its lines to itself, these with the comments directly above.
pub(super) fn remove(text: &str, array: &InlineArray, index: usize, edits: &mut Edits) {
    let table = array.tables[index].clone();
    let former = index.checked_sub(1).map(|former| array.tables[former].end);
    if let Some(OwnLines { has_comma, .. }) = own_lines(text, array, index) {
        let floor = former.unwrap_or(array.place.start);
        let top = lines::above(text, floor, lines::start(text, table.start), lines::is_comment);
        let top = if former.is_some() { lines::above(text, floor, top, lines::is_blank) } else { top };
        edits.cut(top..lines::next(text, table.end));
        if !has_comma && let Some(comma) = former.and_then(|former| comma(text, former, table.start)) {
            edits.cut(comma..comma + 1);
        }
        return;
    }
    let (from, to) = match (former, array.tables.get(index + 1)) {
        (Some(former), _) => (former, table.end),
        (None, Some(next)) => (table.start, next.start),
        (None, None) => (table.start, array.place.end - 1),
    };
    let between = if former.is_some() { from..table.start } else { table.end..to };
    let comma = comma(text, between.start, between.end);
    let is_plain = |c: char| matches!(c, ' ' | '\t' | ',');
    if comma.is_some() && text[between].chars().all(is_plain) {
        edits.cut(from..to);
    } else {
        edits.cut(table);
        if let Some(comma) = comma {
            edits.cut(comma..comma + 1);
        }
    }
}

/// A table with nothing beside it but a comma and a comment.
struct OwnLines<'a> {
    indentation: &'a str,
    /// Whether its comma is beside it; otherwise it has none, being the last one.
    has_comma: bool,
}

fn own_lines<'a>(text: &'a str, array: &InlineArray, index: usize) -> Option<OwnLines<'a>> {
    let table = &array.tables[index];
    let indentation = lines::indentation(text, table.start)?;
    let rest = lines::rest(text, table.end).trim_start();
    let has_comma = rest.starts_with(',');
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    let end = array.tables.get(index + 1).map_or(array.place.end, |next| next.start);
    let is_alone = rest.is_empty() || rest.starts_with('#');
    (is_alone && (has_comma || comma(text, table.end, end).is_none()))
        .then_some(OwnLines { indentation, has_comma })
}

/// The first comma of a range that holds no values.
fn comma(text: &str, from: usize, to: usize) -> Option<usize> {
    let mut is_in_comment = false;
    for (offset, c) in text[from..to].char_indices() {
        match c {
            ',' if !is_in_comment => return Some(from + offset),
            '#' => is_in_comment = true,
            '\n' => is_in_comment = false,
            _ => {}
        }
    }
    None
}
