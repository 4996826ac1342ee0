//! The folder with the bundles, and for whom each was made.
//!
//! A bundle that two platforms had built is one bundle, which goes when both have released it. Who has it is in a file of
//! the folder `.index`, written before the bundle is there and removed after it has gone. A bundle that somebody else may
//! need, because it was made before there was an index or for a caller who did not say who it is, stays for ever.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use racetrack_core::job_bundle::FILE_NAME;
use serde::{Deserialize, Serialize};

use super::error::BundleEngineError;
use crate::folder::removal::{self, RemovalCounts};
use crate::identifier::{DeploymentId, PlatformId};
use crate::retention::mark::Run;
use crate::retention::{HeldImage, Mark, Owner, RemainingImages, RetentionError};

/// The folder with the records.
pub(super) const INDEX: &str = ".index";

/// What the names of records end with.
const RECORD: &str = ".json";

/// What the names of records begin with that are being written.
const HALF_WRITTEN: &str = ".new-";

/// How long the name of a bundle is: its digest in hexadecimal.
const DIGEST_LENGTH: usize = 64;

/// The bundles of this image-builder, which nobody else has.
#[derive(Debug)]
pub(super) struct BundleStore {
    /// Absolute.
    folder: PathBuf,
    run: Run,
    /// Held while a bundle comes, is used again or goes.
    changes: Mutex<Changes>,
    _lock: File,
}

/// What has come or was used again since the start.
#[derive(Debug, Default)]
struct Changes {
    count: u64,
    /// By digest.
    last: HashMap<String, u64>,
}

/// What is known of one bundle.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    bytes: u64,
    /// The last deployment of each platform that it was made for.
    owners: BTreeMap<PlatformId, DeploymentId>,
    /// Whether somebody may need it who is not among the owners.
    has_unknown_owner: bool,
}

