//! What the present binary of the build system was compiled from, in a file beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::inputs::Inputs;

/// The inputs of the last build. A stamp that cannot be read is one that is not there.
pub(crate) fn read(binary: &Path) -> Option<Inputs> {
    let text = std::fs::read_to_string(path(binary)).ok()?;
    let line = |line: &str| {
        let (digest, name) = line.split_once(' ')?;
        Some((name.to_owned(), u64::from_str_radix(digest, 16).ok()?))
    };
    text.lines().map(line).collect::<Option<BTreeMap<_, _>>>().map(Inputs)
}

/// When it was written.
pub(crate) fn time(binary: &Path) -> Option<SystemTime> {
    std::fs::metadata(path(binary)).and_then(|found| found.modified()).ok()
}

/// Writes it whole or not at all.
pub(crate) fn write(binary: &Path, inputs: &Inputs) -> Result<(), String> {
    let mut text = String::new();
    for (name, digest) in &inputs.0 {
        writeln!(text, "{digest:x} {name}").expect("a String takes any text");
    }
    let path = path(binary);
    let temporary = path.with_extension(format!("stamp-{}", std::process::id()));
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &path));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Removes it, if it is there.
pub(crate) fn remove(binary: &Path) -> Result<(), String> {
    match std::fs::remove_file(path(binary)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", path(binary).display()))
        }
        _ => Ok(()),
    }
}

fn path(binary: &Path) -> PathBuf {
    binary.with_extension("stamp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("xtask");
        assert_eq!(read(&binary), None);
        let inputs = Inputs(BTreeMap::from([("/a b/c.rs".to_owned(), u64::MAX), ("cargo".to_owned(), 0)]));
        write(&binary, &inputs).unwrap();
        assert_eq!(read(&binary), Some(inputs));
        assert!(time(&binary).is_some());
        remove(&binary).unwrap();
        remove(&binary).unwrap();
        assert_eq!(read(&binary), None);
    }
}
