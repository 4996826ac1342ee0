//! The ZIP64 forms of what an archive says. No bundle is so large that it needs them; writers that do not know how much will come use
//! them all the same, and so do those that are asked to.
//!
//! Old readers look at the plain fields and new ones at these. Where a plain field has a value of its own, it has to be the same one.

use super::fields::{u16_at, u32_at, u64_at};
use super::refusal::{ArchiveRefusal, refuse};
use crate::codes;

const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const END_RECORD: [u8; 4] = *b"PK\x06\x06";

const LOCATOR_BYTES: usize = 20;
const END_RECORD_BYTES: usize = 56;

/// The value of a plain field that says that the true value is elsewhere.
const ELSEWHERE: u32 = u32::MAX;

/// The ZIP64 end record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndRecord {
    /// Where it starts, which is where the central directory ends.
    pub(super) position: usize,
    /// How many entries the directory has.
    pub(super) count: u64,
    /// How long the directory is, in bytes.
    pub(super) size: u64,
    /// Where the directory starts.
    pub(super) start: u64,
}

/// What the headers of one entry say, where values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CentralValues {
    pub(super) unpacked: u64,
    pub(super) packed: u64,
    /// Where the entry starts.
    pub(super) start: u64,
    /// Whether a size is in the ZIP64 field.
    pub(super) has_sizes: bool,
}

/// The ZIP64 end record, if there is a locator for it in front of the plain one at `end`. It has to be between the directory and
/// the locator, without anything else.
pub(super) fn end_record(bytes: &[u8], end: usize) -> Result<Option<EndRecord>, ArchiveRefusal> {
    let Some(locator) = end.checked_sub(LOCATOR_BYTES).filter(|at| bytes[*at..].starts_with(&LOCATOR)) else {
        return Ok(None);
    };
    let broken = || refuse(codes::ZIP_MALFORMED, "the ZIP64 end record is not where its locator says");
    let Some(position) = locator.checked_sub(END_RECORD_BYTES) else {
        return broken();
    };
    let [long, huge] = [u32_at(bytes, locator + 4), u32_at(bytes, locator + 16)];
    let is_here = u64_at(bytes, locator + 8) == u64::try_from(position).ok();
    if !is_here || !bytes[position..].starts_with(&END_RECORD) {
        return broken();
    }
    let record = &bytes[position..locator];
    let value = |offset| u64_at(record, offset).unwrap_or_default();
    if value(4) != (END_RECORD_BYTES - 12) as u64 {
        return refuse(codes::ZIP_HIDDEN_BYTES, "the ZIP64 end record has another length than it should");
    }
    let is_split = [long, u32_at(record, 16), u32_at(record, 20)] != [Some(0); 3]
        || huge != Some(1)
        || value(24) != value(32);
    if is_split {
        return refuse(codes::ZIP_UNSUPPORTED, "the archive is split over several files");
    }
    Ok(Some(EndRecord { position, count: value(32), size: value(40), start: value(48) }))
}

/// Whether the plain end record at `end` says the same as far as it says something.
pub(super) fn agrees(bytes: &[u8], end: usize, record: &EndRecord) -> bool {
    let short = |offset| u64::from(u16_at(bytes, end + offset).unwrap_or_default());
    let long = |offset| u64::from(u32_at(bytes, end + offset).unwrap_or_default());
    let [few, much] = [u64::from(u16::MAX), u64::from(ELSEWHERE)];
    [(short(4), 0, few), (short(6), 0, few), (short(8), record.count, few), (short(10), record.count, few)]
        .into_iter()
        .chain([(long(12), record.size, much), (long(16), record.start, much)])
        .all(|(plain, value, elsewhere)| plain == value || plain == elsewhere)
}

/// The values of a central header: those of its plain fields (the unpacked size, the packed size and the start), or those of its
/// ZIP64 field. That has the values that are elsewhere, and nothing else but repetitions of what comes before them.
pub(super) fn central_values(plain: [u32; 3], field: Option<&[u8]>) -> Option<CentralValues> {
    let field = field.unwrap_or_default();
    let (given, []) = field.as_chunks::<8>() else {
        return None;
    };
    let given: Vec<_> = given.iter().map(|value| u64::from_le_bytes(*value)).collect();
    let needed: Vec<_> = (0..3).filter(|index| plain[*index] == ELSEWHERE).collect();
    let places = if needed.len() == given.len() { needed.clone() } else { (0..given.len()).collect() };
    let mut values = plain.map(u64::from);
    for (place, given) in places.iter().zip(&given) {
        let is_elsewhere = *plain.get(*place)? == ELSEWHERE;
        if !is_elsewhere && values[*place] != *given {
            return None;
        }
        values[*place] = *given;
    }
    let is_complete = needed.iter().all(|index| places.contains(index));
    let has_sizes = places.iter().any(|place| *place < 2);
    is_complete.then_some(CentralValues {
        unpacked: values[0],
        packed: values[1],
        start: values[2],
        has_sizes,
    })
}

