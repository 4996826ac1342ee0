//! How large a plugin source may be. One place for every figure, so that a folder and its bundle obey the same ones.

use racetrack_core::yaml::{Aliases, DuplicateKeys, YamlLimits};

/// The largest `plugin-manifest.yaml`, in bytes; checked before it is parsed.
pub const MANIFEST_BYTES: usize = 64 * 1024;

/// What may stand in a `plugin-manifest.yaml`; it has one list at most. Keys that come twice are reported with the others.
pub const MANIFEST: YamlLimits = YamlLimits {
    bytes: MANIFEST_BYTES,
    nodes: 4096,
    depth: 16,
    aliases: Aliases::Refused,
    duplicate_keys: DuplicateKeys::Kept,
};

/// The largest `Cargo.toml`, in bytes.
pub const CARGO_MANIFEST_BYTES: usize = 256 * 1024;

/// The largest ZIP bundle, in bytes; checked before it is read.
pub const ARCHIVE_BYTES: u64 = 16 * 1024 * 1024;

/// The most files a source may have; in a ZIP bundle directory entries count too.
pub const FILES: usize = 4096;

/// The largest file, in bytes.
pub const FILE_BYTES: u64 = 8 * 1024 * 1024;

/// All files of a source together, in bytes.
pub const TOTAL_BYTES: u64 = 64 * 1024 * 1024;

/// The largest quotient of unpacked and packed size, for entries larger than [`RATIO_FLOOR_BYTES`].
pub const RATIO: u64 = 200;

/// Entries up to this size may have any ratio: a small file of one repeated byte is no attack.
pub const RATIO_FLOOR_BYTES: u64 = 64 * 1024;

/// The longest path, in bytes.
pub const PATH_BYTES: usize = 200;

/// The most components a path may have.
pub const PATH_DEPTH: usize = 16;

/// After this many refusals in one archive or folder, the rest is not looked at.
pub const REFUSALS: usize = 32;
