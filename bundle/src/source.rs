//! A plugin source: a folder or a ZIP bundle that was read, checked and digested.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use racetrack_core::PluginManifest;
use sha2::{Digest, Sha256};

use crate::crate_rules::{self, CrateRules, Platform};
use crate::edit::{self, Edits};
pub use crate::source_file::SourceFile;
use crate::source_file::SourceFiles;
use crate::source_label::SourceLabel;
use crate::{Diagnostic, Diagnostics, Location, archive, codes, file_set, folder, manifest, store};

/// Where a plugin source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder with a plugin crate.
    Folder(PathBuf),
    /// A ZIP bundle.
    Zip(PathBuf),
}

/// What the declaration allows and knows about the source.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Paths in diagnostics are shown relative to this folder (the declaration's).
    pub base: PathBuf,
    /// Whether a build script is accepted.
    pub allow_build_script: bool,
    /// The names a manifest may list under `components`.
    pub known_components: BTreeSet<String>,
    /// What diagnostics call the source, if not by its path: a fetched one is better known by where it came from.
    pub shown_as: Option<PathBuf>,
    /// What the plugin will be built with, if its requirements are to be compared with it.
    pub platform: Option<Platform>,
}

/// A checked plugin source. Everything that was read is held in memory; nothing was written.
#[derive(Clone, Debug)]
pub struct PluginSource {
    /// Where it was read from.
    pub origin: Origin,
    /// What its `plugin-manifest.yaml` says.
    pub manifest: PluginManifest,
    /// Files sorted bytewise by path; paths are relative, `/`-separated and safe.
    pub files: Vec<SourceFile>,
    /// BLAKE3 over (path, content) of all files, hex. Equal for a folder and for the bundle made of it.
    pub digest: String,
    /// The crate's `[package] name`, equal to the plugin's name.
    pub crate_name: String,
    /// SHA-256 of the ZIP file itself, hex, for bundles: what other tools give for a file.
    pub archive_digest: Option<String>,
}

impl PluginSource {
    /// Reads and checks the source at `origin` (an absolute path).
    pub fn load(origin: Origin, options: &LoadOptions) -> Result<Self, Diagnostics> {
        let LoadOptions { base, allow_build_script, known_components, shown_as, platform } = options;
        let checks = Checks {
            allow_build_script: *allow_build_script,
            known_components: Some(known_components),
            platform: platform.as_ref(),
        };
        let shown = match shown_as {
            Some(name) => shown(&origin, name, Path::new("")),
            None => shown(&origin, origin.path(), base),
        };
        load(origin, shown, checks)
    }

    /// Reads and checks a source that no declaration speaks of, as its author has it. Whether a build script is
    /// accepted, which components there are and what builds it is for a declaration to say, so none is checked.
    pub fn load_undeclared(origin: Origin, base: &Path) -> Result<Self, Diagnostics> {
        let shown = shown(&origin, origin.path(), base);
        load(origin, shown, Checks::UNDECLARED)
    }

    /// The source with some fields set anew, in the manifest and in the crate. All checks are made again.
    pub fn edited(mut self, edits: &Edits, base: &Path) -> Result<Self, Diagnostics> {
        let shown = shown(&self.origin, self.origin.path(), base);
        for file in &mut self.files {
            let shown = shown.file(&file.path);
            if file.path == manifest::FILE_NAME {
                file.content = edit::edit_manifest(&file.content, &shown, edits)?;
            } else if let (crate_rules::FILE_NAME, Some(version)) = (file.path.as_str(), &edits.version) {
                file.content = edit::edit_crate(&file.content, &shown, version)?;
            }
        }
        self.manifest = check(&self.files, &shown, Checks::UNDECLARED)?;
        self.digest = file_set::digest(&self.files);
        // The ZIP file holds the source as it was.
        self.archive_digest = None;
        Ok(self)
    }

    /// `<name>-<version>-<first 12 hex digits of the digest>`: the name of the plugin's folder in the store.
    pub fn store_name(&self) -> String {
        format!("{}-{}-{}", self.manifest.name, self.manifest.version, &self.digest[..12])
    }

    /// Makes sure `store/<store_name>` holds exactly these files, atomically; returns that folder.
    pub fn unpack_into(&self, store: &Path) -> io::Result<PathBuf> {
        store::place(&self.files, store, &self.store_name())
    }
}

