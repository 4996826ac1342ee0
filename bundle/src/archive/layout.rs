//! The records of a ZIP archive, read strictly: every byte belongs to exactly one of them.
//!
//! Readers of ZIP disagree about archives with gaps, overlaps or several ends, and that is how an archive shows one
//! content to a reviewer and another to a build. Such archives are refused before anything is unpacked.

use crate::{Code, codes, limits};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
const END_RECORD: [u8; 4] = *b"PK\x05\x06";
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

const LOCAL_HEADER_BYTES: usize = 30;
const CENTRAL_HEADER_BYTES: usize = 46;
const END_RECORD_BYTES: usize = 22;
const ZIP64_LOCATOR_BYTES: usize = 20;

/// Flag bits that decide how an entry is read, so both its headers must have them alike.
const DECISIVE_FLAGS: u16 = FLAG_ENCRYPTED | FLAG_DESCRIPTOR | FLAG_UTF8;
pub(super) const FLAG_ENCRYPTED: u16 = 1;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
pub(super) const FLAG_UTF8: u16 = 1 << 11;

const EXTRA_ZIP64: u16 = 0x0001;
const EXTRA_UNICODE_PATH: u16 = 0x7075;

/// An entry as the central directory describes it.
#[derive(Clone, Debug)]
pub(super) struct RawEntry<'a> {
    pub(super) name: &'a [u8],
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    /// The upper half holds the file type and permissions on systems that have them.
    pub(super) attributes: u32,
    /// Whether a header carries a second name for readers that prefer it.
    pub(super) has_alternate_name: bool,
    checksum: u32,
    start: usize,
    end: usize,
}

/// Why the archive as a whole is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedArchive {
    pub(super) code: Code,
    pub(super) message: String,
}

/// The entries in the order of the central directory.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<RawEntry<'_>>, RefusedArchive> {
    let end = find_end(bytes)?;
    let directory = Directory::read(bytes, end)?;
    let mut entries = Vec::with_capacity(directory.count);
    let mut rest = &bytes[directory.start..end];
    for _ in 0..directory.count {
        let (entry, after) = read_entry(bytes, rest, directory.start)?;
        entries.push(entry);
        rest = after;
    }
    if !rest.is_empty() {
        return refuse(codes::ZIP_HIDDEN_BYTES, "the central directory is longer than its entries");
    }
    check_tiling(bytes, &entries, directory.start)?;
    Ok(entries)
}

/// Where the end record starts. It has to be the only one that reaches to the end of the file.
fn find_end(bytes: &[u8]) -> Result<usize, RefusedArchive> {
    let positions: Vec<_> = positions(bytes, END_RECORD).collect();
    let end_of = |start: usize| Some(start + END_RECORD_BYTES + usize::from(u16_at(bytes, start + 20)?));
    let mut closing = positions.iter().copied().filter(|start| end_of(*start) == Some(bytes.len()));
    let Some(start) = closing.next() else {
        return match positions.last() {
            Some(last) if end_of(*last).is_some_and(|end| end < bytes.len()) => {
                refuse(codes::ZIP_TRAILING_BYTES, "there are bytes after the end of the archive")
            }
            Some(_) => refuse(codes::ZIP_TRUNCATED, "the archive ends too early"),
            None if bytes.starts_with(&LOCAL_HEADER) => {
                refuse(codes::ZIP_TRUNCATED, "the archive ends too early")
            }
            None => refuse(codes::ZIP_NOT_A_ZIP, "the file is no ZIP archive"),
        };
    };
    let in_comment = positions.iter().any(|position| *position > start);
    if closing.next().is_some() || in_comment {
        return refuse(
            codes::ZIP_SECOND_ARCHIVE,
            "the archive has two end records, and readers differ on which one counts",
        );
    }
    Ok(start)
}

/// The central directory, which ends where the end record starts.
struct Directory {
    start: usize,
    count: usize,
}

impl Directory {
    fn read(bytes: &[u8], end: usize) -> Result<Self, RefusedArchive> {
        let field = |offset| u16_at(bytes, end + offset).unwrap_or_default();
        let (count, size, start) = (field(10), u32_at(bytes, end + 12), u32_at(bytes, end + 16));
        let (size, start) = (size.unwrap_or_default(), start.unwrap_or_default());
        let has_locator =
            end.checked_sub(ZIP64_LOCATOR_BYTES).is_some_and(|at| bytes[at..].starts_with(&ZIP64_LOCATOR));
        if has_locator || count == u16::MAX || size == u32::MAX || start == u32::MAX {
            return refuse(
                codes::ZIP_UNSUPPORTED,
                "the archive uses ZIP64, which a bundle of this size does not need",
            );
        }
        if field(4) != 0 || field(6) != 0 || field(8) != count {
            return refuse(codes::ZIP_UNSUPPORTED, "the archive is split over several files");
        }
        if usize::from(count) > limits::FILES {
            let message = format!("the archive has {count} entries, the limit is {}", limits::FILES);
            return Err(RefusedArchive { code: codes::TOO_MANY_FILES, message });
        }
        let (start, size) = (start as usize, size as usize);
        let Some(gap) = end.checked_sub(start + size) else {
            return refuse(codes::ZIP_TRUNCATED, "the central directory is not where the end record says");
        };
        if gap > 0 {
            return Err(misplaced_directory(bytes, start, size, gap));
        }
        Ok(Self { start, count: usize::from(count) })
    }
}

