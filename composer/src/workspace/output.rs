//! Writing generated workspaces: only what changed, and nothing that does not belong there stays.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::description::sections::{CRATES_FILE, DESCRIPTION_FILE};
use crate::files::{relative, remove_any, write_if_changed};
use crate::workspace::generate::{GeneratedFile, GeneratedLink, GeneratedWorkspace, HEADER};

/// What a workspace may hold without being generated: the lock, what its binary is to say about itself, and what cargo
/// makes when somebody runs it there.
const KEPT: [&str; 4] = ["Cargo.lock", CRATES_FILE, DESCRIPTION_FILE, "target"];

/// Writes a workspace into `folder`. Returns how many files and links had to be changed.
pub fn write(workspace: &GeneratedWorkspace, folder: &Path) -> Result<usize> {
    let mut expected: BTreeSet<PathBuf> = KEPT.iter().map(|kept| folder.join(kept)).collect();
    expected.extend(workspace.files.iter().map(|file| folder.join(&file.path)));
    expected.extend(workspace.links.iter().map(|link| folder.join(&link.path)));
    fs::create_dir_all(folder)?;
    let mut changed = prune(folder, &expected)?;
    for GeneratedFile { path, text } in &workspace.files {
        changed += usize::from(write_if_changed(&folder.join(path), text.as_bytes())?);
    }
    for link in &workspace.links {
        changed += usize::from(place_link(link, folder)?);
    }
    Ok(changed)
}

/// Removes the workspaces of components that the declaration no longer has, with their artefacts. Returns their
/// names.
pub fn remove_stale(state: &Path, components: &[&str]) -> Result<Vec<String>> {
    let undeclared = stale_workspaces(state, components)?;
    for name in &undeclared {
        fs::remove_dir_all(state.join(name))?;
        let artefacts = state.join("target").join(name);
        if artefacts.exists() {
            fs::remove_dir_all(artefacts)?;
        }
    }
    Ok(undeclared)
}

/// The components that have a workspace and are no longer declared, sorted.
pub fn stale_workspaces(state: &Path, components: &[&str]) -> Result<Vec<String>> {
    let mut undeclared = Vec::new();
    let Ok(entries) = fs::read_dir(state) else {
        return Ok(undeclared);
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let header = format!("# {HEADER}\n");
        let is_ours =
            fs::read_to_string(entry.path().join("Cargo.toml")).is_ok_and(|text| text.starts_with(&header));
        if is_ours && !components.contains(&name.as_str()) {
            undeclared.push(name);
        }
    }
    undeclared.sort();
    Ok(undeclared)
}

