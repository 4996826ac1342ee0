//! What a component binary says about itself: the document in its section, and the list of crates in another.

pub mod sections;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cargo::CompileOptions;
use crate::cargo::crates::CrateSet;
use crate::cargo::crates::audit::{AuditList, AuditPackage};
use crate::checkout::TOOLCHAIN;
use crate::description::sections::{CRATES_FILE, DESCRIPTION_FILE, Section, SectionError};
use crate::files::write_if_changed;
use crate::plan::PlannedComponent;
use crate::plan::view::ComponentView;

/// The form of the document. Keys are added without another number; readers ignore those they do not know.
pub const FORMAT: u64 = 1;

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// [`FORMAT`].
    pub format: u64,
    /// The component.
    pub component: String,
    /// What `plan --format json` shows of it.
    pub plan: ComponentView,
    /// How it was compiled.
    pub profile: ProfileView,
    /// The triple of the machine it is for.
    pub target: String,
    /// The compiler, as it names itself.
    pub toolchain: String,
    /// Whether everything was as the lock of the declaration has it.
    pub locked: bool,
    /// What the other section holds.
    pub crates: CratesView,
}

/// A profile and every setting of it, by cargo's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileView {
    /// The name.
    pub name: String,
    /// The settings.
    pub settings: BTreeMap<String, Value>,
}

/// How many crates there are, and the digest of their list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CratesView {
    /// How many are linked.
    pub linked: usize,
    /// How many only ran during the build.
    pub build_time: usize,
    /// BLAKE3 of the section with the list, hexadecimal.
    pub digest: String,
}

/// The bytes of both sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Of [`sections::DESCRIPTION`].
    pub document: Vec<u8>,
    /// Of [`sections::CRATES`].
    pub crates: Vec<u8>,
}

/// What a file says about itself.
#[derive(Debug)]
pub struct Inspected {
    /// The document as it is in the file, with keys that this build does not know.
    pub document: Value,
    /// What of it is known.
    pub description: Description,
    /// The list of crates.
    pub crates: Vec<AuditPackage>,
}

/// Describes the binary that a component gives with these crates. The same for everybody who builds the same thing.
pub fn describe(
    component: &PlannedComponent,
    options: &CompileOptions,
    crates: &CrateSet,
    locked: bool,
) -> Embedded {
    let list = AuditList::new(crates).compress();
    let description = Description {
        format: FORMAT,
        component: component.declaration.name.clone(),
        plan: ComponentView::of(component),
        profile: ProfileView::of(options),
        target: options.target().to_owned(),
        toolchain: TOOLCHAIN.to_owned(),
        locked,
        crates: CratesView {
            linked: crates.linked().count(),
            build_time: crates.build_time().count(),
            digest: digest(&list),
        },
    };
    let document = serde_json::to_vec(&description).expect("a description has only texts and numbers");
    Embedded { document, crates: list }
}

impl ProfileView {
    /// The view of the profile that is built with.
    pub fn of(options: &CompileOptions) -> Self {
        let settings = options.profile.settings.iter().map(|(key, value)| {
            let value = serde_json::from_str(value);
            let value = value.expect("numbers, words and switches are the same in TOML and JSON");
            (key.as_str().to_owned(), value)
        });
        Self { name: options.profile_name.clone(), settings: settings.collect() }
    }
}

impl Embedded {
    /// What was last written into the generated workspace in `folder`.
    pub fn load(folder: &Path) -> Option<Self> {
        let [document, crates] = [DESCRIPTION_FILE, CRATES_FILE].map(|file| fs::read(folder.join(file)).ok());
        Some(Self { document: document?, crates: crates? })
    }

