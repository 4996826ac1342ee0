//! The records of a ZIP archive, read strictly: every byte belongs to exactly one of them.
//!
//! Readers of ZIP disagree about archives with gaps, overlaps or several ends, and that is how an archive shows one
//! content to a reviewer and another to a build. Such archives are refused before anything is unpacked.

use super::fields::{ExtraFields, u16_at, u32_at, u64_at};
use super::refusal::{ArchiveRefusal, refuse};
use super::zip64;
use crate::{codes, limits};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
const END_RECORD: [u8; 4] = *b"PK\x05\x06";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

const LOCAL_HEADER_BYTES: usize = 30;
const CENTRAL_HEADER_BYTES: usize = 46;
const END_RECORD_BYTES: usize = 22;

/// Flag bits that decide how an entry is read, so both its headers must have them alike.
const DECISIVE_FLAGS: u16 = FLAG_ENCRYPTED | FLAG_DESCRIPTOR | FLAG_UTF8;
pub(super) const FLAG_ENCRYPTED: u16 = 1;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
pub(super) const FLAG_UTF8: u16 = 1 << 11;

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
    /// Whether the sizes in its data descriptor have 64 bits.
    has_wide_descriptor: bool,
}

/// The entries in the order of the central directory.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<RawEntry<'_>>, ArchiveRefusal> {
    let end = find_end(bytes)?;
    let directory = Directory::read(bytes, end)?;
    let mut entries = Vec::with_capacity(directory.count);
    let mut rest = &bytes[directory.start..directory.end];
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
fn find_end(bytes: &[u8]) -> Result<usize, ArchiveRefusal> {
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

/// The central directory, which ends where the first of the end records starts.
struct Directory {
    start: usize,
    end: usize,
    count: usize,
}

impl Directory {
    fn read(bytes: &[u8], end: usize) -> Result<Self, ArchiveRefusal> {
        let field = |offset| u16_at(bytes, end + offset).unwrap_or_default();
        let long = |offset| u32_at(bytes, end + offset).unwrap_or_default();
        let zip64 = zip64::end_record(bytes, end)?;
        let (count, size, start) = match &zip64 {
            Some(record) if zip64::agrees(bytes, end, record) => (record.count, record.size, record.start),
            Some(_) => return refuse(codes::ZIP_HEADER_MISMATCH, "the two end records say different things"),
            None if field(10) == u16::MAX || [long(12), long(16)].contains(&u32::MAX) => {
                return refuse(
                    codes::ZIP_MALFORMED,
                    "the ZIP64 end record that the archive needs is missing",
                );
            }
            None if field(4) != 0 || field(6) != 0 || field(8) != field(10) => {
                return refuse(codes::ZIP_UNSUPPORTED, "the archive is split over several files");
            }
            None => (field(10).into(), long(12).into(), long(16).into()),
        };
        if count > limits::FILES as u64 {
            let message = format!("the archive has {count} entries, the limit is {}", limits::FILES);
            return refuse(codes::TOO_MANY_FILES, message);
        }
        let end = zip64.map_or(end, |record| record.position);
        let place = |value: u64| usize::try_from(value).ok();
        let stated = place(start)
            .zip(place(size))
            .and_then(|(start, size)| Some((start, size, start.checked_add(size)?)));
        let Some((start, size, gap)) =
            stated.and_then(|(start, size, stated)| Some((start, size, end.checked_sub(stated)?)))
        else {
            return refuse(codes::ZIP_TRUNCATED, "the central directory is not where the end record says");
        };
        if gap > 0 {
            return Err(misplaced_directory(bytes, start, size, gap));
        }
        let count = usize::try_from(count).expect("it is within the limit");
        Ok(Self { start, end, count })
    }
}

/// The end record says the directory is at `start`, but `gap` bytes further the file ends.
fn misplaced_directory(bytes: &[u8], start: usize, size: usize, gap: usize) -> ArchiveRefusal {
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
    ArchiveRefusal { code, message: message.to_owned() }
}

/// The first entry of `directory`, with its local header checked, and the rest of the directory.
fn read_entry<'a>(
    bytes: &'a [u8],
    directory: &'a [u8],
    directory_start: usize,
) -> Result<(RawEntry<'a>, &'a [u8]), ArchiveRefusal> {
    let broken = || ArchiveRefusal {
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
    let Some(values) = zip64::central_values([long(24), long(20), long(42)], extra.zip64) else {
        let message = format!("the entry `{shown}` has no clear size and place in the central directory");
        return refuse(codes::ZIP_MALFORMED, message);
    };
    if short(34) != 0 {
        return refuse(codes::ZIP_UNSUPPORTED, "the archive is split over several files");
    }
    let mut entry = RawEntry {
        name,
        flags: short(8),
        method: short(10),
        packed: values.packed,
        unpacked: values.unpacked,
        attributes: long(38),
        has_alternate_name: extra.has_unicode_path,
        checksum: long(16),
        // What is beyond every address is not in the file either.
        start: usize::try_from(values.start).unwrap_or(usize::MAX),
        end: 0,
        has_wide_descriptor: false,
    };
    check_local_header(bytes, &mut entry, values.has_sizes, directory_start)?;
    Ok((entry, after))
}

/// Compares the entry's local header with the central one, and fills in where the entry's data ends.
fn check_local_header(
    bytes: &[u8],
    entry: &mut RawEntry<'_>,
    has_central_sizes: bool,
    directory_start: usize,
) -> Result<(), ArchiveRefusal> {
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
    let sizes = zip64::local_sizes([long(22), long(18)], extra.zip64, has_descriptor);
    let found = sizes.map(|[unpacked, packed]| [u64::from(long(14)), packed, unpacked]);
    let stated = [u64::from(entry.checksum), entry.packed, entry.unpacked];
    // With a descriptor the local header may leave them open.
    let is_stated = |(found, stated): (u64, u64)| found == stated || (has_descriptor && found == 0);
    let differs = name != Some(entry.name)
        || (short(6) ^ entry.flags) & DECISIVE_FLAGS != 0
        || short(8) != entry.method
        || (has_central_sizes && extra.zip64.is_none())
        || !found.is_some_and(|found| found.into_iter().zip(stated).all(is_stated));
    if differs {
        let message =
            format!("the entry `{shown}` is described differently in its local and its central header");
        return refuse(codes::ZIP_HEADER_MISMATCH, message);
    }
    entry.has_alternate_name |= extra.has_unicode_path;
    entry.has_wide_descriptor = extra.zip64.is_some();
    let packed = usize::try_from(entry.packed).unwrap_or(usize::MAX);
    entry.end = (entry.start + data_start).saturating_add(packed);
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
) -> Result<(), ArchiveRefusal> {
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

fn check_descriptor(descriptor: &[u8], entry: &RawEntry<'_>) -> Result<(), ArchiveRefusal> {
    let shown = shown_name(entry.name);
    let size_bytes = if entry.has_wide_descriptor { 8 } else { 4 };
    let length = 4 + 2 * size_bytes;
    let fields =
        descriptor.strip_prefix(&DESCRIPTOR).filter(|rest| rest.len() >= length).unwrap_or(descriptor);
    if fields.len() < length {
        return refuse(codes::ZIP_MALFORMED, format!("the data descriptor of the entry `{shown}` is broken"));
    }
    if fields.len() > length {
        let message = format!("there are bytes that belong to no entry after the entry `{shown}`");
        return refuse(codes::ZIP_HIDDEN_BYTES, message);
    }
    let size = |offset| match size_bytes {
        8 => u64_at(fields, offset),
        _ => u32_at(fields, offset).map(u64::from),
    };
    let checksum = u32_at(fields, 0).map(u64::from);
    let found = [checksum, size(4), size(4 + size_bytes)].map(Option::unwrap_or_default);
    if found != [u64::from(entry.checksum), entry.packed, entry.unpacked] {
        let message =
            format!("the entry `{shown}` is described differently in its descriptor and its central header");
        return refuse(codes::ZIP_HEADER_MISMATCH, message);
    }
    Ok(())
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
