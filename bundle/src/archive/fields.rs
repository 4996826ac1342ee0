//! The fields of a record, and the extra fields behind it.

const EXTRA_ZIP64: u16 = 0x0001;
const EXTRA_UNICODE_PATH: u16 = 0x7075;

/// What matters of the extra fields of a header.
#[derive(Default)]
pub(super) struct ExtraFields<'a> {
    /// The content of the field with the values that do not fit into the header.
    pub(super) zip64: Option<&'a [u8]>,
    /// Whether there is a second name for readers that prefer it.
    pub(super) has_unicode_path: bool,
}

impl<'a> ExtraFields<'a> {
    /// Reads all of them; nothing if they are broken, or if it depends on the reader which of two counts.
    pub(super) fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Self::default();
        while !bytes.is_empty() {
            let kind = u16_at(bytes, 0)?;
            let length = usize::from(u16_at(bytes, 2)?);
            let content = bytes.get(4..4 + length)?;
            fields.has_unicode_path |= kind == EXTRA_UNICODE_PATH;
            if kind == EXTRA_ZIP64 && fields.zip64.replace(content).is_some() {
                return None;
            }
            bytes = &bytes[4 + length..];
        }
        Some(fields)
    }
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2)?.try_into().ok().map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..offset + 8)?.try_into().ok().map(u64::from_le_bytes)
}
