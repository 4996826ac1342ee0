//! Bundles with ZIP64 records: as writers make them that do not know how much will come, and as nobody honest does.

use racetrack_bundle::SourceFile;

use crate::support::raw_zip::{crc32, longs, shorts};
use crate::support::{CRATE, MANIFEST, accepted_bundle, refused_bundle};

/// Says that a value is elsewhere.
const E: u32 = u32::MAX;

/// What a header says of an entry whose sizes are known: the unpacked and the packed one, and the start.
type Said = fn([u64; 3]) -> ([u32; 3], Option<Vec<u64>>);

/// The descriptor of an entry with that checksum, sizes and start.
type Descriptor = fn(u32, [u64; 3]) -> Vec<u8>;

/// How the records of an archive are written.
#[derive(Clone, Copy)]
struct Form {
    local: Said,
    central: Said,
    /// The data descriptor, if there is one.
    descriptor: Option<Descriptor>,
    /// The ZIP64 end record and its locator, given where the record is, and the directory with its length and its entries.
    end: fn(u64, [u64; 3]) -> Vec<u8>,
    /// The plain end record, given the directory with its length and its entries.
    plain_end: fn([u64; 3]) -> Vec<u8>,
}

/// Nothing is ZIP64.
const PLAIN: Form = Form {
    local: plain,
    central: plain,
    descriptor: None,
    end: |_, _| Vec::new(),
    plain_end: |said| plain_end(0, said.map(small)),
};

/// All values are in ZIP64 fields, as Apache's Commons Compress writes them when told so.
const EVERYTHING: Form = Form {
    local: |said| ([E, E, 0], Some(said[..2].to_vec())),
    central: |said| ([E; 3], Some(said.to_vec())),
    descriptor: None,
    end: end64,
    plain_end: |_| plain_end(u16::MAX, [E, E, u32::from(u16::MAX)]),
};

/// `ZipFile.open(…, force_zip64=True)` of Python.
const PYTHON: Form = Form { local: EVERYTHING.local, ..PLAIN };

fn plain(said: [u64; 3]) -> ([u32; 3], Option<Vec<u64>>) {
    (said.map(small), None)
}

fn small(value: u64) -> u32 {
    u32::try_from(value).expect("a small archive")
}

fn hugest(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn plain_end(disk: u16, [start, size, count]: [u32; 3]) -> Vec<u8> {
    let mut bytes = b"PK\x05\x06".to_vec();
    let count = u16::try_from(count).expect("few entries");
    shorts(&mut bytes, &[disk, disk, count, count]);
    longs(&mut bytes, &[size, start]);
    shorts(&mut bytes, &[0]);
    bytes
}

fn end64(position: u64, said: [u64; 3]) -> Vec<u8> {
    [record64(said), locator(0, position, 1)].concat()
}

fn record64([start, size, count]: [u64; 3]) -> Vec<u8> {
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.extend(hugest(&[44]));
    shorts(&mut bytes, &[45, 45]);
    longs(&mut bytes, &[0, 0]);
    bytes.extend(hugest(&[count, count, size, start]));
    bytes
}

fn locator(disk: u32, position: u64, disks: u32) -> Vec<u8> {
    let mut bytes = b"PK\x06\x07".to_vec();
    longs(&mut bytes, &[disk]);
    bytes.extend(hugest(&[position]));
    longs(&mut bytes, &[disks]);
    bytes
}

/// A plugin in an archive of that form.
fn plugin(form: Form) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    let files = [("Cargo.toml", CRATE), ("plugin-manifest.yaml", MANIFEST), ("src/lib.rs", "// lib")];
    for (name, content) in files {
        let length = content.len() as u64;
        let said = [length, length, bytes.len() as u64];
        let checksum = crc32(content.as_bytes());
        let header =
            |bytes: &mut Vec<u8>, checksum, [unpacked, packed]: [u32; 2], field: Option<Vec<u64>>| {
                let field = field.map(|values| hugest(&values));
                let extra = field.as_ref().map_or(0, |field| field.len() + 4);
                let flags = if form.descriptor.is_some() { 8 } else { 0 };
                shorts(bytes, &[45, flags, 0, 0, 0x21]);
                longs(bytes, &[checksum, packed, unpacked]);
                shorts(bytes, &[short(name.len()), short(extra)]);
                let written = field.map(|field| {
                    let mut written = Vec::new();
                    shorts(&mut written, &[1, short(field.len())]);
                    [written, field].concat()
                });
                written.unwrap_or_default()
            };
        let (sizes, field) = (form.local)(said);
        bytes.extend(b"PK\x03\x04");
        let local_checksum = if form.descriptor.is_some() { 0 } else { checksum };
        let extra = header(&mut bytes, local_checksum, [sizes[0], sizes[1]], field);
        bytes.extend([name.as_bytes(), &extra, content.as_bytes()].concat());
        bytes.extend(form.descriptor.map(|write| write(checksum, said)).unwrap_or_default());
        let ([unpacked, packed, start], field) = (form.central)(said);
        directory.extend(b"PK\x01\x02");
        shorts(&mut directory, &[0x0314]);
        let extra = header(&mut directory, checksum, [unpacked, packed], field);
        shorts(&mut directory, &[0, 0, 0]);
        longs(&mut directory, &[0o100_644 << 16, start]);
        directory.extend([name.as_bytes(), &extra].concat());
    }
    let said = [bytes.len() as u64, directory.len() as u64, files.len() as u64];
    bytes.extend(directory);
    bytes.extend((form.end)(bytes.len() as u64, said));
    bytes.extend((form.plain_end)(said));
    bytes
}