impl BundleStore {
    /// Opens the folder, and removes what an interrupted removal left.
    pub(super) fn open(folder: PathBuf) -> Result<Self, BundleEngineError> {
        let unusable = |source| BundleEngineError::Folder { path: folder.clone(), source };
        let index = folder.join(INDEX);
        fs_err::create_dir_all(&index).map_err(unusable)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        // Whoever may open it may hold it for ever.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(index.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BundleEngineError::InUse(folder)),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let store = Self { folder: folder.clone(), run: Run::new(), changes: Mutex::default(), _lock: lock };
        store.finish_removals().map_err(unusable)?;
        Ok(store)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Gives a bundle that is made its final name, unless there is one of the same content. Returns the path, and whether
    /// it is new.
    pub(super) fn put(
        &self,
        made: &Path,
        digest: &str,
        bytes: u64,
        owner: Option<&Owner>,
    ) -> io::Result<(PathBuf, bool)> {
        let path = self.folder.join(digest);
        let mut changes = self.changes();
        let is_there = path.join(FILE_NAME).is_file();
        let mut record = match self.record(digest)? {
            Some(record) => record,
            None => Record { has_unknown_owner: is_there, ..Record::default() },
        };
        record.bytes = bytes;
        match owner {
            Some(owner) => _ = record.owners.insert(owner.platform.clone(), owner.deployment.clone()),
            None => record.has_unknown_owner = true,
        }
        self.write_record(digest, &record)?;
        if !is_there {
            fs_err::rename(made, &path)?;
        }
        changes.count += 1;
        let count = changes.count;
        changes.last.insert(digest.to_owned(), count);
        Ok((path, !is_there))
    }

    /// The bundles that the platform has, as of the mark.
    pub(super) fn held(&self, platform: &PlatformId) -> io::Result<(Mark, Vec<HeldImage>)> {
        let changes = self.changes();
        let mark = Mark { run: self.run, count: changes.count };
        let mut held = Vec::new();
        for digest in self.digests()? {
            let deployment = self.record(&digest)?.and_then(|mut record| record.owners.remove(platform));
            let name = || self.folder.join(&digest).to_string_lossy().into_owned();
            held.extend(deployment.map(|deployment_id| HeldImage { name: name(), deployment_id }));
        }
        Ok((mark, held))
    }

    /// Takes the bundles of these names from the platform, except those that came or were used again after the mark, and
    /// removes those that nobody has then.
    pub(super) fn release(
        &self,
        platform: &PlatformId,
        mark: Mark,
        names: &[String],
    ) -> Result<RemovalCounts, RetentionError> {
        if mark.run != self.run {
            return Err(RetentionError::OldMark);
        }
        let mut failed = RemovalCounts::default();
        for name in names {
            let Some(digest) = self.digest_of(name) else { continue };
            if let Err(error) = self.release_one(platform, mark, digest) {
                failed.fail(&format!("cannot release the bundle {name}"), &error);
            }
        }
        let mut removed = self.finish_removals()?;
        removed.failures += failed.failures;
        Ok(removed)
    }

    /// How much is left.
    pub(super) fn remaining(&self) -> io::Result<RemainingImages> {
        let _changes = self.changes();
        let mut remaining = RemainingImages::default();
        for digest in self.digests()? {
            let record = self.record(&digest)?;
            remaining.images += 1;
            remaining.bytes += record.as_ref().map_or(0, |record| record.bytes);
            remaining.images_of_nobody += u64::from(record.is_none_or(|record| record.has_unknown_owner));
        }
        Ok(remaining)
    }

    fn release_one(&self, platform: &PlatformId, mark: Mark, digest: &str) -> io::Result<()> {
        // For each anew, so that no build waits for all of them.
        let mut changes = self.changes();
        if changes.last.get(digest).is_some_and(|count| *count > mark.count) {
            return Ok(());
        }
        let Some(mut record) = self.record(digest)? else { return Ok(()) };
        if record.owners.remove(platform).is_none() {
            return Ok(());
        }
        if !record.owners.is_empty() || record.has_unknown_owner {
            return self.write_record(digest, &record);
        }
        removal::set_aside(&self.folder.join(digest), &self.folder)?;
        changes.last.remove(digest);
        fs_err::remove_file(self.record_path(digest))
    }

    /// Removes what was set aside, and records of what is not there: a removal or a build that was interrupted left them.
    fn finish_removals(&self) -> io::Result<RemovalCounts> {
        {
            let _changes = self.changes();
            for entry in fs_err::read_dir(self.folder.join(INDEX))? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_str().unwrap_or_default();
                let digest = name.strip_suffix(RECORD);
                let is_half_written = name.starts_with(HALF_WRITTEN);
                if is_half_written || digest.is_some_and(|digest| !self.folder.join(digest).exists()) {
                    fs_err::remove_file(entry.path())?;
                }
            }
        }
        removal::finish(&self.folder)
    }

    fn digests(&self) -> io::Result<Vec<String>> {
        let mut digests = Vec::new();
        for entry in fs_err::read_dir(&self.folder)? {
            digests.extend(entry?.file_name().to_str().filter(|name| is_digest(name)).map(str::to_owned));
        }
        Ok(digests)
    }

    /// The digest of the bundle of this name, if it is one of this folder.
    fn digest_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let path = Path::new(name);
        let digest = path.file_name()?.to_str().filter(|name| is_digest(name))?;
        (path.parent() == Some(&self.folder)).then_some(digest)
    }

    /// Nothing for a bundle that was made before there was an index.
    fn record(&self, digest: &str) -> io::Result<Option<Record>> {
        let path = self.record_path(digest);
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(content) => Ok(Some(serde_json::from_slice(&content).unwrap_or_else(|error| {
                tracing::warn!("the bundle stays, for {} cannot be read: {error}", path.display());
                Record { has_unknown_owner: true, ..Record::default() }
            }))),
        }
    }

    fn write_record(&self, digest: &str, record: &Record) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(HALF_WRITTEN).tempfile_in(self.folder.join(INDEX))?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.as_file().sync_data()?;
        file.persist(self.record_path(digest))?;
        Ok(())
    }

    fn record_path(&self, digest: &str) -> PathBuf {
        self.folder.join(INDEX).join(format!("{digest}{RECORD}"))
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == DIGEST_LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
