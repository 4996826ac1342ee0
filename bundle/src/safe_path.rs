//! Which paths the files of a plugin source may have: those that name one and the same file on every system.

use crate::{Code, codes, limits};

/// File names that Windows gives to devices, whatever extension follows.
const DEVICE_NAMES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// Why a path is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedPath {
    pub(crate) code: Code,
    /// Completes a sentence that starts with the path.
    pub(crate) reason: String,
}

/// Whether `path` is relative, `/`-separated, stays inside its root, and means the same everywhere.
pub(crate) fn check(path: &str) -> Result<(), RefusedPath> {
    whole_path(path)?;
    let mut depth = 0;
    for component in path.split('/') {
        depth += 1;
        one_component(component)?;
    }
    if depth > limits::PATH_DEPTH {
        let reason = format!("has {depth} components, the limit is {}", limits::PATH_DEPTH);
        return Err(RefusedPath { code: codes::PATH_TOO_DEEP, reason });
    }
    Ok(())
}

fn whole_path(path: &str) -> Result<(), RefusedPath> {
    if path.is_empty() {
        return refuse(codes::PATH_EMPTY_COMPONENT, "is empty");
    }
    if let Some(character) = path.chars().find(|c| c.is_control()) {
        let reason = format!("has the control character U+{:04X}", u32::from(character));
        return Err(RefusedPath { code: codes::PATH_CONTROL_CHARACTER, reason });
    }
    if path.len() > limits::PATH_BYTES {
        let reason = format!("has {} bytes, the limit is {}", path.len(), limits::PATH_BYTES);
        return Err(RefusedPath { code: codes::PATH_TOO_LONG, reason });
    }
    let bytes = path.as_bytes();
    if bytes[0].is_ascii_alphabetic() && bytes.get(1) == Some(&b':') {
        return refuse(codes::PATH_DRIVE_LETTER, "starts with a drive letter");
    }
    if path.starts_with('/') {
        return refuse(codes::PATH_ABSOLUTE, "is absolute");
    }
    if path.contains('\\') {
        return refuse(codes::PATH_BACKSLASH, "has a backslash");
    }
    if path.contains(':') {
        return refuse(codes::PATH_COLON, "has a colon");
    }
    Ok(())
}

fn one_component(component: &str) -> Result<(), RefusedPath> {
    match component {
        "" => refuse(codes::PATH_EMPTY_COMPONENT, "has an empty component"),
        "." | ".." => refuse(codes::PATH_TRAVERSAL, &format!("has the component `{component}`")),
        _ if component.ends_with(['.', ' ']) => {
            refuse(codes::PATH_TRAILING_DOT, "has a component that ends with a dot or a space")
        }
        _ if is_device_name(component) => {
            refuse(codes::PATH_DEVICE_NAME, "has a component that is a device on some systems")
        }
        _ => Ok(()),
    }
}

fn is_device_name(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component).trim_end().to_lowercase();
    let numbered = |prefix: &str| {
        let rest = stem.strip_prefix(prefix).map(str::chars);
        // Windows takes the superscripts for digits here.
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³');
        rest.is_some_and(|mut rest| rest.next().is_some_and(is_number) && rest.next().is_none())
    };
    DEVICE_NAMES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

fn refuse(code: Code, reason: &str) -> Result<(), RefusedPath> {
    Err(RefusedPath { code, reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    fn code(path: &str) -> Option<Code> {
        check(path).err().map(|refused| refused.code)
    }

    #[test]
    fn ordinary_paths_are_accepted() {
        for path in [
            "Cargo.toml",
            "src/lib.rs",
            ".hidden/f",
            "resources/žluť.txt",
            "a b/c",
            "...x",
            "console",
            "com10",
        ] {
            assert_eq!(code(path), None, "{path}");
        }
    }

    #[test]
    fn each_kind_of_refusal_has_its_code() {
        for (path, expected) in [
            ("", codes::PATH_EMPTY_COMPONENT),
            ("a//b", codes::PATH_EMPTY_COMPONENT),
            ("a/", codes::PATH_EMPTY_COMPONENT),
            ("../a", codes::PATH_TRAVERSAL),
            ("a/../b", codes::PATH_TRAVERSAL),
            ("./a", codes::PATH_TRAVERSAL),
            ("/a", codes::PATH_ABSOLUTE),
            ("C:/a", codes::PATH_DRIVE_LETTER),
            ("c:a", codes::PATH_DRIVE_LETTER),
            ("a\\b", codes::PATH_BACKSLASH),
            ("a/b:c", codes::PATH_COLON),
            ("a\0b", codes::PATH_CONTROL_CHARACTER),
            ("a\nb", codes::PATH_CONTROL_CHARACTER),
            ("a\u{85}b", codes::PATH_CONTROL_CHARACTER),
            ("src/NUL", codes::PATH_DEVICE_NAME),
            ("aux.tar.gz", codes::PATH_DEVICE_NAME),
            ("com1.txt", codes::PATH_DEVICE_NAME),
            ("lpt²", codes::PATH_DEVICE_NAME),
            ("a./b", codes::PATH_TRAILING_DOT),
            ("a /b", codes::PATH_TRAILING_DOT),
        ] {
            assert_eq!(code(path), Some(expected), "{path:?}");
        }
        assert_eq!(code(&"x".repeat(limits::PATH_BYTES + 1)), Some(codes::PATH_TOO_LONG));
        assert_eq!(code(&["d"; limits::PATH_DEPTH + 1].join("/")), Some(codes::PATH_TOO_DEEP));
    }

    proptest! {
        #[test]
        fn an_accepted_path_never_leaves_its_root(path in "[a-z./\\\\: \u{0}A-Z~ž]{0,24}|.{0,40}") {
            if check(&path).is_ok() {
                let components: Vec<_> = Path::new(&path).components().collect();
                prop_assert!(components.iter().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(components.len(), path.split('/').count());
                prop_assert!(!path.contains(['\\', ':', '\0']));
            }
        }
    }
}