/// The end record says the directory is at `start`, but `gap` bytes further the file ends.
fn misplaced_directory(bytes: &[u8], start: usize, size: usize, gap: usize) -> RefusedArchive {
    let stated_end = start + size;
    let has_end_record = |range: &[u8]| positions(range, END_RECORD).next().is_some();
    let is_shifted = size > 0 && bytes[start + gap..].starts_with(&CENTRAL_HEADER);
    let (code, message) = if has_end_record(&bytes[stated_end..stated_end + gap]) {
        (codes::ZIP_SECOND_ARCHIVE, "the archive has two end records, and readers differ on which one counts")
    } else if is_shifted && has_end_record(&bytes[..gap]) {
        (codes::ZIP_SECOND_ARCHIVE, "the file holds two archives, one after the other")
    } else if is_shifted {
        (codes::ZIP_LEADING_BYTES, "there are bytes before the archive")
    } else {
        (codes::ZIP_HIDDEN_BYTES, "there are bytes that belong to no entry before the end record")
    };
    RefusedArchive { code, message: message.to_owned() }
}

/// The first entry of `directory`, with its local header checked, and the rest of the directory.
fn read_entry<'a>(
    bytes: &'a [u8],
    directory: &'a [u8],
    directory_start: usize,
) -> Result<(RawEntry<'a>, &'a [u8]), RefusedArchive> {
    let broken = || RefusedArchive {
        code: codes::ZIP_MALFORMED,
        message: "the central directory is broken".to_owned(),
    };
    if !directory.starts_with(&CENTRAL_HEADER) || directory.len() < CENTRAL_HEADER_BYTES {
        return Err(broken());
    }
    let short = |offset| u16_at(directory, offset).unwrap_or_default();
    let long = |offset| u32_at(directory, offset).unwrap_or_default();
    let name_end = CENTRAL_HEADER_BYTES + usize::from(short(28));
    let extra_end = name_end + usize::from(short(30));
    let entry_end = extra_end + usize::from(short(32));
    let name = directory.get(CENTRAL_HEADER_BYTES..name_end).ok_or_else(broken)?;
    let extra = directory.get(name_end..extra_end).ok_or_else(broken)?;
    let after = directory.get(entry_end..).ok_or_else(broken)?;
    let shown = shown_name(name);
    let extra = ExtraFields::read(extra).ok_or_else(broken)?;
    if extra.has_zip64 || [long(20), long(24), long(42)].contains(&u32::MAX) {
        return refuse(
            codes::ZIP_UNSUPPORTED,
            format!("the entry `{shown}` uses ZIP64, which its size does not need"),
        );
    }
    if short(34) != 0 {
        return refuse(codes::ZIP_UNSUPPORTED, "the archive is split over several files");
    }
    let mut entry = RawEntry {
        name,
        flags: short(8),
        method: short(10),
        packed: long(20).into(),
        unpacked: long(24).into(),
        attributes: long(38),
        has_alternate_name: extra.has_unicode_path,
        checksum: long(16),
        start: long(42) as usize,
        end: 0,
    };
    check_local_header(bytes, &mut entry, directory_start)?;
    Ok((entry, after))
}

/// Compares the entry's local header with the central one, and fills in where the entry's data ends.
fn check_local_header(
    bytes: &[u8],
    entry: &mut RawEntry<'_>,
    directory_start: usize,
) -> Result<(), RefusedArchive> {
    let shown = shown_name(entry.name);
    let header = bytes.get(entry.start..directory_start).unwrap_or_default();
    if !header.starts_with(&LOCAL_HEADER) || header.len() < LOCAL_HEADER_BYTES {
        return refuse(
            codes::ZIP_MALFORMED,
            format!("the entry `{shown}` is not where the central directory says"),
        );
    }
    let short = |offset| u16_at(header, offset).unwrap_or_default();
    let long = |offset| u32_at(header, offset).unwrap_or_default();
    let name_end = LOCAL_HEADER_BYTES + usize::from(short(26));
    let data_start = name_end + usize::from(short(28));
    let name = header.get(LOCAL_HEADER_BYTES..name_end);
    let extra = header.get(name_end..data_start).and_then(ExtraFields::read);
    let Some(extra) = extra else {
        return refuse(codes::ZIP_MALFORMED, format!("the local header of the entry `{shown}` is broken"));
    };
    let has_descriptor = entry.flags & FLAG_DESCRIPTOR != 0;
    let sizes = [long(14), long(18), long(22)].map(u64::from);
    let stated = [u64::from(entry.checksum), entry.packed, entry.unpacked];
    let differs = name != Some(entry.name)
        || (short(6) ^ entry.flags) & DECISIVE_FLAGS != 0
        || short(8) != entry.method
        || extra.has_zip64
        // With a descriptor the local header may leave them open.
        || (sizes != stated && !(has_descriptor && sizes == [0; 3]));
    if differs {
        let message =
            format!("the entry `{shown}` is described differently in its local and its central header");
        return refuse(codes::ZIP_HEADER_MISMATCH, message);
    }
    entry.has_alternate_name |= extra.has_unicode_path;
    entry.end = entry.start + data_start + usize::try_from(entry.packed).unwrap_or(usize::MAX / 2);
    if entry.end > directory_start {
        return refuse(codes::ZIP_OVERLAP, format!("the entry `{shown}` runs into the central directory"));
    }
    Ok(())
}

