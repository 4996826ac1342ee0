//! Plugins with `[[plugin]]` above each one.

use std::ops::Range;

use super::edits::{Edits, Entry};
use super::lines;

/// One table.
pub(super) struct Block {
    /// `[[plugin]]`, however it is written.
    pub(super) header: Range<usize>,
    /// Where the value before it ends; what looks like a comment further up may be part of a text.
    pub(super) floor: usize,
    /// Where its first key begins.
    pub(super) first_key: Option<usize>,
    /// Where its last value ends.
    pub(super) end: usize,
}

/// Adds a table behind another one, written as that one is.
pub(super) fn add(text: &str, former: &Block, entries: &[Entry], edits: &mut Edits) {
    let at = bottom(text, former);
    let top = top(text, former);
    let above = lines::start(text, top.saturating_sub(1));
    // Below a comment a table without distance would own it.
    let is_spaced = top == 0
        || lines::is_blank(text, above)
        || lines::is_comment(text, lines::start(text, at.saturating_sub(1)));
    let indentation = |offset| lines::indentation(text, offset).unwrap_or_default();
    let header = format!("{}{}", indentation(former.header.start), &text[former.header.clone()]);
    let key_indentation = former.first_key.map_or("", indentation);
    insert(text, at, is_spaced, &header, key_indentation, entries, edits);
}

/// Adds the first table, behind everything else.
pub(super) fn add_first(text: &str, entries: &[Entry], edits: &mut Edits) {
    let at = lines::next(text, text.trim_end().len());
    insert(text, at, true, "[[plugin]]", "", entries, edits);
}

/// Removes a table and the comments directly above it, with the distance to what is above.
pub(super) fn remove(text: &str, block: &Block, edits: &mut Edits) {
    let top = top(text, block);
    let end = lines::next(text, block.end);
    let has_comment_below = end < own_comments(text, end);
    let mut cut = top..end;
    if !has_comment_below {
        cut.start = lines::above(text, block.floor, top, lines::is_blank);
        if cut.start == 0 {
            cut.end = lines::below(text, end, lines::is_blank);
        }
    }
    if !text[..end].ends_with('\n') {
        // A last line without a newline leaves a last line without a newline.
        let before = &text[..cut.start];
        let before = before.strip_suffix('\n').map_or(before, |line| line.strip_suffix('\r').unwrap_or(line));
        cut.start = before.len();
    }
    edits.cut(cut);
}

fn insert(
    text: &str,
    at: usize,
    is_spaced: bool,
    header: &str,
    key_indentation: &str,
    entries: &[Entry],
    edits: &mut Edits,
) {
    let distance = is_spaced.then(String::new);
    let keys = entries.iter().map(|(key, value)| format!("{key_indentation}{key} = {value}"));
    let newline = lines::newline(text, lines::start(text, at.saturating_sub(1)));
    let lines: Vec<_> = distance.into_iter().chain([header.to_owned()]).chain(keys).collect();
    let lines = lines.join(newline);
    let is_whole = text[..at].is_empty() || text[..at].ends_with('\n');
    edits.insert(at, if is_whole { lines + newline } else { newline.to_owned() + &lines });
}

/// Where a table begins, with the comments directly above it.
fn top(text: &str, block: &Block) -> usize {
    lines::above(text, block.floor, lines::start(text, block.header.start), lines::is_comment)
}

/// Where the paragraph of a table ends, with the comments directly below it.
fn bottom(text: &str, block: &Block) -> usize {
    own_comments(text, lines::next(text, block.end))
}

/// The end of the comments from `end` on, unless they stand directly above the next header and thus belong to it.
fn own_comments(text: &str, end: usize) -> usize {
    let below = lines::below(text, end, lines::is_comment);
    if below == text.len() || lines::is_blank(text, below) { below } else { end }
}
