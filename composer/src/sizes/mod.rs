//! How many bytes each plugin adds to a component binary.
//!
//! Symbols do not tell that: much of what a plugin brings has the names of other crates, and a stripped or optimised
//! binary has no names at all. What a plugin adds is by how much the binary is smaller without it, its crates that no other
//! plugin needs among it, so that is what is measured. Whatever leaves only with several plugins at once, such as a crate
//! that two of them use, belongs to none of them and is a figure of its own.

mod measurement;
mod table;

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::{Add, Sub};

use object::{Object, ObjectSection, SectionFlags, SectionKind, elf};
use serde::{Deserialize, Serialize};

use crate::cargo::CompileOptions;
use crate::checkout::TOOLCHAIN;
use crate::description::ProfileView;

pub use measurement::measure_components;
pub use table::table;

/// The form of [`Sizes`] as JSON. Keys are added without another number; readers ignore those they do not know.
pub const FORMAT: u64 = 1;

/// What was measured, by name of the component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// [`FORMAT`].
    pub format: u64,
    /// What the figures depend on besides the sources.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// The components.
    pub components: BTreeMap<String, ComponentSizes>,
}

/// One component. The plugins, what they share and the component alone add up to the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentSizes {
    /// The length of the file, with what is not loaded and what is there for alignment.
    pub file: u64,
    /// What is loaded of it.
    pub loaded: Bytes,
    /// Its plugins, in hook order.
    pub plugins: Vec<PluginSize>,
    /// What leaves only with several plugins at once; less than nothing where one makes another cheaper.
    pub shared: Bytes,
    /// The component without any plugin.
    pub alone: Bytes,
}

/// Sizes under different conditions say nothing about the sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// How it was compiled.
    pub profile: ProfileView,
    /// The triple of the machine it is for.
    pub target: String,
    /// The compiler, as it names itself.
    pub toolchain: String,
}

/// By how much the binary is smaller without a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginSize {
    /// The name of its manifest.
    pub name: String,
    /// The version of its manifest.
    pub version: String,
    /// The difference.
    pub bytes: Bytes,
}

/// What is loaded from a binary when it starts, or a difference between two such figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Instructions.
    pub code: i64,
    /// Everything else: constants, embedded resources, tables for the loader and for unwinding.
    pub data: i64,
}

impl Conditions {
    /// Those of a build.
    pub fn of(options: &CompileOptions) -> Self {
        Self {
            profile: ProfileView::of(options),
            target: options.target().to_owned(),
            toolchain: TOOLCHAIN.to_owned(),
        }
    }

    /// What is not the same, as `profile dev rather than release`.
    pub fn difference(&self, now: &Self) -> String {
        let named = [
            ("profile", &self.profile.name, &now.profile.name),
            ("target", &self.target, &now.target),
            ("toolchain", &self.toolchain, &now.toolchain),
        ];
        let mut differences: Vec<_> = named
            .into_iter()
            .filter(|(_, before, now)| before != now)
            .map(|(what, before, now)| format!("{what} {before} rather than {now}"))
            .collect();
        if differences.is_empty() {
            differences.push(format!("other settings of profile {}", now.profile.name));
        }
        differences.join(", ")
    }
}

impl Bytes {
    /// Both.
    pub const fn total(self) -> i64 {
        self.code + self.data
    }
}

impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { code: self.code + other.code, data: self.data + other.data }
    }
}

