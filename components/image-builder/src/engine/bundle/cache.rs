//! The folder that builds share, and the removal of entries that no bundle needs.
//!
//! Several image-builders may share one. Each notes here where its bundles are, so that any of them finds all bundles that
//! may be started from what is here; and every build holds a lock, so that nothing goes between the moment in which a build
//! finds an entry and the one in which its bundle can be seen.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use racetrack_core::job_bundle::{CACHE_ENTRY_FILE, FILE_NAME, JobBundle, SUPERSEDED_ENTRY_FILE};

use super::store::INDEX;
use crate::folder::removal::{self, RemovalCounts};

/// The folder in which each file holds the path of a folder with bundles.
const BUNDLE_FOLDERS: &str = ".bundle-folders";

/// How far down entries are.
const LEVELS: usize = 4;

/// The folder that builds share.
#[derive(Clone, Debug)]
pub(super) struct BundleCache {
    /// Absolute.
    path: PathBuf,
    /// How long an entry stays that is not used.
    lifetime: Duration,
}

/// Keeps all entries in place until it is dropped.
#[derive(Debug)]
pub(super) struct CacheHold {
    /// Locked while it is open.
    _file: File,
}

/// Why nothing is removed from the cache.
#[derive(Debug, thiserror::Error)]
enum CacheError {
    #[error("cannot look through the cache of builds")]
    Read(#[from] io::Error),
    #[error(
        "{} is not there, or is not a folder with bundles; jobs of its bundles may need what is in the cache. If it is gone \
         for good, remove the file {}",
        bundles.display(), note.display()
    )]
    NoBundles { bundles: PathBuf, note: PathBuf },
    #[error("the bundle {} says nothing of what it needs", .0.display())]
    Bundle(PathBuf, #[source] serde_json::Error),
}

impl BundleCache {
    /// Notes where the bundles are that need what is in the folder.
    pub(super) fn open(path: PathBuf, bundles: &Path, lifetime: Duration) -> io::Result<Self> {
        let notes = path.join(BUNDLE_FOLDERS);
        fs_err::create_dir_all(&notes)?;
        let content = bundles.as_os_str().as_encoded_bytes();
        let note = notes.join(blake3::hash(content).to_hex().as_str());
        if !fs_err::read(&note).is_ok_and(|noted| noted == content) {
            let temporary = note.with_extension("new");
            fs_err::write(&temporary, content)?;
            fs_err::rename(temporary, note)?;
        }
        removal::finish(&path)?;
        Ok(Self { path, lifetime })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps all entries in place; waits for a moment if some are just being removed.
    pub(super) fn hold(&self) -> io::Result<CacheHold> {
        let file = self.lock_file()?;
        file.lock_shared()?;
        Ok(CacheHold { _file: file })
    }

    /// Removes entries that no bundle needs and no build has used for long, unless something is being built.
    pub(super) fn clean(&self) -> RemovalCounts {
        let set_aside = self.set_unneeded_aside();
        let mut removed = removal::finish(&self.path).unwrap_or_else(|error| {
            let mut failed = RemovalCounts::default();
            failed.fail("cannot look through the cache of builds", &error);
            failed
        });
        if let Err(error) = set_aside {
            removed.fail("nothing is removed from the cache of builds", &error);
        }
        removed
    }

    fn set_unneeded_aside(&self) -> Result<(), CacheError> {
        let lock = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tracing::debug!("something is being built, so nothing is removed from the cache");
                return Ok(());
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut unused = Vec::new();
        self.add_unused(&self.path, LEVELS, &mut unused)?;
        if unused.is_empty() {
            return Ok(());
        }
        let needed = self.texts_of_bundles()?;
        for entry in unused {
            // Not the whole path: the cache may have had another one.
            let name = entry.strip_prefix(&self.path).unwrap_or(&entry).to_string_lossy().into_owned();
            if !needed.iter().any(|text| text.contains(&name)) {
                removal::set_aside(&entry, &self.path)?;
            }
        }
        Ok(())
    }

    /// The entries that no build has used for long or will use again.
    fn add_unused(&self, folder: &Path, levels: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if is_hidden || !entry.file_type()?.is_dir() {
                continue;
            }
            match fs_err::metadata(path.join(CACHE_ENTRY_FILE)) {
                Ok(marker) if path.join(SUPERSEDED_ENTRY_FILE).is_file() || self.is_old(&marker)? => {
                    found.push(path);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if levels > 1 {
                        self.add_unused(&path, levels - 1, found)?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_old(&self, marker: &std::fs::Metadata) -> io::Result<bool> {
        // A time to come is no reason: the clock was set back.
        let age = SystemTime::now().duration_since(marker.modified()?);
        Ok(age.is_ok_and(|age| age > self.lifetime))
    }

    /// Commands and variables of all bundles that may need what is here.
    fn texts_of_bundles(&self) -> Result<Vec<String>, CacheError> {
        let mut texts = Vec::new();
        for note in fs_err::read_dir(self.path.join(BUNDLE_FOLDERS))? {
            let note = note?.path();
            if note.extension().is_some() {
                continue;
            }
            let bundles = PathBuf::from(fs_err::read_to_string(&note)?);
            if !bundles.join(INDEX).is_dir() {
                return Err(CacheError::NoBundles { bundles, note });
            }
            for bundle in fs_err::read_dir(&bundles)? {
                let path = bundle?.path().join(FILE_NAME);
                let description = match fs_err::read(&path) {
                    Ok(description) => description,
                    Err(error)
                        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
                    {
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                let bundle: JobBundle =
                    serde_json::from_slice(&description).map_err(|error| CacheError::Bundle(path, error))?;
                texts.extend(bundle.command.into_iter().chain(bundle.env.into_values()));
            }
        }
        Ok(texts)
    }

    fn lock_file(&self) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        // Whoever may open it may hold it for ever.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.path.join(".lock"))
    }
}
