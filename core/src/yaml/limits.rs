//! How large a text may be.

/// How large a text may be, and what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YamlLimits {
    /// How long the text may be, in bytes, and how long all of its scalars may be, where every alias counts for what it
    /// repeats.
    pub bytes: usize,
    /// How many scalars, sequences and mappings it may have, where every alias counts for what it repeats.
    pub nodes: usize,
    /// How many sequences and mappings may be inside one another.
    pub depth: usize,
    /// Whether it may have anchors and aliases.
    pub aliases: Aliases,
    /// Whether a mapping may have a key twice.
    pub duplicate_keys: DuplicateKeys,
}

/// Whether a text may have anchors and aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aliases {
    /// It has none.
    Refused,
    /// An alias counts for what it repeats.
    Counted,
}

/// Whether a mapping may have a key twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateKeys {
    /// None has.
    Refused,
    /// It is for the reader to judge.
    Kept,
}

impl YamlLimits {
    /// Of manifests of jobs. They need no aliases.
    pub const JOB_MANIFEST: Self = Self {
        // Jobs get their manifest in an environment variable, of 128 KiB at most.
        bytes: 120 * 1024,
        nodes: 20_000,
        depth: 64,
        aliases: Aliases::Refused,
        duplicate_keys: DuplicateKeys::Refused,
    };

    /// Of manifests that were stored when they could be larger and have aliases. Nobody can send another one.
    pub const STORED_JOB_MANIFEST: Self =
        Self { bytes: 256 * 1024, aliases: Aliases::Counted, ..Self::JOB_MANIFEST };

    /// Of configurations of components and plugins, whose authors may want to write something once.
    pub const CONFIGURATION: Self = Self {
        bytes: 1024 * 1024,
        nodes: 100_000,
        depth: 64,
        aliases: Aliases::Counted,
        duplicate_keys: DuplicateKeys::Refused,
    };
}
