//! A ZIP writer that can lie: every field of every record can be set to what no honest tool would write.

/// One entry; the fields are written as they are.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// The name in the local header, if it is another one.
    pub(crate) local_name: Option<Vec<u8>>,
    /// The bytes between the headers, as they are.
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) checksum: u32,
    pub(crate) packed: u32,
    pub(crate) unpacked: u32,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    /// Bytes after the data.
    pub(crate) after: Vec<u8>,
    /// Where the central directory says the entry is, if that is a lie.
    pub(crate) stated_start: Option<u32>,
}

/// An archive; the fields are written as they are.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    pub(crate) before: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    /// Bytes between the central directory and the end record.
    pub(crate) gap: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) after: Vec<u8>,
    /// Added to every stated position, as a careful author of a self-extracting archive would.
    pub(crate) shift: u32,
}

/// A stored entry that is what it says.
pub(crate) fn stored(name: &str, content: impl AsRef<[u8]>) -> Entry {
    let data = content.as_ref().to_vec();
    let size = u32::try_from(data.len()).expect("a small file");
    Entry {
        name: name.as_bytes().to_vec(),
        local_name: None,
        method: 0,
        flags: if name.is_ascii() { 0 } else { 1 << 11 },
        checksum: crc32(&data),
        packed: size,
        unpacked: size,
        attributes: 0o100_644 << 16,
        extra: Vec::new(),
        after: Vec::new(),
        stated_start: None,
        data,
    }
}

/// An entry of zeros, deflated as well as deflate can.
pub(crate) fn deflated_zeros(name: &str, size: u32) -> Entry {
    use std::io::{Cursor, Write as _};
    let options = zip::write::SimpleFileOptions::default().compression_level(Some(9));
    let options = options.compression_method(zip::CompressionMethod::Deflated);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("x", options).expect("started");
    writer.write_all(&vec![0; size as usize]).expect("written");
    let honest = writer.finish().expect("finished").into_inner();
    let field = |at: usize| u32::from_le_bytes(honest[at..at + 4].try_into().expect("four bytes"));
    let extra_length = usize::from(u16::from_le_bytes([honest[28], honest[29]]));
    let start = 30 + 1 + extra_length;
    let packed = field(18);
    let data = honest[start..start + packed as usize].to_vec();
    Entry { method: 8, checksum: field(14), packed, unpacked: size, data, ..stored(name, "") }
}

/// An archive of these entries.
pub(crate) fn archive(entries: impl IntoIterator<Item = Entry>) -> Archive {
    Archive { entries: entries.into_iter().collect(), ..Archive::default() }
}

impl Archive {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.before.clone();
        let mut directory = Vec::new();
        for entry in &self.entries {
            let start = length(&bytes) - length(&self.before) + self.shift;
            entry.write_local(&mut bytes);
            entry.write_central(&mut directory, entry.stated_start.unwrap_or(start));
        }
        let directory_start = length(&bytes) - length(&self.before) + self.shift;
        let count = u16::try_from(self.entries.len()).expect("few entries");
        bytes.extend(&directory);
        bytes.extend(&self.gap);
        bytes.extend(b"PK\x05\x06");
        shorts(&mut bytes, &[0, 0, count, count]);
        longs(&mut bytes, &[length(&directory), directory_start]);
        shorts(&mut bytes, &[u16::try_from(self.comment.len()).expect("a short comment")]);
        bytes.extend(&self.comment);
        bytes.extend(&self.after);
        bytes
    }
}

impl Entry {
    fn write_local(&self, bytes: &mut Vec<u8>) {
        let name = self.local_name.as_ref().unwrap_or(&self.name);
        bytes.extend(b"PK\x03\x04");
        shorts(bytes, &[20, self.flags, self.method, 0, 0x21]);
        longs(bytes, &[self.checksum, self.packed, self.unpacked]);
        shorts(bytes, &[short_length(name), short_length(&self.extra)]);
        bytes.extend(name);
        bytes.extend(&self.extra);
        bytes.extend(&self.data);
        bytes.extend(&self.after);
    }

    fn write_central(&self, bytes: &mut Vec<u8>, start: u32) {
        bytes.extend(b"PK\x01\x02");
        shorts(bytes, &[0x0314, 20, self.flags, self.method, 0, 0x21]);
        longs(bytes, &[self.checksum, self.packed, self.unpacked]);
        shorts(bytes, &[short_length(&self.name), short_length(&self.extra), 0, 0, 0]);
        longs(bytes, &[self.attributes, start]);
        bytes.extend(&self.name);
        bytes.extend(&self.extra);
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a small archive")
}

fn short_length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).expect("a short field")
}

pub(crate) fn shorts(bytes: &mut Vec<u8>, values: &[u16]) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(crate) fn longs(bytes: &mut Vec<u8>, values: &[u32]) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(!0, step)
}