fn short(value: usize) -> u16 {
    u16::try_from(value).expect("a short field")
}

fn wide_descriptor(checksum: u32, said: [u64; 3]) -> Vec<u8> {
    let mut bytes = b"PK\x07\x08".to_vec();
    longs(&mut bytes, &[checksum]);
    bytes.extend(hugest(&[said[1], said[0]]));
    bytes
}

fn narrow_descriptor(checksum: u32, said: [u64; 3]) -> Vec<u8> {
    let mut bytes = b"PK\x07\x08".to_vec();
    longs(&mut bytes, &[checksum, small(said[1]), small(said[0])]);
    bytes
}

#[test]
fn what_writers_make_is_read() {
    let open: Said = |_| ([E, E, 0], Some(vec![0, 0]));
    let forms: [(&str, Form); 9] = [
        ("plain", PLAIN),
        ("all values in ZIP64 fields", EVERYTHING),
        ("Python, force_zip64", PYTHON),
        ("Python into a pipe", Form { local: open, descriptor: Some(wide_descriptor), ..PLAIN }),
        (
            "a wide descriptor without its signature",
            Form {
                local: open,
                descriptor: Some(|sum, said| wide_descriptor(sum, said)[4..].to_vec()),
                ..PLAIN
            },
        ),
        (
            "zip -fz",
            Form {
                central: |said| ([E, small(said[1]), small(said[2])], Some(vec![said[0]])),
                plain_end: |said| plain_end(0, [E, small(said[1]), small(said[2])]),
                ..EVERYTHING
            },
        ),
        ("zip from a pipe", Form { end: end64, ..PYTHON }),
        (
            "zip into a pipe",
            Form {
                local: |said| ([small(said[0]), 0, 0], None),
                descriptor: Some(narrow_descriptor),
                ..PLAIN
            },
        ),
        (
            "values that are said twice",
            Form { central: |said| (plain(said).0, Some(said.to_vec())), ..PYTHON },
        ),
    ];
    let expected = accepted_bundle(&plugin(PLAIN));
    for (name, form) in forms {
        let read = accepted_bundle(&plugin(form));
        assert_eq!(read.digest, expected.digest, "{name}");
        let paths: Vec<_> = read.files.iter().map(|SourceFile { path, .. }| path.as_str()).collect();
        assert_eq!(paths, ["Cargo.toml", "plugin-manifest.yaml", "src/lib.rs"], "{name}");
    }
}

