//! The list of crates in the format of cargo-auditable, which vulnerability scanners read: JSON, compressed with zlib.

use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use super::{Crate, CrateSet, CrateSource};

/// The revision of the format that tells procedural macros from what is linked.
const FORMAT: u32 = 1;

/// No real list is larger, in bytes.
const LIMIT: u64 = 8 * 1024 * 1024;

/// The list.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditList {
    /// The crates; those that only ran during the build are marked so.
    pub packages: Vec<AuditPackage>,
    #[serde(default)]
    format: u32,
}

/// A crate of the list.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPackage {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// `crates.io`, `registry`, `git` or `local`.
    pub source: String,
    /// Whether it is linked.
    #[serde(default, skip_serializing_if = "AuditKind::is_runtime")]
    pub kind: AuditKind,
    /// Places in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<usize>,
    /// Whether it is the binary itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub root: bool,
}

/// What a crate is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditKind {
    /// It is linked.
    #[default]
    Runtime,
    /// It ran during the build.
    Build,
}

impl AuditKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    fn is_runtime(&self) -> bool {
        *self == Self::Runtime
    }
}

impl AuditList {
    /// The list of these crates.
    pub fn new(crates: &CrateSet) -> Self {
        Self { packages: crates.0.iter().map(package).collect(), format: FORMAT }
    }

    /// The content of the section: the same bytes for the same crates.
    pub fn compress(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a list has only texts and numbers");
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&json).and_then(|()| encoder.finish()).expect("memory takes what is written")
    }

    /// Reads the content of a section.
    pub fn decompress(bytes: &[u8]) -> Result<Self> {
        let mut json = Vec::new();
        ZlibDecoder::new(bytes).take(LIMIT + 1).read_to_end(&mut json).context("it is no zlib stream")?;
        ensure!(json.len() as u64 <= LIMIT, "it is larger than {} MiB", LIMIT >> 20);
        serde_json::from_slice(&json).context("it holds no list of crates")
    }
}

fn package(one: &Crate) -> AuditPackage {
    let source = match one.source {
        CrateSource::Binary | CrateSource::Checkout(_) | CrateSource::Plugin(_) => "local",
        CrateSource::DefaultRegistry => "crates.io",
        CrateSource::Registry(_) => "registry",
        CrateSource::Git(_) => "git",
    };
    AuditPackage {
        name: one.name.clone(),
        version: one.version.clone(),
        source: source.to_owned(),
        kind: if one.is_linked { AuditKind::Runtime } else { AuditKind::Build },
        dependencies: one.dependencies.clone(),
        root: one.is_root(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::crates::tests::crate_set;

    #[test]
    fn the_list_is_what_scanners_expect() {
        let json = serde_json::to_string_pretty(&AuditList::new(&crate_set())).unwrap();
        insta::assert_snapshot!("list", json);
    }

    #[test]
    fn the_list_comes_back_from_the_same_bytes_each_time() {
        let list = AuditList::new(&crate_set());
        let bytes = list.compress();
        assert_eq!(bytes, AuditList::new(&crate_set()).compress());
        assert_eq!(AuditList::decompress(&bytes).unwrap(), list);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let message = |bytes: &[u8]| AuditList::decompress(bytes).unwrap_err().to_string();
        assert_eq!(message(b"{}"), "it is no zlib stream");
        let bytes = AuditList::new(&crate_set()).compress();
        assert_eq!(message(&bytes[..bytes.len() / 2]), "it is no zlib stream");
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(b"[1]").unwrap();
        assert_eq!(message(&encoder.finish().unwrap()), "it holds no list of crates");
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; 9 << 20]).unwrap();
        assert_eq!(message(&encoder.finish().unwrap()), "it is larger than 8 MiB");
    }
}
