//! The warnings of a deployment: lines, of which so many are stored.

use racetrack_core::text::{BoundedText, TextLimit};

/// The longest line that is stored whole.
const LINE: TextLimit = TextLimit::ANSWER;

/// The most bytes of all lines, besides the last one, which says how many are left out.
const ALL: usize = TextLimit::RECORD.get() - 100;

/// The most lines.
const LINES: usize = 100;

/// The warnings with more of them. Those that come first remain.
pub(crate) fn add(kept: Option<&str>, more: &str) -> String {
    let (mut lines, mut left_out) = (Vec::new(), 0);
    let mut size = 0;
    for line in kept.into_iter().chain([more]).flat_map(|text| text.split('\n')) {
        if let Some(number) = number_left_out(line) {
            left_out += number;
            continue;
        }
        let line: String = BoundedText::new(line, LINE).into();
        if left_out == 0 && lines.len() < LINES && size + line.len() < ALL {
            size += line.len() + 1;
            lines.push(line);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        lines.push(format!("[… {left_out} more warnings left out …]"));
    }
    lines.join("\n")
}

fn number_left_out(line: &str) -> Option<u64> {
    line.strip_prefix("[… ")?.strip_suffix(" more warnings left out …]")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_limited_in_number_and_length() {
        assert_eq!(add(None, "one"), "one");
        assert_eq!(add(Some("one"), "two\nthree"), "one\ntwo\nthree");
        let mut kept = None;
        for number in 1..=1000 {
            kept = Some(add(kept.as_deref(), &format!("warning {number}")));
        }
        let kept = kept.unwrap();
        assert_eq!(kept.lines().count(), 101);
        assert!(kept.ends_with("\nwarning 100\n[… 900 more warnings left out …]"), "{kept}");

        let long = "é".repeat(10_000);
        let mut kept = add(None, &long);
        assert!(kept.len() <= LINE.get() && kept.contains(" bytes left out …]"));
        for _ in 0..99 {
            kept = add(Some(&kept), &long);
        }
        assert!(kept.len() <= TextLimit::RECORD.get() && kept.ends_with(" more warnings left out …]"));
        let left_out = number_left_out(kept.lines().last().unwrap()).unwrap();
        assert_eq!(kept.lines().count() as u64 - 1 + left_out, 100);
    }
}