#[test]
fn what_readers_may_understand_differently_is_refused() {
    let forms: [(&str, Form); 22] = [
        ("sizes in the central header alone", Form { central: EVERYTHING.central, ..PLAIN }),
        (
            "another unpacked size in the local field",
            Form { local: |said| ([E, E, 0], Some(vec![said[0] + 1, said[1]])), ..PLAIN },
        ),
        (
            "another packed size in the local field",
            Form { local: |said| ([E, E, 0], Some(vec![said[0], said[1] - 1])), ..PLAIN },
        ),
        (
            "another packed size in the local header",
            Form { local: |said| ([E, small(said[1]) - 1, 0], Some(said[..2].to_vec())), ..PLAIN },
        ),
        (
            "one size in the local field",
            Form { local: |said| ([E, small(said[1]), 0], Some(vec![said[0]])), ..PLAIN },
        ),
        ("three values in the local field", Form { local: |said| ([E, E, 0], Some(said.to_vec())), ..PLAIN }),
        ("no local field", Form { local: |_| ([E, E, 0], None), ..PLAIN }),
        (
            "another size in the central field",
            Form { central: |said| ([E; 3], Some(vec![said[0] + 1, said[1], said[2]])), ..EVERYTHING },
        ),
        (
            "another start in the central field",
            Form { central: |said| ([E; 3], Some(vec![said[0], said[1], said[2] + 1])), ..EVERYTHING },
        ),
        (
            "a start beyond every file",
            Form { central: |said| ([E; 3], Some(vec![said[0], said[1], u64::MAX])), ..EVERYTHING },
        ),
        (
            "a size beyond every file",
            Form {
                local: |_| ([E, E, 0], Some(vec![u64::MAX, u64::MAX])),
                central: |said| ([E; 3], Some(vec![u64::MAX, u64::MAX, said[2]])),
                ..EVERYTHING
            },
        ),
        (
            "too few values in the central field",
            Form { central: |said| ([E; 3], Some(said[..2].to_vec())), ..EVERYTHING },
        ),
        ("no central field", Form { central: |_| ([E; 3], None), ..EVERYTHING }),
        (
            "two values that contradict each other",
            Form { central: |said| (plain(said).0, Some(vec![said[0] + 1, said[1]])), ..PYTHON },
        ),
        (
            "a narrow descriptor where a wide one belongs",
            Form { local: |_| ([E, E, 0], Some(vec![0, 0])), descriptor: Some(narrow_descriptor), ..PLAIN },
        ),
        (
            "a wide descriptor where a narrow one belongs",
            Form { local: |_| ([0; 3], None), descriptor: Some(wide_descriptor), ..PLAIN },
        ),
        (
            "a descriptor with another size",
            Form {
                local: |_| ([E, E, 0], Some(vec![0, 0])),
                descriptor: Some(|sum, said| wide_descriptor(sum, said.map(|value| value + 1))),
                ..PLAIN
            },
        ),
        (
            "end records with different counts",
            Form { end: |at, [start, size, count]| end64(at, [start, size, count - 1]), ..PLAIN },
        ),
        (
            "end records with different directories",
            Form { end: |at, [start, size, count]| end64(at, [start + 46, size - 46, count]), ..PLAIN },
        ),
        (
            "a directory beyond every file",
            Form { end: |at, [_, size, count]| end64(at, [u64::MAX, size, count]), ..EVERYTHING },
        ),
        (
            "more entries than there are",
            Form { end: |at, [start, size, _]| end64(at, [start, size, u64::MAX]), ..EVERYTHING },
        ),
        (
            "bytes between the end records",
            Form { end: |at, said| [end64(at, said), b"hidden".to_vec()].concat(), ..EVERYTHING },
        ),
    ];
    let answers: Vec<_> = forms.map(|(name, form)| answer(name, &refused_bundle(&plugin(form)))).into();
    insta::assert_snapshot!(answers.concat());
}

#[test]
fn end_records_that_hide_something_are_refused() {
    let forms: [(&str, Form); 9] = [
        ("no ZIP64 end record", Form { end: |_, _| Vec::new(), ..EVERYTHING }),
        ("no locator", Form { end: |_, said| record64(said), ..EVERYTHING }),
        ("no record", Form { end: |at, _| locator(0, at, 1), ..EVERYTHING }),
        (
            "a locator that leads elsewhere",
            Form { end: |at, said| [record64(said), locator(0, at - 1, 1)].concat(), ..EVERYTHING },
        ),
        ("two records", Form { end: |at, said| [record64(said), end64(at, said)].concat(), ..EVERYTHING }),
        (
            "two records, the second of which counts",
            Form { end: |at, said| [record64(said), end64(at + 56, said)].concat(), ..EVERYTHING },
        ),
        (
            "a record with more behind it",
            Form {
                end: |at, said| {
                    let mut record = record64(said);
                    record[4] += 4;
                    [record, b"more".to_vec(), locator(0, at, 1)].concat()
                },
                ..EVERYTHING
            },
        ),
        (
            "a record of another length",
            Form {
                end: |at, said| {
                    let mut bytes = end64(at, said);
                    bytes[4] += 1;
                    bytes
                },
                ..EVERYTHING
            },
        ),
        (
            "several files",
            Form { end: |at, said| [record64(said), locator(0, at, 2)].concat(), ..EVERYTHING },
        ),
    ];
    let answers: Vec<_> = forms.map(|(name, form)| answer(name, &refused_bundle(&plugin(form)))).into();
    insta::assert_snapshot!(answers.concat());
}

/// A case and the first line of what it gives.
fn answer(name: &str, refused: &str) -> String {
    format!("{name}: {}\n", refused.lines().next().expect("there is a line"))
}
