//! Build profiles: the built-in ones, and what `[profile.NAME]` tables change or add.

use std::collections::BTreeMap;

use racetrack_bundle::Diagnostics;
use racetrack_bundle::suggestion::suggestion;
use toml::de::DeValue;

use super::Document;
use super::keys::{self, Keys, Kind};
use super::table::{Placed, TableReader, kind};
use crate::codes;

/// A setting of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileKey {
    OptLevel,
    Lto,
    CodegenUnits,
    Strip,
    Debug,
    /// Always `unwind`, because the registry catches the panics of hooks. Not settable.
    Panic,
    /// Always off, because it changes the bytes. Not settable.
    Incremental,
    /// On in profiles made from `dev`. Not settable.
    DebugAssertions,
    /// On in profiles made from `dev`. Not settable.
    OverflowChecks,
}

/// A profile with every setting that has a bearing on the bytes; values are written as TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The profile of cargo it was made from: `dev` or `release`.
    pub base: &'static str,
    /// Every key has a value.
    pub settings: BTreeMap<ProfileKey, String>,
}

/// The profile that `up` builds with.
pub const QUICK: &str = "quick";

/// All profiles by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profiles(pub BTreeMap<String, Profile>);

/// Names that cargo refuses, or uses for folders of its own.
const REFUSED_NAMES: [&str; 22] = [
    "bench", "build", "cargo", "check", "clean", "config", "debug", "doc", "fetch", "fix", "install",
    "metadata", "package", "publish", "report", "root", "run", "rust", "rustc", "rustdoc", "test", "tmp",
];

impl ProfileKey {
    /// The keys that a declaration may set.
    const SETTABLE: [Self; 5] = [Self::OptLevel, Self::Lto, Self::CodegenUnits, Self::Strip, Self::Debug];

    /// The key as cargo writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OptLevel => "opt-level",
            Self::Lto => "lto",
            Self::CodegenUnits => "codegen-units",
            Self::Strip => "strip",
            Self::Debug => "debug",
            Self::Panic => "panic",
            Self::Incremental => "incremental",
            Self::DebugAssertions => "debug-assertions",
            Self::OverflowChecks => "overflow-checks",
        }
    }
}

impl Profile {
    /// Whether the compiler takes its time for the sake of the binary.
    pub fn is_optimised(&self) -> bool {
        self.settings.get(&ProfileKey::OptLevel).is_some_and(|level| level != "0")
    }

    /// For edits. Not the 256 units of cargo's `dev`, which are for incremental compilation: each is a file more for the linker.
    fn dev() -> Self {
        Self::built_in("dev", ["0", "\"off\"", "4", "\"none\"", "\"line-tables-only\"", "true"])
    }

    fn release() -> Self {
        Self::built_in("release", ["3", "\"thin\"", "1", "\"symbols\"", "\"none\"", "false"])
    }

    /// For a first look: what takes time to compile is left out, and what a binary does is what it does in `release`.
    fn quick() -> Self {
        Self::built_in("dev", ["0", "\"off\"", "4", "\"debuginfo\"", "\"none\"", "false"])
    }

    fn built_in(base: &'static str, [opt_level, lto, units, strip, debug, checks]: [&str; 6]) -> Self {
        let settings = [
            (ProfileKey::OptLevel, opt_level),
            (ProfileKey::Lto, lto),
            (ProfileKey::CodegenUnits, units),
            (ProfileKey::Strip, strip),
            (ProfileKey::Debug, debug),
            (ProfileKey::Panic, "\"unwind\""),
            (ProfileKey::Incremental, "false"),
            (ProfileKey::DebugAssertions, checks),
            (ProfileKey::OverflowChecks, checks),
        ];
        Self { base, settings: settings.map(|(key, value)| (key, value.to_owned())).into() }
    }
}

impl Default for Profiles {
    fn default() -> Self {
        let built_in = [("dev", Profile::dev()), (QUICK, Profile::quick()), ("release", Profile::release())];
        Self(built_in.map(|(name, profile)| (name.to_owned(), profile)).into())
    }
}

