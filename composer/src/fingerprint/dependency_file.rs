//! The files that cargo says a binary was built from: the dependency file beside it, in the format of `make`.

use std::path::PathBuf;

/// The paths behind the colon. Blanks in a path are escaped with `\`.
pub(super) fn paths(text: &str) -> Vec<PathBuf> {
    let Some(line) = text.lines().next() else {
        return Vec::new();
    };
    let Some((_, rest)) = line.split_once(": ") else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    let mut path = String::new();
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&' ') => path.extend(characters.next()),
            ' ' => paths.push(std::mem::take(&mut path)),
            other => path.push(other),
        }
    }
    paths.push(path);
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

/// The paths that a build script asks cargo to watch, from what it printed. Those in its own package are relative.
pub(super) fn watched_by_script(output: &str) -> Vec<PathBuf> {
    let directive = |line: &str| {
        ["cargo::rerun-if-changed=", "cargo:rerun-if-changed="]
            .iter()
            .find_map(|prefix| line.strip_prefix(prefix).map(PathBuf::from))
    };
    output.lines().filter_map(directive).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_part_of_escaped_paths() {
        let text = "/t/lifecycle: /a/b.rs /a/with\\ blank/c.rs /d\n";
        assert_eq!(paths(text), ["/a/b.rs", "/a/with blank/c.rs", "/d"].map(PathBuf::from));
        assert_eq!(paths("/t/lifecycle:"), [""; 0].map(PathBuf::from));
        assert_eq!(paths(""), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn scripts_name_what_they_watch_in_two_ways() {
        let output =
            "cargo:rerun-if-changed=build.rs\nnoise\ncargo::rerun-if-changed=/etc/x\ncargo:rustc-cfg=a\n";
        assert_eq!(watched_by_script(output), ["build.rs", "/etc/x"].map(PathBuf::from));
    }
}
