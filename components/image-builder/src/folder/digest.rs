//! The digest of a folder: of the path, kind and content of everything in it.

use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;
use std::path::Path;

use blake3::{Hash, Hasher};

use super::tree::is_executable;

/// What an entry is, as it goes into the digest.
#[derive(Clone, Copy)]
enum Kind {
    Folder,
    File,
    Executable,
    Link,
}

/// The digest of the folder, in hexadecimal.
pub(crate) fn of(folder: &Path) -> io::Result<String> {
    digest(folder).map(|digest| digest.to_hex().to_string())
}

/// Each folder has a digest of its own: only the names in one folder have to be sorted at once, not all paths, which may be
/// long.
fn digest(folder: &Path) -> io::Result<Hash> {
    let mut entries = BTreeMap::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|_| other("the name is not UTF-8", &path))?;
        entries.insert(name.into_boxed_str(), digest_entry(&path, entry.file_type()?)?);
    }
    let mut hasher = Hasher::new();
    for (name, (kind, digest)) in entries {
        // Every part has a fixed length or says its own, so that no two folders give the same bytes.
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&[kind as u8]);
        hasher.update(digest.as_bytes());
    }
    Ok(hasher.finalize())
}

fn digest_entry(path: &Path, file_type: FileType) -> io::Result<(Kind, Hash)> {
    if file_type.is_dir() {
        Ok((Kind::Folder, digest(path)?))
    } else if file_type.is_symlink() {
        let target = fs_err::read_link(path)?;
        Ok((Kind::Link, blake3::hash(target.as_os_str().as_encoded_bytes())))
    } else if file_type.is_file() {
        let mut hasher = Hasher::new();
        hasher.update_reader(fs_err::File::open(path)?)?;
        Ok((if is_executable(path)? { Kind::Executable } else { Kind::File }, hasher.finalize()))
    } else {
        Err(other("it is neither a file nor a folder nor a symbolic link", path))
    }
}

fn other(text: &str, path: &Path) -> io::Error {
    io::Error::other(format!("{text}: {}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn digest(make: impl FnOnce(&Path)) -> String {
        let folder = tempfile::tempdir().expect("can be made");
        make(folder.path());
        of(folder.path()).expect("can be read")
    }

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("can be made");
        std::fs::write(path, text).expect("can be written");
    }

    #[test]
    fn everything_counts_and_nothing_else() {
        let one = digest(|folder| {
            write(folder, "a", "1");
            write(folder, "b/c", "2");
        });
        let same_in_another_order = digest(|folder| {
            write(folder, "b/c", "2");
            write(folder, "a", "1");
        });
        assert_eq!(one, same_in_another_order);
        assert_eq!(one.len(), 64);
        let changes: [&dyn Fn(&Path); 6] = [
            &|folder| write(folder, "a", "2"),
            &|folder| write(folder, "b/d", ""),
            &|folder| std::fs::create_dir(folder.join("e")).expect("can be made"),
            &|folder| std::fs::rename(folder.join("a"), folder.join("b/a")).expect("can be moved"),
            &|folder| symlink("a", folder.join("f")).expect("can be made"),
            &|folder| {
                let executable = PermissionsExt::from_mode(0o755);
                std::fs::set_permissions(folder.join("a"), executable).expect("is ours");
            },
        ];
        for change in changes {
            let after = digest(|folder| {
                write(folder, "a", "1");
                write(folder, "b/c", "2");
                change(folder);
            });
            assert_ne!(one, after);
        }
    }
}