impl Profiles {
    /// The names of all profiles, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

struct WrittenProfile {
    name: Placed<String>,
    inherits: Option<Placed<String>>,
    settings: BTreeMap<ProfileKey, String>,
}

/// Reads the `[profile]` table.
pub(super) fn read(document: &Document, reader: &TableReader<'_>, diagnostics: &mut Diagnostics) -> Profiles {
    let mut written = BTreeMap::new();
    for (name, value) in reader.entries() {
        if let Some(profile) = read_one(document, name, value.get_ref(), diagnostics) {
            written.insert(profile.name.value.clone(), profile);
        }
    }
    let mut profiles = Profiles::default();
    for name in written.keys() {
        if let Some(profile) = resolve(document, name, &written, &mut Vec::new(), diagnostics) {
            profiles.0.insert(name.clone(), profile);
        }
    }
    profiles
}

fn read_one<'a>(
    document: &'a Document,
    name: Placed<String>,
    value: &'a DeValue<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<WrittenProfile> {
    let shown = format!("[profile.{}]", name.value);
    let DeValue::Table(table) = value else {
        let message = format!("{shown} must be a table, not {}", kind(value));
        let help = format!("write `{shown}` on a line of its own, and its keys below");
        let place = name.place;
        diagnostics.push(document.diagnostic(codes::WRONG_TYPE, place, message).with_help(help));
        return None;
    };
    let is_word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if !is_word(&name.value) || REFUSED_NAMES.contains(&name.value.as_str()) {
        let message = format!("no profile can be called `{}`", name.value);
        let help = "choose another name, of ASCII letters, digits, `-` and `_`";
        let place = name.place.clone();
        diagnostics.push(document.diagnostic(codes::INVALID_PROFILE_NAME, place, message).with_help(help));
        return None;
    }
    let place = name.place.clone();
    let built_in = Profiles::default().0.contains_key(&name.value);
    let known = if built_in { &keys::BUILT_IN_PROFILE } else { &keys::OWN_PROFILE };
    let reader = TableReader::with_keys(document, shown.clone(), table, place, known, diagnostics);
    let inherits = if built_in { None } else { Some(reader.required_string("inherits", diagnostics)?) };
    let mut settings = BTreeMap::new();
    for (key, value) in reader.entries() {
        let Some((setting, accepted)) = setting(known, &key.value, value.get_ref()) else {
            continue;
        };
        match accepted {
            Ok(text) => {
                settings.insert(setting, text);
            }
            Err(wanted) => {
                let message = format!("`{}` in {shown} must be {wanted}", key.value);
                let help = "write one of these, or remove the key";
                let place = value.span();
                diagnostics.push(document.diagnostic(codes::INVALID_VALUE, place, message).with_help(help));
            }
        }
    }
    Some(WrittenProfile { name, inherits, settings })
}

/// The value of a key as TOML, or what it must be; nothing for keys that are no settings.
fn setting(keys: &Keys, key: &str, value: &DeValue<'_>) -> Option<(ProfileKey, Result<String, String>)> {
    let Kind::Setting(values) = keys.get(key)?.kind else {
        return None;
    };
    let setting = ProfileKey::SETTABLE.into_iter().find(|setting| setting.as_str() == key)?;
    Some((setting, values.accept(value).ok_or_else(|| values.describe())))
}

/// The settings of a profile over those of the one it inherits from. Mistakes are reported for the profile that makes
/// them, not again for each one that inherits from it.
fn resolve<'a>(
    document: &Document,
    name: &'a str,
    written: &'a BTreeMap<String, WrittenProfile>,
    heirs: &mut Vec<&'a str>,
    diagnostics: &mut Diagnostics,
) -> Option<Profile> {
    let Some(profile) = written.get(name) else {
        return Profiles::default().0.remove(name);
    };
    let mut resolved = match &profile.inherits {
        None => Profiles::default().0.remove(name)?,
        Some(inherits) => {
            let parent = inherits.value.as_str();
            heirs.push(name);
            if let Some(start) = heirs.iter().position(|heir| *heir == parent) {
                // Found once from each member of the circle; the first one in alphabetical order reports it.
                if start == 0 && heirs.iter().min() == heirs.first() {
                    let message =
                        format!("profile `{parent}` inherits from itself, through {}", heirs.join(", "));
                    let help = "let one of them inherit from `release`, `quick` or `dev`";
                    let place = inherits.place.clone();
                    diagnostics
                        .push(document.diagnostic(codes::PROFILE_CYCLE, place, message).with_help(help));
                }
                return None;
            }
            let built_in = Profiles::default();
            if !written.contains_key(parent) && !built_in.0.contains_key(parent) {
                if heirs.len() == 1 {
                    let known = written
                        .keys()
                        .map(String::as_str)
                        .chain(built_in.names())
                        .filter(|known| *known != name);
                    let message = format!("profile `{name}` inherits from `{parent}`, which does not exist");
                    let help = suggestion(parent, "profiles", known);
                    let place = inherits.place.clone();
                    diagnostics
                        .push(document.diagnostic(codes::UNKNOWN_PROFILE, place, message).with_help(help));
                }
                return None;
            }
            resolve(document, parent, written, heirs, diagnostics)?
        }
    };
    resolved.settings.extend(profile.settings.clone());
    Some(resolved)
}
