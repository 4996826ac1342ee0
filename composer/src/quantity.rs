//! Numbers with their units, as people read them.

/// `1 plugin`, `2 plugins`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `12 B`, `1.2 kB`, `3.4 MB`, `5.6 GB`.
pub fn shown_bytes(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::shown_bytes;

    #[test]
    fn sizes_have_one_decimal() {
        let shown = [0, 999, 1_000, 1_999, 12_345_678, 5_600_000_000].map(shown_bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.9 kB", "12.3 MB", "5.6 GB"]);
    }
}