impl Sub for Bytes {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { code: self.code - other.code, data: self.data - other.data }
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// Measures a binary for any machine: its sections, without symbols, debug information and the gaps between them, which
/// are the same for a stripped file and one that was not stripped.
pub fn measure(file: &[u8]) -> object::read::Result<Bytes> {
    let object = object::File::parse(file)?;
    let loaded = object.sections().filter(is_loaded).map(|section| {
        let length = section.file_range().map_or(0, |(_, length)| length);
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        match section.kind() {
            SectionKind::Text => Bytes { code: length, data: 0 },
            _ => Bytes { code: 0, data: length },
        }
    });
    Ok(loaded.sum())
}

fn is_loaded<'data>(section: &impl ObjectSection<'data>) -> bool {
    use SectionKind::{Debug, DebugString, Linker, Metadata, Other, OtherString};

    if let SectionFlags::Elf { sh_flags, .. } = section.flags() {
        return sh_flags.contains(elf::SHF_ALLOC);
    }
    !matches!(section.kind(), Debug | DebugString | Linker | Metadata | Other | OtherString)
}

impl ComponentSizes {
    /// Puts together what was measured: the binary with all plugins, without each of them, and without any.
    pub fn new(
        (file, loaded): (u64, Bytes),
        without_one: impl IntoIterator<Item = (String, String, Bytes)>,
        alone: Bytes,
    ) -> Self {
        let plugins = without_one.into_iter().map(|(name, version, without)| PluginSize {
            name,
            version,
            bytes: loaded - without,
        });
        let plugins: Vec<_> = plugins.collect();
        let shared = loaded - alone - plugins.iter().map(|plugin| plugin.bytes).sum();
        Self { file, loaded, plugins, shared, alone }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::description::sections::tests::{KINDS, object_file};
    use crate::description::sections::{CRATES, DESCRIPTION};

    pub fn bytes(code: i64, data: i64) -> Bytes {
        Bytes { code, data }
    }

    fn conditions(profile: &str) -> Conditions {
        let profile = ProfileView { name: profile.to_owned(), settings: BTreeMap::new() };
        Conditions { profile, target: "target".to_owned(), toolchain: "rustc".to_owned() }
    }

    /// A component that is 1000 + 500 bytes alone, with two plugins.
    pub fn sizes() -> ComponentSizes {
        let without = |name: &str, bytes| (name.to_owned(), "1.0.0".to_owned(), bytes);
        let without_one = [without("beta", bytes(1300, 600)), without("alpha", bytes(1250, 700))];
        ComponentSizes::new((4096, bytes(1400, 700)), without_one, bytes(1000, 500))
    }

    #[test]
    fn plugins_and_what_they_share_add_up() {
        let sizes = sizes();
        let plugins: Vec<_> = sizes.plugins.iter().map(|plugin| plugin.bytes).collect();
        assert_eq!(plugins, [bytes(100, 100), bytes(150, 0)]);
        assert_eq!(sizes.shared, bytes(150, 100));
        assert_eq!(sizes.alone + sizes.shared + plugins.into_iter().sum(), sizes.loaded);
    }

    #[test]
    fn conditions_differ_by_name_or_by_settings() {
        let (before, mut now) = (conditions("release"), conditions("dev"));
        now.target = "other".to_owned();
        assert_eq!(
            before.difference(&now),
            "profile release rather than dev, target target rather than other"
        );
        let mut settings = before.clone();
        settings.profile.settings.insert("lto".to_owned(), "fat".into());
        assert_eq!(before.difference(&settings), "other settings of profile release");
    }

    #[test]
    fn sections_of_other_machines_are_measured() {
        for kind in KINDS {
            let file = object_file(kind, &[(DESCRIPTION, &[b' '; 300]), (CRATES, &[1; 40])]);
            assert_eq!(measure(&file).unwrap(), bytes(0, 340), "{kind:?}");
        }
        assert!(measure(b"#!/bin/sh").is_err());
    }

    #[test]
    fn this_program_has_more_instructions_than_its_symbols_and_debug_information_hide() {
        let file = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        let measured = measure(&file).unwrap();
        let whole = i64::try_from(file.len()).unwrap();
        assert!(measured.code > 1_000_000 && measured.data > 100_000, "{measured:?}");
        assert!(measured.total() < whole, "symbols and debug information are not loaded: {measured:?}");
    }
}