/// Checks that the entries follow each other from the first byte to the central directory.
fn check_tiling(
    bytes: &[u8],
    entries: &[RawEntry<'_>],
    directory_start: usize,
) -> Result<(), RefusedArchive> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|entry| entry.start);
    let first_start = sorted.first().map_or(directory_start, |entry| entry.start);
    if first_start > 0 {
        let has_end_record = positions(&bytes[..first_start], END_RECORD).next().is_some();
        return if has_end_record {
            refuse(codes::ZIP_SECOND_ARCHIVE, "the file holds two archives, one after the other")
        } else {
            refuse(codes::ZIP_LEADING_BYTES, "there are bytes before the archive")
        };
    }
    for (index, entry) in sorted.iter().enumerate() {
        let next = sorted.get(index + 1).map_or(directory_start, |next| next.start);
        let shown = shown_name(entry.name);
        let Some(between) = bytes.get(entry.end..next).filter(|_| entry.end <= next) else {
            return refuse(
                codes::ZIP_OVERLAP,
                format!("the entry `{shown}` shares bytes with another entry"),
            );
        };
        if entry.flags & FLAG_DESCRIPTOR != 0 {
            check_descriptor(between, entry)?;
        } else if !between.is_empty() {
            let message = format!("there are bytes that belong to no entry after the entry `{shown}`");
            return refuse(codes::ZIP_HIDDEN_BYTES, message);
        }
    }
    Ok(())
}

fn check_descriptor(descriptor: &[u8], entry: &RawEntry<'_>) -> Result<(), RefusedArchive> {
    let shown = shown_name(entry.name);
    let fields = descriptor.strip_prefix(&DESCRIPTOR).filter(|rest| rest.len() >= 12).unwrap_or(descriptor);
    if fields.len() < 12 {
        return refuse(codes::ZIP_MALFORMED, format!("the data descriptor of the entry `{shown}` is broken"));
    }
    if fields.len() > 12 {
        let message = format!("there are bytes that belong to no entry after the entry `{shown}`");
        return refuse(codes::ZIP_HIDDEN_BYTES, message);
    }
    let found = [0, 4, 8].map(|offset| u64::from(u32_at(fields, offset).unwrap_or_default()));
    if found != [u64::from(entry.checksum), entry.packed, entry.unpacked] {
        let message =
            format!("the entry `{shown}` is described differently in its descriptor and its central header");
        return refuse(codes::ZIP_HEADER_MISMATCH, message);
    }
    Ok(())
}

/// What matters of the extra fields of a header.
struct ExtraFields {
    has_zip64: bool,
    has_unicode_path: bool,
}

impl ExtraFields {
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut fields = Self { has_zip64: false, has_unicode_path: false };
        while !bytes.is_empty() {
            let kind = u16_at(bytes, 0)?;
            let length = usize::from(u16_at(bytes, 2)?);
            fields.has_zip64 |= kind == EXTRA_ZIP64;
            fields.has_unicode_path |= kind == EXTRA_UNICODE_PATH;
            bytes = bytes.get(4 + length..)?;
        }
        Some(fields)
    }
}

/// An entry's name for messages, whatever its bytes are.
pub(super) fn shown_name(name: &[u8]) -> String {
    const SHOWN_CHARACTERS: usize = 60;
    let text = String::from_utf8_lossy(name);
    let shown: String = text.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN_CHARACTERS { format!("{shown}…") } else { shown }
}

fn positions(bytes: &[u8], signature: [u8; 4]) -> impl Iterator<Item = usize> {
    bytes.windows(4).enumerate().filter(move |(_, window)| *window == signature).map(|(position, _)| position)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let low = u16_at(bytes, offset)?;
    let high = u16_at(bytes, offset + 2)?;
    Some(u32::from(low) | u32::from(high) << 16)
}

fn refuse<T>(code: Code, message: impl Into<String>) -> Result<T, RefusedArchive> {
    Err(RefusedArchive { code, message: message.into() })
}