impl Origin {
    /// The folder or the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Zip(path) => path,
        }
    }
}

/// What is checked in the content of a source, besides what always is.
#[derive(Clone, Copy)]
struct Checks<'a> {
    allow_build_script: bool,
    known_components: Option<&'a BTreeSet<String>>,
    platform: Option<&'a Platform>,
}

impl Checks<'_> {
    const UNDECLARED: Self = Self { allow_build_script: true, known_components: None, platform: None };
}

fn load(origin: Origin, shown: SourceLabel, checks: Checks<'_>) -> Result<PluginSource, Diagnostics> {
    let (files, shown, archive_digest) = read(&origin, shown)?;
    let manifest = check(&files, &shown, checks)?;
    Ok(PluginSource {
        origin,
        digest: file_set::digest(&files),
        crate_name: manifest.name.to_string(),
        manifest,
        files,
        archive_digest,
    })
}

fn shown(origin: &Origin, name: &Path, base: &Path) -> SourceLabel {
    match origin {
        Origin::Folder(_) => SourceLabel::folder(name, base),
        Origin::Zip(_) => SourceLabel::archive(name, base),
    }
}

fn read(
    origin: &Origin,
    shown: SourceLabel,
) -> Result<(Vec<SourceFile>, SourceLabel, Option<String>), Diagnostics> {
    match origin {
        Origin::Folder(path) => {
            check_kind(path, &shown, true)?;
            let files = folder::read(path, &shown)?;
            Ok((files, shown, None))
        }
        Origin::Zip(path) => {
            check_kind(path, &shown, false)?;
            let bytes = archive::load(path, &shown)?;
            let digest = hexadecimal(&Sha256::digest(&bytes));
            let archive::ArchiveContent { files, shown } = archive::unpack(&bytes, shown)?;
            Ok((files, shown, Some(digest)))
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes any text");
        text
    })
}

fn check_kind(path: &Path, shown: &SourceLabel, wants_folder: bool) -> Result<(), Diagnostic> {
    let location = || Location::file(shown.root());
    let wanted = if wants_folder { "folder" } else { "file" };
    match fs_err::metadata(path) {
        Ok(metadata) if wants_folder == metadata.is_dir() && (wants_folder || metadata.is_file()) => Ok(()),
        Ok(_) => {
            let message = format!("the plugin source is not a {wanted}");
            Err(Diagnostic::new(codes::SOURCE_WRONG_KIND, location(), message)
                .with_help("a folder is declared with `path = …`, a bundle with `zip = …`"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("there is no such {wanted}");
            Err(Diagnostic::new(codes::SOURCE_MISSING, location(), message)
                .with_help("check the path; in a declaration it is relative to the declaration's folder"))
        }
        Err(error) => {
            let message = format!("the plugin source cannot be read: {}", error.kind());
            Err(Diagnostic::new(codes::SOURCE_UNREADABLE, location(), message)
                .with_help("check its permissions"))
        }
    }
}

/// The manifest of a source whose content has no mistakes.
fn check(
    files: &[SourceFile],
    shown: &SourceLabel,
    checks: Checks<'_>,
) -> Result<PluginManifest, Diagnostics> {
    let content = SourceFiles(files);
    let (manifest, mut diagnostics) = match content.get(manifest::FILE_NAME) {
        Some(text) => manifest::read(text, &shown.file(manifest::FILE_NAME), checks.known_components),
        None => (None, missing_manifest(shown).into()),
    };
    diagnostics.append(crate_rules::check(CrateRules {
        files: content,
        shown,
        manifest: manifest.as_ref(),
        allow_build_script: checks.allow_build_script,
        platform: checks.platform,
    }));
    match manifest {
        Some(manifest) => diagnostics.into_result(manifest),
        None => Err(diagnostics),
    }
}

fn missing_manifest(shown: &SourceLabel) -> Diagnostic {
    let message = format!("the plugin has no `{}`", manifest::FILE_NAME);
    Diagnostic::new(codes::MANIFEST_MISSING, Location::file(shown.root()), message)
        .with_help("put it beside `Cargo.toml`, and leave it out of `.racetrackignore`")
}
