//! The keys of a declaration: what the reader accepts, and what the JSON Schema says. One table for both.

use toml::de::DeValue;

use super::integer::integer;

/// The keys that may stand in a table.
#[derive(Debug)]
pub struct Keys {
    /// What the table is for.
    pub doc: &'static str,
    /// Its keys, sorted.
    pub rows: &'static [Key],
    /// Of the keys of these choices, exactly one must be there; empty where there is no such choice.
    pub one_of: &'static [Choice],
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What holds where it is left out, as it would be written.
    pub default: Option<&'static str>,
    /// What it is for.
    pub doc: &'static str,
}

/// A key that may be there instead of others, with those that go with it and not with all others.
#[derive(Debug)]
pub struct Choice {
    /// The key.
    pub key: &'static str,
    /// The keys that must be there with it.
    pub needs: &'static [&'static str],
    /// The keys that may be there with it.
    pub takes: &'static [&'static str],
}

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that names something, so that it is not empty.
    Name,
    /// `true` or `false`.
    Switch,
    /// Texts, so many at least.
    Texts {
        /// How many there must be.
        least: usize,
    },
    /// One of some values.
    Setting(&'static Values),
    /// A table.
    Table(&'static Keys),
    /// Tables, one below the other.
    Tables(&'static Keys),
    /// Tables by name, each a component.
    Components(&'static Keys),
    /// Tables by name, each a profile; those of the built-in ones have keys of their own.
    Profiles {
        /// The keys of `[profile.dev]`, `[profile.quick]` and `[profile.release]`.
        built_in: &'static Keys,
        /// The keys of all others.
        own: &'static Keys,
    },
}

/// The values of a setting.
#[derive(Debug)]
pub struct Values {
    /// Whether `true` and `false` are among them.
    pub switch: bool,
    /// The smallest and the largest number, if numbers are.
    pub numbers: Option<(u32, u32)>,
    /// The texts.
    pub words: &'static [&'static str],
}

impl Keys {
    /// The names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.rows.iter().map(|key| key.name)
    }

    /// The key of that name.
    pub fn get(&self, name: &str) -> Option<&'static Key> {
        self.rows.iter().find(|key| key.name == name)
    }
}

impl Choice {
    /// The keys that go with the chosen one.
    pub fn companions(&self) -> impl Iterator<Item = &'static str> {
        self.needs.iter().chain(self.takes).copied()
    }
}

impl Key {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, required: false, default: None, doc }
    }

    const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { required: true, ..Self::new(name, kind, doc) }
    }

    const fn with_default(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { default: Some(default), ..Self::new(name, kind, doc) }
    }
}

impl Values {
    /// The value as TOML, if it is one of them.
    pub fn accept(&self, value: &DeValue<'_>) -> Option<String> {
        match value {
            DeValue::Boolean(switch) if self.switch => Some(switch.to_string()),
            DeValue::Integer(_) => {
                let (smallest, largest) = self.numbers?;
                let number = u32::try_from(integer(value)?).ok()?;
                (smallest..=largest).contains(&number).then(|| number.to_string())
            }
            DeValue::String(text) if self.words.contains(&text.as_ref()) => Some(format!("{text:?}")),
            _ => None,
        }
    }

    /// `true, false, 0 to 3 or "full"`.
    pub fn describe(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        if self.switch {
            parts.extend(["true".to_owned(), "false".to_owned()]);
        }
        parts.extend(self.numbers.map(|(smallest, largest)| format!("{smallest} to {largest}")));
        parts.extend(self.words.iter().map(|word| format!("{word:?}")));
        match parts.pop() {
            Some(last) if !parts.is_empty() => format!("{} or {last}", parts.join(", ")),
            last => last.unwrap_or_default(),
        }
    }
}

/// The name of the profile that is built with where the declaration names none.
pub const DEFAULT_PROFILE: &str = "release";
/// The folder of the binaries where the declaration names none.
pub const DEFAULT_OUT_DIR: &str = "dist";

/// Names that mean something else in `.racetrack/`, where each component has a folder.
pub const TAKEN_NAMES: [&str; 5] = ["build", "store", "target", "up", "verify"];

/// The declaration itself.
pub const DECLARATION: Keys = Keys {
    doc: "Which plugins go into which component binaries. Paths are relative to the folder of this file and stay inside \
          the checkout.",
    rows: &[
        Key::new("build", Kind::Table(&BUILD), BUILD.doc),
        Key::required(
            "components",
            Kind::Components(&COMPONENT),
            "The components, by the names of their binaries.",
        ),
        Key::new(
            "plugin",
            Kind::Tables(&PLUGIN),
            "The plugins. Within one priority, hooks run in this order.",
        ),
        Key::new(
            "profile",
            Kind::Profiles { built_in: &BUILT_IN_PROFILE, own: &OWN_PROFILE },
            "Build profiles, by name: changes to `release`, `quick` and `dev`, and others.",
        ),
    ],
    one_of: &[],
};

/// `[build]`.
pub const BUILD: Keys = Keys {
    doc: "How the components are built.",
    rows: &[
        Key::with_default(
            "out-dir",
            Kind::Text,
            DEFAULT_OUT_DIR,
            "Where the binaries go, one per component and named after it.",
        ),
        Key::with_default(
            "profile",
            Kind::Text,
            DEFAULT_PROFILE,
            "The build profile: `release`, `quick`, `dev`, or one that a [profile.NAME] table adds.",
        ),
    ],
    one_of: &[],
};

/// `[components.NAME]`.
pub const COMPONENT: Keys = Keys {
    doc: "A component: a library crate with a `main` that takes its plugins.",
    rows: &[
        Key::required("package", Kind::Name, "The package of the crate, as its Cargo.toml calls it."),
        Key::required("path", Kind::Name, "The folder of the crate."),
    ],
    one_of: &[],
};

