//! A small machine with everything that a build reads, and random changes to it, for tests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use proptest::prelude::*;

use crate::cargo::CompileOptions;
use crate::checkout::{Checkout, HOST_TRIPLE};
use crate::declaration::{Profile, ProfileKey};

/// Files that are compared by content: those of a crate, and the configuration of cargo in each place where it looks.
const FILES: [&str; 13] = [
    "checkout/core/Cargo.toml",
    "checkout/core/build.rs",
    "checkout/core/src/added.rs",
    "checkout/core/src/lib.rs",
    ".cargo/config",
    ".cargo/config.toml",
    "checkout/.cargo/config.toml",
    "checkout/state/.cargo/config",
    "checkout/state/.cargo/config.toml",
    "checkout/state/tiny/.cargo/config",
    "checkout/state/tiny/.cargo/config.toml",
    "home/config",
    "home/config.toml",
];
/// Files that are compared by their identity, which nothing brings back.
const PROGRAMS: [&str; 4] = ["bin/cargo", "bin/rustc", "lib/librustc_driver.so", "lib/libstd.so"];
const VARIABLE: usize = FILES.len();
const TARGET: usize = VARIABLE + 1;
const SETTING: usize = TARGET + 1;
const TOOLCHAIN: usize = SETTING + 1;
const PROGRAM: usize = TOOLCHAIN + 1;
const LIBRARY: usize = PROGRAM + PROGRAMS.len();
const COUNT: usize = LIBRARY + 1;

/// A thing of the machine gets another value. For files, 0 means that there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    thing: usize,
    value: usize,
}

/// A random change, which may change nothing.
pub(super) fn change() -> impl Strategy<Value = Change> {
    (0..COUNT, 0..3_usize).prop_map(|(thing, value)| Change { thing, value })
}

impl Change {
    /// Each thing gets another value than it has at first.
    pub(super) fn each() -> impl Iterator<Item = Self> {
        (0..COUNT).map(|thing| Self { thing, value: 1 })
    }
}

/// The machine, and what is where on it.
pub(super) struct Machine {
    root: tempfile::TempDir,
    state: [usize; COUNT],
    /// When each file of each toolchain was last written.
    programs: [[usize; COUNT - PROGRAM]; 3],
    /// How many files were written; each is older than those before.
    written: usize,
}

impl Machine {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut machine = Self { root, state: [0; COUNT], programs: [[0; COUNT - PROGRAM]; 3], written: 0 };
        fs::create_dir_all(machine.member()).unwrap();
        for toolchain in ["toolchain-0", "toolchain-1", "toolchain-2"] {
            for program in PROGRAMS {
                machine.write(&format!("{toolchain}/{program}"), "program");
            }
            for target in [HOST_TRIPLE, "target-1", "target-2"] {
                machine.write(&format!("{toolchain}/lib/rustlib/{target}/lib/libstd.rlib"), "library");
            }
        }
        machine
    }

    pub(super) fn apply(&mut self, Change { thing, value }: Change) {
        if let Some(path) = FILES.get(thing) {
            if value > 0 {
                self.write(path, &format!("key = {value}"));
            } else if self.state[thing] > 0 {
                fs::remove_file(self.path(path)).unwrap();
            }
        }
        self.state[thing] = value;
        if thing >= PROGRAM {
            let library = format!("lib/rustlib/{HOST_TRIPLE}/lib/libstd.rlib");
            let file = PROGRAMS.get(thing - PROGRAM).map_or(library, |file| (*file).to_owned());
            self.write(&format!("{}/{file}", self.toolchain().display()), "program");
            self.programs[self.state[TOOLCHAIN]][thing - PROGRAM] = self.written;
        }
        let programs = self.programs[self.state[TOOLCHAIN]];
        self.state[PROGRAM..].copy_from_slice(&programs);
    }

    /// Gives everything its first value again, as far as that is possible. Returns whether it was.
    pub(super) fn undo_all(&mut self) -> bool {
        (0..PROGRAM).for_each(|thing| self.apply(Change { thing, value: 0 }));
        self.state == [0; COUNT]
    }

    /// The value of each thing.
    pub(super) const fn state(&self) -> [usize; COUNT] {
        self.state
    }

    pub(super) fn checkout(&self) -> Checkout {
        Checkout {
            root: self.path("checkout"),
            cargo: self.toolchain().join("bin/cargo").into(),
            cargo_home: self.path("home"),
            homes: Vec::new(),
            offline: false,
            vendor: None,
        }
    }

    pub(super) fn options(&self) -> CompileOptions {
        let setting = (ProfileKey::OptLevel, self.state[SETTING].to_string());
        CompileOptions {
            profile_name: "dev".to_owned(),
            profile: Profile { base: "dev", settings: BTreeMap::from([setting]) },
            target: Some(self.state[TARGET])
                .filter(|value| *value > 0)
                .map(|value| format!("target-{value}")),
            locked: false,
            offline: false,
            variables: Vec::new(),
        }
    }

    pub(super) fn variables(&self) -> BTreeMap<OsString, OsString> {
        let value = Some(self.state[VARIABLE]).filter(|value| *value > 0);
        value.map(|value| ("READ_BY_SOMEBODY".into(), value.to_string().into())).into_iter().collect()
    }

    /// Where cargo runs.
    pub(super) fn folder(&self) -> PathBuf {
        self.path("checkout/state/tiny")
    }

    /// The crate.
    pub(super) fn member(&self) -> PathBuf {
        self.path("checkout/core")
    }

    /// The toolchain that is used now.
    pub(super) fn toolchain(&self) -> PathBuf {
        self.path(&format!("toolchain-{}", self.state[TOOLCHAIN]))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&mut self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(&path, content).unwrap();
        self.written += 1;
        let age = Duration::from_secs(3600 * self.written as u64);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}
