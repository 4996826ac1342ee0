//! The forms in which a secret appears.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use super::spelling::Spelling;

/// Shorter forms, in bytes, are not looked for.
const MIN_LENGTH: usize = 3;

/// Shorter parts of base64, in characters, are not looked for: the first and the last characters also depend on what
/// stands around the secret.
const MIN_BASE64: usize = 8;

/// Up to so many bytes of secrets are looked for in every form. Of more, only the plain ones and whole base64 are: memory and
/// time grow with the forms.
const EVERY_FORM: usize = 16 * 1024;

/// Passwords that say that the name before them is a token.
const FILLERS: [&str; 3] = ["x-oauth-basic", "x-oauth-token", "x"];

/// A name of so many bytes may be a token.
const SHORTEST_TOKEN: usize = 20;

/// How programs wrap base64: `base64` of Unix, and PEM.
const WIDTHS: [usize; 2] = [76, 64];

/// All forms of all secrets.
pub(super) fn of_all<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let secrets: Vec<_> = secrets.into_iter().collect();
    let are_few = secrets.iter().map(|secret| secret.len()).sum::<usize>() <= EVERY_FORM;
    let mut forms = Vec::new();
    for secret in secrets {
        forms.push(secret.to_owned());
        forms.extend(wrapped(&base64(secret.as_bytes())));
        for line in secret.split(['\n', '\r']).map(str::trim).filter(|line| line.len() >= MIN_LENGTH) {
            forms.push(line.to_owned());
            if are_few {
                forms.extend([line.escape_debug().to_string(), in_json(line), in_python(line)]);
                forms.extend(in_base64(line.as_bytes()));
            }
            for part in login(line) {
                forms.push(part.to_owned());
                let read = Spelling::read(part.as_bytes());
                forms.extend(read.and_then(|read| String::from_utf8(read.bytes().to_vec()).ok()));
            }
        }
        if secret.len() >= MIN_LENGTH {
            forms.push(base64(secret.as_bytes()));
            if are_few {
                forms.extend(in_base64(secret.as_bytes()));
            }
        }
    }
    forms.retain(|form| form.trim().len() >= MIN_LENGTH);
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// What stands before the host of an address for the server alone: `bob:hunter2` and `hunter2` in `https://bob:hunter2@example.com`.
/// Programs take addresses apart and show the parts. A name is a secret only where it may be a token.
fn login(text: &str) -> Vec<&str> {
    let login = || {
        let (_, rest) = text.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        Some(authority.rsplit_once('@')?.0)
    };
    let Some(login) = login() else { return Vec::new() };
    let Some((user, password)) = login.split_once(':') else { return vec![login] };
    // What servers are told as a password where the name is a token is known to everybody.
    let is_filler = password.is_empty() || FILLERS.contains(&password);
    let mut parts = vec![login];
    if is_filler || user.len() >= SHORTEST_TOKEN {
        parts.push(user);
    }
    if !is_filler {
        parts.push(password);
    }
    parts
}

/// In base64, as most programs write it.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The lines of long base64.
fn wrapped(text: &str) -> impl Iterator<Item = String> {
    WIDTHS.into_iter().filter(|width| text.len() > *width).flat_map(|width| {
        let pieces = text.as_bytes().chunks(width).filter(|piece| piece.len() >= MIN_BASE64);
        pieces.map(|piece| String::from_utf8_lossy(piece).into_owned())
    })
}

/// As it is in base64: alone, and at each place of a group of three bytes when other text stands around it.
fn in_base64(secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for engine in [BASE64_STANDARD, BASE64_URL_SAFE] {
        let whole = engine.encode(secret);
        forms.push(whole.trim_end_matches('=').to_owned());
        forms.push(whole);
        for before in 0..3 {
            let mut padded = vec![0; before];
            padded.extend_from_slice(secret);
            let encoded = engine.encode(&padded);
            // The characters that are made of bits of the secret alone.
            let inner = (before * 8).div_ceil(6)..padded.len() * 8 / 6;
            forms.extend(encoded.get(inner).filter(|form| form.len() >= MIN_BASE64).map(str::to_owned));
        }
    }
    forms
}

/// As it is between the quotes of JSON.
fn in_json(text: &str) -> String {
    let json = serde_json::to_string(text).expect("text is valid JSON");
    json.trim_start_matches('"').strip_suffix('"').unwrap_or(&json).to_owned()
}

/// As it is between the single quotes of Python.
fn in_python(text: &str) -> String {
    text.replace('\\', r"\\").replace('\'', r"\'")
}