/// `[[plugin]]`.
pub const PLUGIN: Keys = Keys {
    doc: "A plugin: its crate in a folder, in a bundle, or in a commit of a repository; here or elsewhere.",
    rows: &[
        Key::new(
            "after",
            Kind::Texts { least: 0 },
            "Names of plugins of the same priority that run before this one.",
        ),
        Key::with_default(
            "allow-build-script",
            Kind::Switch,
            "false",
            "Whether the crate may have a build script, which runs while building.",
        ),
        Key::new(
            "before",
            Kind::Texts { least: 0 },
            "Names of plugins of the same priority that run after this one.",
        ),
        Key::new(
            "components",
            Kind::Texts { least: 1 },
            "The components that hold the plugin, out of those its plugin manifest allows [default: all of these].",
        ),
        Key::new(
            "git",
            Kind::Name,
            "The address of the git repository with the plugin's crate: `https://`, `ssh://` or `file://`.",
        ),
        Key::new("path", Kind::Name, "The folder of the plugin's crate."),
        Key::new(
            "release",
            Kind::Name,
            "The release whose asset is the bundle: `github.com/OWNER/REPOSITORY==VERSION`.",
        ),
        Key::new("rev", Kind::Name, "The full id of the commit: 40 hexadecimal digits."),
        Key::new(
            "sha256",
            Kind::Name,
            "The SHA-256 digest of the bundle; `cargo xtask fetch ADDRESS` prints it.",
        ),
        Key::new(
            "subfolder",
            Kind::Text,
            "The folder of the plugin's crate in the repository [default: its root].",
        ),
        Key::new("url", Kind::Name, "The address of the bundle."),
        Key::new("zip", Kind::Name, "The bundle, as `cargo xtask plugin bundle` makes it."),
    ],
    one_of: &[
        Choice { key: "path", needs: &[], takes: &[] },
        Choice { key: "zip", needs: &[], takes: &[] },
        Choice { key: "url", needs: &["sha256"], takes: &[] },
        Choice { key: "git", needs: &["rev"], takes: &["subfolder"] },
        Choice { key: "release", needs: &["sha256"], takes: &[] },
    ],
};

/// `[profile.dev]`, `[profile.quick]` and `[profile.release]`.
pub const BUILT_IN_PROFILE: Keys = Keys {
    doc: "Changes to a built-in profile.",
    rows: &[CODEGEN_UNITS, DEBUG, LTO, OPT_LEVEL, STRIP],
    one_of: &[],
};

/// `[profile.NAME]` of any other name.
pub const OWN_PROFILE: Keys = Keys {
    doc: "Another profile.",
    rows: &[
        CODEGEN_UNITS,
        DEBUG,
        Key::required("inherits", Kind::Text, "The profile whose settings hold where this one says nothing."),
        LTO,
        OPT_LEVEL,
        STRIP,
    ],
    one_of: &[],
};

const CODEGEN_UNITS: Key = Key::new(
    "codegen-units",
    Kind::Setting(&Values { switch: false, numbers: Some((1, 1024)), words: &[] }),
    "Into how many parts a crate is cut that are compiled side by side; more compile faster and run slower.",
);
const DEBUG: Key = Key::new(
    "debug",
    Kind::Setting(&Values {
        switch: true,
        numbers: Some((0, 2)),
        words: &["none", "line-directives-only", "line-tables-only", "limited", "full"],
    }),
    "How much debug information the binary holds.",
);
const LTO: Key = Key::new(
    "lto",
    Kind::Setting(&Values { switch: true, numbers: None, words: &["off", "thin", "fat"] }),
    "Optimisation across crates while linking.",
);
const OPT_LEVEL: Key = Key::new(
    "opt-level",
    Kind::Setting(&Values { switch: false, numbers: Some((0, 3)), words: &["s", "z"] }),
    "How much is optimised: 0 to 3 for speed, `s` and `z` for size.",
);
const STRIP: Key = Key::new(
    "strip",
    Kind::Setting(&Values { switch: true, numbers: None, words: &["none", "debuginfo", "symbols"] }),
    "What is left out of the binary.",
);

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn keys_are_sorted_and_choices_are_among_them() {
        for keys in [&DECLARATION, &BUILD, &COMPONENT, &PLUGIN, &BUILT_IN_PROFILE, &OWN_PROFILE] {
            assert!(keys.names().is_sorted(), "{}", keys.doc);
            for choice in keys.one_of {
                for name in choice.companions().chain([choice.key]) {
                    assert!(keys.get(name).is_some(), "{name}: {}", keys.doc);
                }
            }
        }
    }

    fn values(key: &Key) -> &'static Values {
        match key.kind {
            Kind::Setting(values) => values,
            other => panic!("{other:?} is no setting"),
        }
    }

    #[test]
    fn numbers_are_accepted_in_every_base() {
        let accepted = |text: &str| {
            let text = format!("codegen-units = {text}");
            let table = DeTable::parse(&text).unwrap();
            values(&CODEGEN_UNITS).accept(table.get_ref()["codegen-units"].get_ref())
        };
        assert_eq!(accepted("16").as_deref(), Some("16"));
        assert_eq!(accepted("0x10").as_deref(), Some("16"));
        assert_eq!(accepted("0x401"), None, "1025 is too many");
        assert_eq!(accepted("-1"), None);
    }

    #[test]
    fn values_are_described() {
        let described = |key: &Key| values(key).describe();
        assert_eq!(described(&OPT_LEVEL), "0 to 3, \"s\" or \"z\"");
        assert_eq!(described(&CODEGEN_UNITS), "1 to 1024");
        assert_eq!(described(&LTO), "true, false, \"off\", \"thin\" or \"fat\"");
    }
}
