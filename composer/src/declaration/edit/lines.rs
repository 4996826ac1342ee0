//! Lines of a text, by offset.

/// Where the line of an offset begins.
pub(super) fn start(text: &str, offset: usize) -> usize {
    let newline = text.as_bytes()[..offset].iter().rposition(|byte| *byte == b'\n');
    newline.map_or(0, |newline| newline + 1)
}

/// Where the line after that of an offset begins; the end of the text, if there is none.
pub(super) fn next(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |newline| offset + newline + 1)
}

/// The rest of the line from an offset on, without its newline.
pub(super) fn rest(text: &str, offset: usize) -> &str {
    text[offset..next(text, offset)].trim_end_matches(['\n', '\r'])
}

/// What stands before an offset on its line, if that is nothing but blanks.
pub(super) fn indentation(text: &str, offset: usize) -> Option<&str> {
    let before = &text[start(text, offset)..offset];
    before.trim().is_empty().then_some(before)
}

/// The newline of the text near an offset.
pub(super) fn newline(text: &str, offset: usize) -> &'static str {
    let near = text[offset..].find('\n').map(|newline| offset + newline).or_else(|| text.rfind('\n'));
    if near.is_some_and(|newline| text[..newline].ends_with('\r')) { "\r\n" } else { "\n" }
}

/// Whether the line that begins at an offset is there and blank.
pub(super) fn is_blank(text: &str, start: usize) -> bool {
    start < text.len() && rest(text, start).trim().is_empty()
}

/// Whether the line that begins at an offset is nothing but a comment.
pub(super) fn is_comment(text: &str, start: usize) -> bool {
    rest(text, start).trim_start().starts_with('#')
}

/// The beginning of the lines directly above `top` and below `floor`, as far as `belongs` says so of each.
pub(super) fn above(text: &str, floor: usize, mut top: usize, belongs: fn(&str, usize) -> bool) -> usize {
    while top > 0 && start(text, top - 1) >= floor && belongs(text, start(text, top - 1)) {
        top = start(text, top - 1);
    }
    top
}

/// The end of the lines from `bottom` on, as far as `belongs` says so of each.
pub(super) fn below(text: &str, mut bottom: usize, belongs: fn(&str, usize) -> bool) -> usize {
    while bottom < text.len() && belongs(text, bottom) {
        bottom = next(text, bottom);
    }
    bottom
}
