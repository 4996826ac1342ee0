//! How much may come out of an archive.

/// How much may come out of an archive.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveLimits {
    /// How many bytes, with the archive's own.
    pub size: u64,
    /// How many files and folders.
    pub entries: usize,
}

/// How much stands before the content of an entry, in bytes: its header, and others with a long path and notes. They are
/// read into memory.
pub(super) const MAX_HEADER: u64 = 256 * 1024;

/// An archive may always grow to this size, in bytes; beyond, [`MAX_RATIO`] holds.
pub(super) const FREE_SIZE: u64 = 16 * 1024 * 1024;

/// How many times larger than the archive its contents may be.
const MAX_RATIO: u64 = 200;

impl ArchiveLimits {
    /// How many bytes may come out of an archive of `size` bytes.
    pub(super) fn size_of(&self, size: u64) -> u64 {
        self.size.min(size.saturating_mul(MAX_RATIO).max(FREE_SIZE))
    }
}

impl Default for ArchiveLimits {
    /// What both components allow unless they are configured otherwise.
    fn default() -> Self {
        Self { size: 512 * 1024 * 1024, entries: 50_000 }
    }
}
