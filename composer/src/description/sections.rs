//! The sections of a component binary that say what it is. Whoever reads them needs neither to run the binary nor a
//! machine of its kind.

use object::{BinaryFormat, FileKind, Object, ObjectSection};

/// The file of the self-description, relative to the workspace. What it holds depends on how the component is built, not on
/// the plan alone, so it is written by the build and not generated here.
pub const DESCRIPTION_FILE: &str = "description.json";

/// The file of the list of crates, likewise.
pub const CRATES_FILE: &str = "crates.json.zlib";

/// A section, by its name in each format of binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// On systems with ELF.
    pub elf: &'static str,
    /// On Apple's systems, in the segment `__DATA`.
    pub mach_o: &'static str,
    /// On Windows, where names have up to eight bytes.
    pub coff: &'static str,
}

/// The self-description, as JSON.
pub const DESCRIPTION: Section = Section { elf: ".racetrack", mach_o: "__racetrack", coff: ".rtrack" };

/// The list of crates, where the scanners that know cargo-auditable look for it.
pub const CRATES: Section = Section { elf: ".dep-v0", mach_o: ".dep-v0", coff: ".dep-v0" };

/// What compilers and linkers leave as their names; only those of systems with ELF do.
pub const COMMENTS: Section = Section { elf: ".comment", mach_o: ".comment", coff: ".comment" };

/// Why a section cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SectionError {
    /// The file is of no kind that holds programs.
    #[error("it is no ELF, Mach-O or PE file")]
    NotAnObject(#[source] object::read::Error),
    /// The file holds several programs.
    #[error("it holds programs for several machines; `lipo -thin` takes one out")]
    Universal,
    /// The file is a program or library without the section.
    #[error("it has no section `{name}`")]
    Missing {
        /// The name in this kind of file.
        name: &'static str,
    },
    /// The section reaches beyond the end of the file.
    #[error("its section `{name}` is not whole")]
    Truncated {
        /// The name in this kind of file.
        name: &'static str,
        /// What does not fit.
        #[source]
        source: object::read::Error,
    },
}

/// The content of a section of the program or library in `file`, whatever machine it is for.
pub fn read(file: &[u8], section: Section) -> Result<&[u8], SectionError> {
    if matches!(FileKind::parse(file), Ok(FileKind::MachOFat32 | FileKind::MachOFat64)) {
        return Err(SectionError::Universal);
    }
    let object = object::File::parse(file).map_err(SectionError::NotAnObject)?;
    let name = match object.format() {
        BinaryFormat::MachO => section.mach_o,
        BinaryFormat::Coff | BinaryFormat::Pe => section.coff,
        _ => section.elf,
    };
    let found = object.section_by_name_bytes(name.as_bytes()).ok_or(SectionError::Missing { name })?;
    found.data().map_err(|source| SectionError::Truncated { name, source })
}

/// The Rust compilers that have made the program or library in `file`, as they name themselves. Only those of systems with
/// ELF leave their names.
pub fn compilers(file: &[u8]) -> Result<Vec<String>, SectionError> {
    let comments = match read(file, COMMENTS) {
        Err(SectionError::Missing { .. }) => return Ok(Vec::new()),
        found => found?,
    };
    let texts = comments.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    Ok(texts
        .filter_map(|text| text.strip_prefix("rustc version ").map(|rest| format!("rustc {rest}")))
        .collect())
}

#[cfg(test)]
pub mod tests {
    use object::write::Object as WrittenObject;
    use object::{Architecture, Endianness, SectionKind};

    use super::*;

    /// The kinds of object files that sections are read from.
    pub const KINDS: [(BinaryFormat, Architecture); 3] = [
        (BinaryFormat::Elf, Architecture::Aarch64),
        (BinaryFormat::MachO, Architecture::X86_64),
        (BinaryFormat::Coff, Architecture::X86_64),
    ];

    /// An object file with some sections.
    pub fn object_file(
        (format, architecture): (BinaryFormat, Architecture),
        sections: &[(Section, &[u8])],
    ) -> Vec<u8> {
        let mut object = WrittenObject::new(format, architecture, Endianness::Little);
        for (section, content) in sections {
            let (segment, name) = match format {
                BinaryFormat::MachO => ("__DATA", section.mach_o),
                BinaryFormat::Coff => ("", section.coff),
                _ => ("", section.elf),
            };
            let id = object.add_section(segment.into(), name.into(), SectionKind::ReadOnlyData);
            object.append_section_data(id, content, 1);
        }
        object.write().unwrap()
    }

    #[test]
    fn sections_are_read_from_binaries_of_other_machines() {
        for kind in KINDS {
            let file = object_file(kind, &[(DESCRIPTION, b"{}"), (CRATES, b"x\0")]);
            assert_eq!(read(&file, DESCRIPTION).unwrap(), b"{}", "{kind:?}");
            assert_eq!(read(&file, CRATES).unwrap(), b"x\0", "{kind:?}");
        }
    }

    #[test]
    fn compilers_name_themselves() {
        let text = b"rustc version 1.95.0 (0 2026-04-14)\0Linker: LLD 22\0GCC: 12\0";
        let file = object_file(KINDS[0], &[(COMMENTS, text)]);
        assert_eq!(compilers(&file).unwrap(), ["rustc 1.95.0 (0 2026-04-14)"]);
        assert_eq!(compilers(&object_file(KINDS[0], &[])).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_missing_is_named_as_in_that_kind_of_file() {
        let names = [".racetrack", "__racetrack", ".rtrack"];
        for (kind, name) in KINDS.into_iter().zip(names) {
            let message = read(&object_file(kind, &[]), DESCRIPTION).unwrap_err().to_string();
            assert_eq!(message, format!("it has no section `{name}`"));
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let message = |file: &[u8]| read(file, DESCRIPTION).unwrap_err().to_string();
        assert_eq!(message(b""), "it is no ELF, Mach-O or PE file");
        assert_eq!(message(b"#!/bin/sh\necho ELF\n"), "it is no ELF, Mach-O or PE file");
        let universal = [&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0][..], &[0; 56]].concat();
        assert_eq!(message(&universal), "it holds programs for several machines; `lipo -thin` takes one out");
    }

    #[test]
    fn files_that_were_cut_off_are_refused() {
        for kind in KINDS {
            let file = object_file(kind, &[(DESCRIPTION, &[b' '; 4096])]);
            for length in 0..file.len() {
                if let Ok(content) = read(&file[..length], DESCRIPTION) {
                    assert_eq!(content, [b' '; 4096], "{kind:?} at {length}");
                }
            }
        }
    }
}
