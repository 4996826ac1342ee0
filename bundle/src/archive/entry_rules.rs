//! Which entries an archive may have, judged by their descriptions alone.

use std::collections::HashSet;

use super::layout::{FLAG_ENCRYPTED, FLAG_UTF8, RawEntry, shown_name};
use crate::source_label::SourceLabel;
use crate::{Code, Diagnostic, Diagnostics, Location, codes, file_set, limits, safe_path};

/// Flag bits of strong encryption and of hidden headers.
const FLAGS_STRONG_ENCRYPTION: u16 = 1 << 6 | 1 << 13;

const METHOD_STORED: u16 = 0;
const METHOD_DEFLATED: u16 = 8;
const METHOD_AES: u16 = 99;

const TYPE_MASK: u32 = 0o170_000;
const TYPE_REGULAR: u32 = 0o100_000;
const TYPE_FOLDER: u32 = 0o040_000;
const TYPE_SYMLINK: u32 = 0o120_000;

/// An entry that may be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcceptedEntry {
    /// Its number in the archive.
    pub(super) index: usize,
    /// Safe, without a final slash.
    pub(super) path: String,
    pub(super) is_file: bool,
    /// The stated size, in bytes.
    pub(super) size: u64,
}

/// All entries, or everything that is wrong with them.
pub(super) fn check(
    entries: &[RawEntry<'_>],
    shown: &SourceLabel,
) -> Result<Vec<AcceptedEntry>, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let mut accepted = Vec::with_capacity(entries.len());
    let mut names = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let judged = if names.insert(entry.name) {
            judge(index, entry)
        } else {
            let help = "remove one of the two entries";
            Err(EntryRefusal::new(codes::ZIP_DUPLICATE_NAME, "has the name of an earlier one", help))
        };
        match judged {
            Ok(entry) => accepted.push(entry),
            Err(refused) => {
                let message = format!("the entry `{}` {}", shown_name(entry.name), refused.reason);
                let location = Location::file(shown.root());
                diagnostics.push(Diagnostic::new(refused.code, location, message).with_help(refused.help));
            }
        }
        if diagnostics.0.len() == limits::REFUSALS && index + 1 < entries.len() {
            diagnostics.push(file_set::too_many_refusals("entries", shown.root()));
            return Err(diagnostics);
        }
    }
    let paths = accepted.iter().map(|entry| (entry.path.as_str(), entry.is_file));
    diagnostics.append(file_set::compare_paths(paths, shown.root()));
    let total = accepted.iter().map(|entry| entry.size).sum();
    if let Err(too_large) = file_set::check_total(accepted.len(), total, shown.root()) {
        diagnostics.push(too_large);
    }
    diagnostics.into_result(accepted)
}

struct EntryRefusal {
    code: Code,
    /// Completes a sentence that starts with the entry's name.
    reason: String,
    help: &'static str,
}

impl EntryRefusal {
    fn new(code: Code, reason: impl Into<String>, help: &'static str) -> Self {
        Self { code, reason: reason.into(), help }
    }
}

fn judge(index: usize, entry: &RawEntry<'_>) -> Result<AcceptedEntry, EntryRefusal> {
    if entry.flags & (FLAG_ENCRYPTED | FLAGS_STRONG_ENCRYPTION) != 0 || entry.method == METHOD_AES {
        return Err(EntryRefusal::new(
            codes::ZIP_ENCRYPTED,
            "is encrypted",
            "make the bundle without a password",
        ));
    }
    if ![METHOD_STORED, METHOD_DEFLATED].contains(&entry.method) {
        let reason = format!("is compressed with method {}", entry.method);
        let help = "store or deflate the entries of a bundle";
        return Err(EntryRefusal::new(codes::ZIP_UNSUPPORTED_COMPRESSION, reason, help));
    }
    let name = decode_name(entry)?;
    let is_folder = name.ends_with('/');
    let path = name.strip_suffix('/').unwrap_or(name);
    safe_path::check(path).map_err(|refused| EntryRefusal {
        code: refused.code,
        reason: refused.reason,
        help: PATH_HELP,
    })?;
    check_type(entry, is_folder)?;
    check_size(entry, is_folder)?;
    Ok(AcceptedEntry { index, path: path.to_owned(), is_file: !is_folder, size: entry.unpacked })
}

const PATH_HELP: &str = "rename the file, or make the bundle with `cargo xtask plugin bundle`";

fn decode_name<'a>(entry: &RawEntry<'a>) -> Result<&'a str, EntryRefusal> {
    let help = "make the bundle with `cargo xtask plugin bundle`, which writes UTF-8 names";
    if entry.has_alternate_name {
        return Err(EntryRefusal::new(
            codes::ZIP_ALTERNATE_NAME,
            "has a second name that some readers prefer",
            help,
        ));
    }
    if entry.flags & FLAG_UTF8 == 0 && !entry.name.is_ascii() {
        return Err(EntryRefusal::new(codes::PATH_NOT_UTF8, "has a name in an unknown encoding", help));
    }
    str::from_utf8(entry.name)
        .map_err(|_| EntryRefusal::new(codes::PATH_NOT_UTF8, "has a name that is not UTF-8", help))
}

fn check_type(entry: &RawEntry<'_>, is_folder: bool) -> Result<(), EntryRefusal> {
    match (entry.attributes >> 16) & TYPE_MASK {
        // Zero: the archive was made on a system without file types.
        0 => Ok(()),
        TYPE_REGULAR if !is_folder => Ok(()),
        TYPE_FOLDER if is_folder => Ok(()),
        TYPE_SYMLINK => Err(EntryRefusal::new(
            codes::SYMLINK,
            "is a symbolic link",
            "pack the file that the link leads to",
        )),
        _ => Err(EntryRefusal::new(
            codes::SPECIAL_FILE,
            "is neither a file nor a folder",
            "leave it out of the bundle",
        )),
    }
}

fn check_size(entry: &RawEntry<'_>, is_folder: bool) -> Result<(), EntryRefusal> {
    if is_folder && entry.unpacked > 0 {
        return Err(EntryRefusal::new(
            codes::ZIP_WRONG_SIZE,
            "is a folder with content",
            "make the bundle anew",
        ));
    }
    if entry.method == METHOD_STORED && entry.packed != entry.unpacked {
        return Err(EntryRefusal::new(
            codes::ZIP_WRONG_SIZE,
            "is stored with two different sizes",
            "make the bundle anew",
        ));
    }
    if entry.unpacked > limits::FILE_BYTES {
        let reason = format!("has {} bytes, the limit is {} MiB", entry.unpacked, limits::FILE_BYTES >> 20);
        return Err(EntryRefusal::new(codes::FILE_TOO_LARGE, reason, "leave it out of the bundle"));
    }
    if entry.unpacked > limits::RATIO_FLOOR_BYTES
        && entry.unpacked > entry.packed.saturating_mul(limits::RATIO)
    {
        let reason = format!(
            "unpacks {} bytes to {}, the limit is {} times",
            entry.packed,
            entry.unpacked,
            limits::RATIO
        );
        return Err(EntryRefusal::new(
            codes::ZIP_RATIO,
            reason,
            "store the file uncompressed, or leave it out",
        ));
    }
    Ok(())
}