/// How the generated files on disk differ from what they should be, as a diff; nothing when they do not. A workspace
/// that was never generated does not differ.
pub fn difference(files: &[GeneratedFile], folder: &Path) -> Option<String> {
    if !folder.exists() {
        return None;
    }
    let mut text = String::new();
    for file in files {
        let found = fs::read_to_string(folder.join(&file.path)).unwrap_or_default();
        if found != file.text {
            let diff = similar::TextDiff::from_lines(found.as_str(), file.text.as_str());
            let mut unified = diff.unified_diff();
            text += &unified
                .header(&format!("on disk: {}", file.path), &format!("generated: {}", file.path))
                .to_string();
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Removes everything below `folder` that is not expected, without following links.
fn prune(folder: &Path, expected: &BTreeSet<PathBuf>) -> Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if expected.contains(&path) {
            continue;
        }
        let metadata = fs::symlink_metadata(&path)?;
        let holds_expected =
            expected.range(path.clone()..).next().is_some_and(|next| next.starts_with(&path));
        if metadata.is_dir() && holds_expected {
            removed += prune(&path, expected)?;
        } else if metadata.is_dir() {
            fs::remove_dir_all(&path)?;
            removed += 1;
        } else {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn place_link(link: &GeneratedLink, folder: &Path) -> Result<bool> {
    let path = folder.join(&link.path);
    let parent = path.parent().context("a link has a folder")?;
    fs::create_dir_all(parent)?;
    let target = relative(&parent.canonicalize()?, &link.target);
    let found = fs::symlink_metadata(&path).ok();
    if found.as_ref().is_some_and(std::fs::Metadata::is_symlink) {
        if fs::read_link(&path)? == target {
            return Ok(false);
        }
        fs::remove_file(&path)?;
    } else if found.is_some_and(|found| found.is_file()) {
        fs::remove_file(&path)?;
    }
    // A real folder here is a copy that an earlier build made because it could not link.
    if !path.is_dir() && symlink(&target, &path).is_ok() {
        return Ok(true);
    }
    mirror(&link.target, &path).with_context(|| format!("cannot link or copy {}", link.target.display()))
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    fs::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes `copy` hold what `original` holds, for systems without links. Returns whether anything changed.
fn mirror(original: &Path, copy: &Path) -> Result<bool> {
    const SKIPPED: [&str; 3] = [".git", ".racetrack", "target"];
    fs::create_dir_all(copy)?;
    let mut names = BTreeSet::new();
    let mut changed = false;
    for entry in fs::read_dir(original)? {
        let entry = entry?;
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let (from, to) = (entry.path(), copy.join(&name));
        if to.exists() && from.is_dir() != to.is_dir() {
            remove_any(&to)?;
        }
        changed |=
            if from.is_dir() { mirror(&from, &to)? } else { write_if_changed(&to, &fs::read(&from)?)? };
        names.insert(name);
    }
    for entry in fs::read_dir(copy)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) {
            remove_any(&entry.path())?;
            changed = true;
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(text: &str, target: &Path) -> GeneratedWorkspace {
        let file = |path: &str, text: &str| GeneratedFile { path: path.to_owned(), text: text.to_owned() };
        let link = GeneratedLink { path: "components/a".to_owned(), target: target.to_path_buf() };
        GeneratedWorkspace {
            files: vec![file("Cargo.toml", text), file("src/main.rs", "")],
            links: vec![link],
        }
    }

    #[test]
    fn the_second_time_nothing_is_written() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (target, folder) = (root.join("elsewhere"), root.join("w"));
        fs::create_dir_all(&target).unwrap();
        fs::write(target.join("x"), "1").unwrap();
        assert_eq!(write(&workspace("a", &target), &folder).unwrap(), 3);
        assert_eq!(write(&workspace("a", &target), &folder).unwrap(), 0);
        assert_eq!(fs::read_to_string(folder.join("components/a/x")).unwrap(), "1");
        assert_eq!(write(&workspace("b", &target), &folder).unwrap(), 1);
    }

    #[test]
    fn what_does_not_belong_is_removed_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (target, folder) = (root.join("elsewhere"), root.join("w"));
        fs::create_dir_all(target.join("keep")).unwrap();
        write(&workspace("a", &target), &folder).unwrap();
        fs::create_dir_all(folder.join("plugins/old")).unwrap();
        fs::write(folder.join("components/stray"), "").unwrap();
        fs::write(folder.join("Cargo.lock"), "kept").unwrap();
        assert_eq!(write(&workspace("a", &target), &folder).unwrap(), 2);
        assert!(!folder.join("plugins").exists() && !folder.join("components/stray").exists());
        assert!(folder.join("Cargo.lock").exists() && target.join("keep").exists());
    }

    #[test]
    fn a_mirror_follows_its_original() {
        let root = tempfile::tempdir().unwrap();
        let (original, copy) = (root.path().join("o"), root.path().join("c"));
        fs::create_dir_all(original.join("src")).unwrap();
        fs::write(original.join("src/lib.rs"), "1").unwrap();
        assert!(mirror(&original, &copy).unwrap());
        assert!(!mirror(&original, &copy).unwrap());
        fs::remove_dir_all(original.join("src")).unwrap();
        fs::write(original.join("src"), "a file now").unwrap();
        assert!(mirror(&original, &copy).unwrap());
        assert_eq!(fs::read_to_string(copy.join("src")).unwrap(), "a file now");
        fs::remove_file(original.join("src")).unwrap();
        assert!(mirror(&original, &copy).unwrap());
        assert_eq!(fs::read_dir(&copy).unwrap().count(), 0);
    }

    #[test]
    fn only_generated_folders_are_stale() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path();
        for (name, text) in
            [("old", format!("# {HEADER}\n")), ("new", format!("# {HEADER}\n")), ("mine", "# x\n".to_owned())]
        {
            fs::create_dir_all(state.join(name)).unwrap();
            fs::write(state.join(name).join("Cargo.toml"), text).unwrap();
        }
        fs::create_dir_all(state.join("target/old")).unwrap();
        assert_eq!(remove_stale(state, &["new"]).unwrap(), ["old"]);
        assert!(!state.join("old").exists() && !state.join("target/old").exists());
        assert!(state.join("new").exists() && state.join("mine").exists());
    }
}
