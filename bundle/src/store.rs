//! Plugin sources on disk, where cargo builds them: one folder per content, never changed once it is there.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::SourceFile;

/// Makes sure that `store/name` holds exactly `files`; returns that folder.
///
/// The folder is made beside its place and renamed, so that nobody sees half of it. A folder with other content, which
/// only a hand can have made, is replaced.
pub(crate) fn place(files: &[SourceFile], store: &Path, name: &str) -> io::Result<PathBuf> {
    let target = store.join(name);
    if holds_exactly(&target, files)? {
        return Ok(target);
    }
    fs_err::create_dir_all(store)?;
    let staging =
        tempfile::Builder::new().prefix(&format!(".tmp-{}-", std::process::id())).tempdir_in(store)?;
    let fresh = staging.path().join("fresh");
    write(files, &fresh)?;
    match fs_err::symlink_metadata(&target) {
        // What stood there goes away together with the staging folder.
        Ok(_) => fs_err::rename(&target, staging.path().join("replaced"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match fs_err::rename(&fresh, &target) {
        // Another process was faster, with the same content or it would have another name.
        Err(error) if !holds_exactly(&target, files)? => return Err(error),
        _ => {}
    }
    staging.close()?;
    Ok(target)
}

fn write(files: &[SourceFile], folder: &Path) -> io::Result<()> {
    create_folder(folder)?;
    let mut folders = BTreeSet::new();
    for file in files {
        for (end, _) in file.path.match_indices('/') {
            if folders.insert(&file.path[..end]) {
                create_folder(&folder.join(&file.path[..end]))?;
            }
        }
        let path = folder.join(&file.path);
        fs_err::write(&path, &file.content)?;
        set_mode(&path, 0o644)?;
    }
    Ok(())
}

fn create_folder(path: &Path) -> io::Result<()> {
    fs_err::create_dir(path)?;
    set_mode(path, 0o755)
}

/// Whether there is a folder with these files, the same contents, and nothing else. Symbolic links count as something
/// else.
fn holds_exactly(folder: &Path, files: &[SourceFile]) -> io::Result<bool> {
    match fs_err::symlink_metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let mut waiting = vec![(folder.to_owned(), String::new())];
    let mut found = 0;
    while let Some((folder, prefix)) = waiting.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let Some(path) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
                return Ok(false);
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push((entry.path(), format!("{path}/")));
                continue;
            }
            let Ok(index) = files.binary_search_by(|file| file.path.as_str().cmp(&path)) else {
                return Ok(false);
            };
            if !kind.is_file() || !has_content(&entry, &files[index].content)? {
                return Ok(false);
            }
            found += 1;
        }
    }
    Ok(found == files.len())
}

fn has_content(entry: &fs_err::DirEntry, content: &[u8]) -> io::Result<bool> {
    Ok(entry.metadata()?.len() == content.len() as u64 && fs_err::read(entry.path())? == content)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Other systems have no modes that a build could depend on.
#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<SourceFile> {
        ["Cargo.toml", "src/deep/x", "src/lib.rs"]
            .map(|path| SourceFile { path: path.to_owned(), content: path.as_bytes().to_vec() })
            .to_vec()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs_err::read_dir(folder).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_source_is_placed_once_and_nothing_else_stays() {
        let store = tempfile::tempdir().expect("a folder");
        let store = store.path().join("store");
        let target = place(&files(), &store, "a-1").expect("placed");
        assert_eq!(fs_err::read_to_string(target.join("src/deep/x")).expect("a file"), "src/deep/x");
        let first = fs_err::metadata(target.join("Cargo.toml")).expect("a file").modified().expect("a time");
        place(&files(), &store, "a-1").expect("placed again");
        let second = fs_err::metadata(target.join("Cargo.toml")).expect("a file").modified().expect("a time");
        assert_eq!(first, second);
        assert_eq!(names(&store), ["a-1"]);
    }

    #[test]
    fn a_tampered_folder_is_replaced() {
        let store = tempfile::tempdir().expect("a folder");
        let tamperings: [fn(&Path); 4] = [
            |target| fs_err::write(target.join("Cargo.toml"), "Cargo.tomm").expect("written"),
            |target| fs_err::write(target.join("src/extra"), "").expect("written"),
            |target| fs_err::remove_file(target.join("src/lib.rs")).expect("removed"),
            |target| fs_err::remove_dir_all(target).expect("removed"),
        ];
        for tamper in tamperings {
            let target = place(&files(), store.path(), "a-1").expect("placed");
            tamper(&target);
            place(&files(), store.path(), "a-1").expect("placed again");
            assert!(holds_exactly(&target, &files()).expect("readable"));
        }
        let target = store.path().join("b-1");
        fs_err::write(&target, "a file in its place").expect("written");
        place(&files(), store.path(), "b-1").expect("placed");
        assert_eq!(names(store.path()), ["a-1", "b-1"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_right_content_is_replaced_too() {
        let store = tempfile::tempdir().expect("a folder");
        let target = place(&files(), store.path(), "a-1").expect("placed");
        let elsewhere = store.path().join("elsewhere");
        fs_err::rename(target.join("Cargo.toml"), &elsewhere).expect("moved");
        fs_err::os::unix::fs::symlink(&elsewhere, target.join("Cargo.toml")).expect("linked");
        place(&files(), store.path(), "a-1").expect("placed again");
        assert!(fs_err::symlink_metadata(target.join("Cargo.toml")).expect("there").is_file());
    }

    #[cfg(unix)]
    #[test]
    fn modes_do_not_depend_on_the_umask() {
        use std::os::unix::fs::PermissionsExt as _;
        let store = tempfile::tempdir().expect("a folder");
        let target = place(&files(), store.path(), "a-1").expect("placed");
        let mode =
            |path: &str| fs_err::metadata(target.join(path)).expect("there").permissions().mode() & 0o7777;
        assert_eq!(
            [mode(""), mode("src"), mode("src/deep"), mode("src/lib.rs")],
            [0o755, 0o755, 0o755, 0o644]
        );
    }
}
