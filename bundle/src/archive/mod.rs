//! Reading a ZIP bundle into memory. An archive that some reader could understand differently is refused.

mod entry_rules;
mod fields;
mod layout;
mod refusal;
mod zip64;

use std::io::{self, Cursor, Read as _};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::source_label::SourceLabel;
use crate::{Code, Diagnostic, Diagnostics, Location, SourceFile, codes, file_set, limits, manifest};
use entry_rules::AcceptedEntry;
use refusal::ArchiveRefusal;

/// What an archive holds.
pub(crate) struct ArchiveContent {
    /// Sorted by path.
    pub(crate) files: Vec<SourceFile>,
    /// What the files are called in diagnostics.
    pub(crate) shown: SourceLabel,
}

/// The bytes of the file at `path`, unless it is too large for a bundle.
pub(crate) fn load(path: &Path, shown: &SourceLabel) -> Result<Vec<u8>, Diagnostic> {
    let unreadable = |error: io::Error| {
        let message = format!("the bundle cannot be read: {}", error.kind());
        Diagnostic::new(codes::SOURCE_UNREADABLE, Location::file(shown.root()), message)
            .with_help("check the permissions of the file")
    };
    let file = fs_err::File::open(path).map_err(unreadable)?;
    let mut content = Vec::new();
    file.take(limits::ARCHIVE_BYTES + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > limits::ARCHIVE_BYTES {
        let message = format!("the bundle has more than {} MiB", limits::ARCHIVE_BYTES >> 20);
        return Err(Diagnostic::new(codes::ZIP_TOO_LARGE, Location::file(shown.root()), message)
            .with_help("leave files out by a `.racetrackignore`, and bundle again"));
    }
    Ok(content)
}

/// The files of an archive. If the manifest is not at the root and everything is in one folder that has it, as in
/// the archives that code hosts make of releases, that folder is left out of the paths.
pub(crate) fn unpack(bytes: &[u8], shown: SourceLabel) -> Result<ArchiveContent, Diagnostics> {
    let entries = layout::read(bytes).map_err(|refused| refused_archive(&refused, &shown))?;
    let accepted = entry_rules::check(&entries, &shown)?;
    let mut files = extract(bytes, &entries, &accepted, &shown)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let Some(folder) = common_folder(&files) else {
        return Ok(ArchiveContent { files, shown });
    };
    for file in &mut files {
        file.path.drain(..folder.len());
    }
    Ok(ArchiveContent { files, shown: shown.inside(&folder) })
}

fn refused_archive(refused: &ArchiveRefusal, shown: &SourceLabel) -> Diagnostic {
    Diagnostic::new(refused.code, Location::file(shown.root()), refused.message.clone())
        .with_help("make the bundle anew with `cargo xtask plugin bundle`")
}

fn extract(
    bytes: &[u8],
    entries: &[layout::RawEntry<'_>],
    accepted: &[AcceptedEntry],
    shown: &SourceLabel,
) -> Result<Vec<SourceFile>, Diagnostics> {
    let broken = |code: Code, message: String| {
        Diagnostic::new(code, Location::file(shown.root()), message).with_help("make the bundle anew")
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| broken(codes::ZIP_MALFORMED, format!("the archive is broken: {error}")))?;
    let mut diagnostics = Diagnostics::default();
    let mut files = Vec::with_capacity(accepted.len());
    for entry in accepted.iter().filter(|entry| entry.is_file) {
        match extract_one(&mut archive, entry, &entries[entry.index]) {
            Ok(content) => files.push(SourceFile { path: entry.path.clone(), content }),
            Err((code, reason)) => {
                diagnostics.push(broken(code, format!("the entry `{}` {reason}", entry.path)));
            }
        }
        if diagnostics.0.len() == limits::REFUSALS {
            diagnostics.push(file_set::too_many_refusals("entries", shown.root()));
            return Err(diagnostics);
        }
    }
    diagnostics.into_result(files)
}

fn extract_one(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    entry: &AcceptedEntry,
    raw: &layout::RawEntry<'_>,
) -> Result<Vec<u8>, (Code, String)> {
    let unreadable = |error: ZipError| (codes::ZIP_MALFORMED, format!("cannot be read: {error}"));
    let file = archive.by_index(entry.index).map_err(unreadable)?;
    if file.name_raw() != raw.name {
        return Err((
            codes::ZIP_HEADER_MISMATCH,
            "is found under another name by a second reader".to_owned(),
        ));
    }
    if (file.compressed_size(), file.size()) != (raw.packed, raw.unpacked) {
        return Err((codes::ZIP_HEADER_MISMATCH, "has another size for a second reader".to_owned()));
    }
    let mut content = Vec::new();
    // The stated size is within the limits; one byte more shows that it is wrong.
    match file.take(entry.size + 1).read_to_end(&mut content) {
        Ok(_) if content.len() as u64 == entry.size => Ok(content),
        Ok(_) => Err((codes::ZIP_WRONG_SIZE, format!("does not have the stated {} bytes", entry.size))),
        Err(error) => Err(reading_failed(&error)),
    }
}

/// The `zip` crate, pinned to the version whose texts these are, tells its reasons by text alone.
fn reading_failed(error: &io::Error) -> (Code, String) {
    let text = error.to_string();
    if text.contains("checksum") {
        (codes::ZIP_CHECKSUM, "does not have the stated checksum".to_owned())
    } else if text.contains("declared uncompressed size") {
        (codes::ZIP_WRONG_SIZE, "is larger than stated".to_owned())
    } else {
        (codes::ZIP_MALFORMED, format!("cannot be unpacked: {text}"))
    }
}

/// The one folder that holds every file, ending with a slash, if the manifest is in it.
fn common_folder(files: &[SourceFile]) -> Option<String> {
    let folder = files.first()?.path.split_inclusive('/').next()?.to_owned();
    let has_manifest = files.iter().any(|file| file.path.strip_prefix(&folder) == Some(manifest::FILE_NAME));
    let holds_all = folder.ends_with('/') && files.iter().all(|file| file.path.starts_with(&folder));
    (holds_all && has_manifest).then_some(folder)
}
