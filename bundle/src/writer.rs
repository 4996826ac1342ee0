//! Writing bundles: the same files give the same bytes, on every machine, at any time.

use std::io::{self, Cursor, Write as _};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::SourceFile;

/// Why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The archive could not be made.
    #[error("cannot pack the file `{path}`")]
    Pack {
        /// The file in the source.
        path: String,
        /// What the archive writer says.
        #[source]
        source: ZipError,
    },
    /// The archive could not be finished.
    #[error("cannot finish the archive")]
    Finish(#[source] ZipError),
    /// The archive could not be put in its place.
    #[error("cannot write the bundle `{path}`", path = path.display())]
    Save {
        /// The bundle.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// The bytes of the bundle of `files`, which are sorted by path.
///
/// Entries are stored uncompressed: deflated ones would change with the compressor's version.
pub fn pack(files: &[SourceFile]) -> Result<Vec<u8>, WriteError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        // 1980-01-01, the first time that ZIP knows.
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let failed = |source| WriteError::Pack { path: file.path.clone(), source };
        archive.start_file(file.path.as_str(), options).map_err(failed)?;
        archive.write_all(&file.content).map_err(|error| failed(ZipError::Io(error)))?;
    }
    Ok(archive.finish().map_err(WriteError::Finish)?.into_inner())
}

/// Puts `bundle` at `path`, replacing what is there. Nobody sees half of it.
pub fn save(bundle: &[u8], path: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError::Save { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let mut file =
        with_default_mode(&mut builder).prefix(".racetrack-bundle-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bundle).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A temporary file is its maker's alone; a bundle is an ordinary file, whose mode the umask decides.
#[cfg(unix)]
fn with_default_mode<'a, 'p, 's>(
    builder: &'a mut tempfile::Builder<'p, 's>,
) -> &'a mut tempfile::Builder<'p, 's> {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn with_default_mode<'a, 'p, 's>(
    builder: &'a mut tempfile::Builder<'p, 's>,
) -> &'a mut tempfile::Builder<'p, 's> {
    builder
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::unpack;
    use crate::file_set::{compare_paths, digest};
    use crate::safe_path;
    use crate::source_label::SourceLabel;

    fn shown() -> SourceLabel {
        SourceLabel::archive(Path::new("/x.zip"), Path::new("/"))
    }

    fn any_files() -> impl Strategy<Value = Vec<SourceFile>> {
        let files =
            prop::collection::btree_map("[a-cA-Cž.]{1,3}(/[a-c ž.]{1,3}){0,3}", any::<Vec<u8>>(), 0..12);
        files.prop_map(|files| {
            let mut kept: Vec<SourceFile> = Vec::new();
            for (path, content) in files {
                let together =
                    kept.iter().map(|file| (file.path.as_str(), true)).chain([(path.as_str(), true)]);
                if safe_path::check(&path).is_ok() && compare_paths(together, Path::new("x")).is_empty() {
                    kept.push(SourceFile { path, content });
                }
            }
            kept
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_is_unpacked(files in any_files()) {
            let bundle = pack(&files).expect("packs");
            prop_assert_eq!(&bundle, &pack(&files).expect("packs again"));
            let unpacked = unpack(&bundle, shown()).map_err(|wrong| TestCaseError::fail(format!("{wrong:?}")))?;
            prop_assert_eq!(digest(&unpacked.files), digest(&files));
            prop_assert_eq!(unpacked.files, files);
        }

        #[test]
        fn a_damaged_bundle_gives_the_same_files_or_none(
            files in any_files(), position in any::<prop::sample::Index>(), change in 1u8..,
        ) {
            let mut bundle = pack(&files).expect("packs");
            let position = position.index(bundle.len());
            bundle[position] ^= change;
            if let Ok(unpacked) = unpack(&bundle, shown()) {
                // Times and permissions are not looked at, so a change there may pass; a change of a name may
                // give another name, never a path that is not safe.
                for file in &unpacked.files {
                    prop_assert!(safe_path::check(&file.path).is_ok());
                }
                let contents = |files: &[SourceFile]| files.iter().map(|file| file.content.clone()).collect::<Vec<_>>();
                prop_assert_eq!(contents(&unpacked.files), contents(&files));
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in any::<Vec<u8>>()) {
            prop_assert!(unpack(&bytes, shown()).is_err());
        }
    }

    #[test]
    fn saving_replaces_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.zip");
        save(b"one", &path).expect("saved");
        save(b"two", &path).expect("saved again");
        assert_eq!(fs_err::read(&path).expect("there"), b"two");
        assert_eq!(fs_err::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(save(b"x", &folder.path().join("absent/a.zip")).is_err());
    }
}