    /// Removes what an earlier build wrote into the generated workspace in `folder`.
    pub fn remove(folder: &Path) -> Result<usize> {
        let mut removed = 0;
        for path in [DESCRIPTION_FILE, CRATES_FILE].map(|file| folder.join(file)) {
            if path.exists() {
                fs::remove_file(path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Writes both into the generated workspace in `folder`. Returns how many files had to be changed.
    pub fn write(&self, folder: &Path) -> Result<usize> {
        let document = write_if_changed(&folder.join(DESCRIPTION_FILE), &self.document)?;
        let crates = write_if_changed(&folder.join(CRATES_FILE), &self.crates)?;
        Ok(usize::from(document) + usize::from(crates))
    }

    /// Tells one pair from another.
    pub fn digest(&self) -> String {
        // The document holds the digest of the list.
        digest(&self.document)
    }

    /// Refuses a binary that lost a section, holds another one, or was made by another compiler than it says.
    pub fn check(&self, binary: &[u8]) -> Result<()> {
        let same = |section: Section, expected: &[u8]| -> Result<()> {
            let found = sections::read(binary, section).context("the binary does not describe itself")?;
            ensure!(
                found == expected,
                "the section `{}` of the binary is not what was embedded",
                section.elf
            );
            Ok(())
        };
        same(sections::DESCRIPTION, &self.document)?;
        same(sections::CRATES, &self.crates)?;
        for compiler in sections::compilers(binary).context("the binary does not say what compiled it")? {
            ensure!(
                compiler == TOOLCHAIN,
                "the binary was compiled by `{compiler}` and says that it was by `{TOOLCHAIN}`, the compiler of xtask; \
                 look for RUSTC, RUSTUP_TOOLCHAIN or `build.rustc` in a `.cargo/config.toml`, and see `cargo xtask doctor`"
            );
        }
        Ok(())
    }
}

/// Reads what the program or library in `file` says about itself.
pub fn read(file: &[u8]) -> Result<Inspected> {
    let document = match sections::read(file, sections::DESCRIPTION) {
        Err(error @ SectionError::Missing { .. }) => {
            return Err(anyhow::Error::new(error).context(
                "it is not a component binary of this build system, or it was built before binaries described \
                 themselves: build it again",
            ));
        }
        found => found?,
    };
    let document: Value =
        serde_json::from_slice(document).context("its self-description is broken: it is no whole JSON")?;
    match document["format"].as_u64() {
        Some(FORMAT) => {}
        Some(format) => bail!(
            "its self-description has format {format}, and this checkout reads format {FORMAT}; \
             use the build system that made the binary, or a newer one"
        ),
        None => bail!("its self-description is broken: it has no format"),
    }
    let description: Description =
        Deserialize::deserialize(&document).context("its self-description is broken")?;
    let list = sections::read(file, sections::CRATES).context("its list of crates is missing")?;
    ensure!(
        digest(list) == description.crates.digest,
        "its list of crates is not the one that its self-description names"
    );
    let crates = AuditList::decompress(list).context("its list of crates cannot be read")?.packages;
    Ok(Inspected { document, description, crates })
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::cargo::crates::tests::crate_set;
    use crate::declaration::Profiles;
    use crate::description::sections::tests::{KINDS, object_file};
    use crate::plan::view::tests::component;

    /// A build with the profile `release`.
    pub fn options() -> CompileOptions {
        CompileOptions {
            profile_name: "release".to_owned(),
            profile: Profiles::default().0.remove("release").unwrap(),
            target: Some("riscv64gc-unknown-linux-gnu".to_owned()),
            locked: false,
            offline: false,
            variables: Vec::new(),
        }
    }

    fn embedded() -> Embedded {
        describe(&component(), &options(), &crate_set(), true)
    }

    #[test]
    fn the_document_says_what_was_built_and_how() {
        let document: Value = serde_json::from_slice(&embedded().document).unwrap();
        let text = serde_json::to_string_pretty(&document).unwrap();
        insta::with_settings!({filters => [("rustc 1[^\"]*", "RUSTC"), ("[0-9a-f]{64}", "DIGEST")]}, {
            insta::assert_snapshot!("document", text);
        });
        assert_eq!(document["plan"], serde_json::to_value(ComponentView::of(&component())).unwrap());
    }

    #[test]
    fn one_build_is_described_in_one_way() {
        assert_eq!(embedded(), embedded());
        assert_ne!(describe(&component(), &options(), &crate_set(), false).digest(), embedded().digest());
        let mut fewer = crate_set();
        fewer.0.truncate(2);
        assert_ne!(describe(&component(), &options(), &fewer, true).digest(), embedded().digest());
    }

    #[test]
    fn a_binary_for_another_machine_says_the_same() {
        let embedded = embedded();
        for kind in KINDS {
            let sections =
                [(sections::DESCRIPTION, &embedded.document[..]), (sections::CRATES, &embedded.crates[..])];
            let file = object_file(kind, &sections);
            embedded.check(&file).unwrap();
            let read = read(&file).unwrap();
            assert_eq!(read.document, serde_json::from_slice::<Value>(&embedded.document).unwrap());
            assert_eq!(read.description.plan, ComponentView::of(&component()));
            assert_eq!(read.crates.len(), crate_set().0.len());
        }
    }

    #[test]
    fn a_binary_that_lost_a_section_is_refused() {
        let embedded = embedded();
        let message = |sections: &[(Section, &[u8])]| {
            format!("{:#}", embedded.check(&object_file(KINDS[0], sections)).unwrap_err())
        };
        let document = (sections::DESCRIPTION, &embedded.document[..]);
        assert_eq!(message(&[]), "the binary does not describe itself: it has no section `.racetrack`");
        assert_eq!(message(&[document]), "the binary does not describe itself: it has no section `.dep-v0`");
        let other = (sections::CRATES, &b"other"[..]);
        assert_eq!(
            message(&[document, other]),
            "the section `.dep-v0` of the binary is not what was embedded"
        );
    }

    #[test]
    fn a_binary_of_another_compiler_is_refused() {
        let embedded = embedded();
        let made_by = |compiler: &str| {
            let text = format!("{compiler}\0");
            object_file(
                KINDS[0],
                &[
                    (sections::DESCRIPTION, &embedded.document[..]),
                    (sections::CRATES, &embedded.crates[..]),
                    (sections::COMMENTS, text.as_bytes()),
                ],
            )
        };
        let own = TOOLCHAIN.replacen("rustc ", "rustc version ", 1);
        embedded.check(&made_by(&own)).unwrap();
        let error = embedded.check(&made_by("rustc version 1.2.3 (x 2020-01-02)")).unwrap_err().to_string();
        let start =
            "the binary was compiled by `rustc 1.2.3 (x 2020-01-02)` and says that it was by `rustc 1.";
        assert!(error.starts_with(start), "{error}");
    }
}