/// The sizes of a local header: those of its plain fields (the unpacked and the packed one), or those of its ZIP64 field, which has
/// both. Before a data descriptor the plain fields may be zero.
pub(super) fn local_sizes(plain: [u32; 2], field: Option<&[u8]>, has_descriptor: bool) -> Option<[u64; 2]> {
    let Some(field) = field else {
        return (!plain.contains(&ELSEWHERE)).then_some(plain.map(u64::from));
    };
    let ([unpacked, packed], []) = field.as_chunks::<8>() else {
        return None;
    };
    let given = [*unpacked, *packed].map(u64::from_le_bytes);
    let fits = |(plain, given): (u32, u64)| {
        plain == ELSEWHERE || u64::from(plain) == given || (has_descriptor && plain == 0)
    };
    plain.into_iter().zip(given).all(fits).then_some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: u32 = ELSEWHERE;

    fn field(values: &[u64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn a_central_header_says_each_value_once_or_the_same_twice() {
        let values = |plain, given: Option<&[u64]>| {
            let field = given.map(field);
            let found = central_values(plain, field.as_deref())?;
            Some(([found.unpacked, found.packed, found.start], found.has_sizes))
        };
        assert_eq!(values([1, 2, 3], None), Some(([1, 2, 3], false)));
        assert_eq!(values([E, E, 3], Some(&[1, 2])), Some(([1, 2, 3], true)));
        assert_eq!(values([E, 2, 3], Some(&[1])), Some(([1, 2, 3], true)));
        assert_eq!(values([1, E, 3], Some(&[2])), Some(([1, 2, 3], true)));
        assert_eq!(values([1, 2, E], Some(&[3])), Some(([1, 2, 3], false)));
        assert_eq!(values([1, E, E], Some(&[2, 3])), Some(([1, 2, 3], true)));
        assert_eq!(values([E, E, E], Some(&[1, 2, 3])), Some(([1, 2, 3], true)));
        assert_eq!(values([1, 2, 3], Some(&[])), Some(([1, 2, 3], false)));
        assert_eq!(values([1, 2, 3], Some(&[1, 2])), Some(([1, 2, 3], true)), "repeated");
        assert_eq!(values([E, E, 3], Some(&[1, 2, 3])), Some(([1, 2, 3], true)), "repeated");
        assert_eq!(values([1, E, 3], Some(&[1, 2])), Some(([1, 2, 3], true)), "repeated");
        assert_eq!(values([1, 2, 3], Some(&[9, 2])), None, "another size");
        assert_eq!(values([E, E, 3], Some(&[1, 2, 9])), None, "another start");
        assert_eq!(values([E, E, 3], Some(&[1])), None, "too few");
        assert_eq!(values([E, 2, 3], None), None, "none");
        assert_eq!(values([1, 2, E], Some(&[1, 2])), None, "the wrong ones");
        assert_eq!(values([E, E, E], Some(&[1, 2, 3, 4])), None, "too many");
        assert_eq!(central_values([1, 2, 3], Some(&[0; 7])), None, "no values");
    }

    #[test]
    fn a_local_header_has_both_sizes_in_its_field() {
        let sizes = |plain, given: Option<&[u64]>, descriptor| {
            local_sizes(plain, given.map(field).as_deref(), descriptor)
        };
        assert_eq!(sizes([1, 2], None, false), Some([1, 2]));
        assert_eq!(sizes([E, E], Some(&[1, 2]), false), Some([1, 2]));
        assert_eq!(sizes([1, E], Some(&[1, 2]), false), Some([1, 2]));
        assert_eq!(sizes([0, 0], Some(&[1, 2]), true), Some([1, 2]));
        assert_eq!(sizes([0, 0], Some(&[1, 2]), false), None);
        assert_eq!(sizes([9, 2], Some(&[1, 2]), true), None);
        assert_eq!(sizes([E, E], None, true), None);
        assert_eq!(sizes([E, 2], Some(&[1]), false), None);
        assert_eq!(sizes([E, E], Some(&[1, 2, 3]), false), None);
    }
}
