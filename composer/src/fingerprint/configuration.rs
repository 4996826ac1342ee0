//! Cargo's configuration files as part of the fingerprint: those that are there, those that are not, and what they name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use toml::{Table, Value};

use super::digest;
use super::tools::{Tools, line};

/// Tables and keys that put crates, or other files, in the place of what the fingerprint knows.
const UNKNOWN: [&str; 4] = ["include", "patch", "paths", "source"];

/// A line of the fingerprint for each place where cargo looks for its configuration, and for each file that is named there;
/// nothing when a file says something whose effect only cargo knows.
pub(super) fn lines(files: &[PathBuf], tools: &Tools<'_>) -> Result<Option<BTreeMap<String, String>>> {
    let mut lines = BTreeMap::new();
    for file in files {
        let content = match std::fs::read_to_string(file) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            // Cargo says what is wrong with it.
            Err(_) => return Ok(None),
        };
        let Ok(table) = content.parse::<Table>() else {
            return Ok(None);
        };
        if UNKNOWN.iter().any(|key| table.contains_key(*key)) {
            return Ok(None);
        }
        lines.insert(format!("cargo configuration {}", file.display()), digest(content.as_bytes()));
        // Paths are relative to the folder that holds `.cargo`.
        let base = file.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let mut named = Vec::new();
        gather(&Value::Table(table), &mut named);
        for word in named {
            if let Some(program) = tools.find(OsStr::new(&word), base) {
                let (label, found) = line(&program)?;
                lines.insert(label, found);
            }
        }
    }
    Ok(Some(lines))
}

/// Every text in a value.
fn gather(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| gather(value, texts)),
        Value::Table(table) => table.values().for_each(|value| gather(value, texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_what_they_name_count() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join(".cargo")).unwrap();
        let file = root.join(".cargo/config.toml");
        let variables = BTreeMap::new();
        let tools = Tools::new(&variables);
        let read = |text: Option<&str>| {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            lines(&[root.join("none"), file.clone()], &tools).unwrap()
        };
        assert_eq!(read(None), Some(BTreeMap::new()));
        let first = read(Some("[build]\njobs = 1\n")).unwrap();
        assert_eq!(first.len(), 1);
        assert_ne!(read(Some("[build]\njobs = 2\n")).unwrap(), first);
        let wrapped = "[build]\nrustc-wrapper = \"tools/wrap\"\n";
        assert_eq!(read(Some(wrapped)).unwrap().len(), 1);
        std::fs::create_dir(root.join("tools")).unwrap();
        std::fs::write(root.join("tools/wrap"), "1").unwrap();
        let with_program = read(None).unwrap();
        assert_eq!(with_program.len(), 2);
        std::fs::remove_file(root.join("tools/wrap")).unwrap();
        std::fs::write(root.join("tools/wrap"), "2").unwrap();
        assert_ne!(read(None).unwrap(), with_program);
        for unknown in ["paths = [\"x\"]", "[source.x]", "[patch.crates-io]", "include = []", "broken"] {
            assert_eq!(read(Some(unknown)), None, "{unknown}");
        }
    }
}
