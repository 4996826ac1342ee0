//! Where two binaries begin to differ, as a person can read it.

/// How many bytes around the first difference are shown, on each side.
const SURROUNDINGS: usize = 32;

/// `, from byte 17 on: "…" and "…"`, or the lengths when one binary is the beginning of the other.
pub(super) fn first_difference(one: &[u8], other: &[u8]) -> String {
    let Some(start) = one.iter().zip(other).position(|(left, right)| left != right) else {
        return format!(": one build has {} bytes, the other {}", one.len(), other.len());
    };
    let around = |bytes: &[u8]| {
        let end = bytes.len().min(start + SURROUNDINGS);
        String::from_utf8_lossy(&bytes[start.saturating_sub(SURROUNDINGS)..end]).escape_debug().to_string()
    };
    format!(" from byte {start} on: `{}` and `{}`", around(one), around(other))
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_difference_is_shown_with_what_is_around_it() {
        assert_eq!(
            first_difference(b"built at 1", b"built at 2"),
            " from byte 9 on: `built at 1` and `built at 2`"
        );
        assert_eq!(first_difference(b"a", b"ab"), ": one build has 1 bytes, the other 2");
    }
}
