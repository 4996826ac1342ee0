//! The environment of a build as part of its fingerprint.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::digest;

/// Variables that describe a terminal or a login and reach no binary. Everything else counts: a build script may read it.
const OF_A_TERMINAL: [&str; 14] = [
    "_",
    "COLORTERM",
    "COLUMNS",
    "DISPLAY",
    "LINES",
    "LS_COLORS",
    "OLDPWD",
    "PWD",
    "SHLVL",
    "STY",
    "TERM",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "WINDOWID",
];
const OF_A_TERMINAL_PREFIXES: [&str; 6] =
    ["CARGO_TERM_", "SSH_", "TERM_SESSION_", "TMUX", "VTE_", "XDG_SESSION_"];

/// The variables that cargo would find and that count: what this process has, with `changes` made to it.
pub(super) fn variables(
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    changes: &BTreeMap<OsString, Option<OsString>>,
) -> BTreeMap<OsString, OsString> {
    let kept = inherited.into_iter().filter(|(name, _)| !changes.contains_key(name));
    let set = changes.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    kept.chain(set).filter(|(name, _)| counts(&name.to_string_lossy())).collect()
}

/// A line of the fingerprint for each variable. Values may be secrets, so only their digests are kept.
pub(super) fn lines(variables: &BTreeMap<OsString, OsString>) -> impl Iterator<Item = (String, String)> {
    variables.iter().map(|(name, value)| {
        (format!("environment variable `{}`", name.to_string_lossy()), digest(value.as_encoded_bytes()))
    })
}

fn counts(name: &str) -> bool {
    !OF_A_TERMINAL.contains(&name) && !OF_A_TERMINAL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_finds_counts_but_for_the_terminal() {
        let text = |texts: [&str; 2]| (OsString::from(texts[0]), OsString::from(texts[1]));
        let inherited =
            [["TERM", "x"], ["SSH_TTY", "x"], ["CC", "gcc"], ["RUSTFLAGS", "-g"], ["TZ", "UTC"]].map(text);
        let changes = BTreeMap::from([("RUSTFLAGS".into(), None), ("TZ".into(), Some("CET".into()))]);
        let found = variables(inherited, &changes);
        let found: Vec<_> = found.iter().map(|(name, value)| [name.to_str(), value.to_str()]).collect();
        assert_eq!(found, [[Some("CC"), Some("gcc")], [Some("TZ"), Some("CET")]]);
    }
}
