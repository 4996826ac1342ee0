//! Where a `[[plugin]]` table says that the plugin is.

use std::ops::Range;
use std::str::FromStr;

use racetrack_bundle::{Code, Diagnostics};

use super::Document;
use super::keys::{Choice, PLUGIN};
use super::table::{Placed, TableReader};
use crate::codes;
use crate::remote::{self, BundleAddress, Invalid, RemoteSource, Sha256};

/// A source whose disk or network nobody has asked yet.
#[derive(Debug)]
pub(super) enum WrittenSource {
    /// A folder of the checkout.
    Folder(Placed<String>),
    /// A bundle of the checkout.
    Zip(Placed<String>),
    /// Something that is elsewhere.
    Remote(Placed<RemoteSource>),
}

/// Reads the source of one `[[plugin]]` table.
pub(super) fn read(
    document: &Document,
    reader: &TableReader<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<WrittenSource> {
    let keys: Vec<_> = reader.entries().into_iter().map(|(key, _)| key).collect();
    let place = |name: &str| keys.iter().find(|key| key.value == name).map(|key| key.place.clone());
    let mut kinds = PLUGIN.one_of.iter().filter(|choice| place(choice.key).is_some());
    let Some(choice @ Choice { key: kind, .. }) = kinds.next() else {
        let message = "[[plugin]] does not say where the plugin is";
        let help = "add `path = \"…\"` for a folder or `zip = \"…\"` for a bundle; what is elsewhere is named by `url`, `release` or `git`";
        diagnostics
            .push(document.diagnostic(codes::MISSING_SOURCE, reader.place.clone(), message).with_help(help));
        return None;
    };
    if let Some(Choice { key: other, .. }) = kinds.next() {
        let message = format!("[[plugin]] has both `{kind}` and `{other}`");
        let place = place(other).unwrap_or_else(|| reader.place.clone());
        diagnostics.push(
            document.diagnostic(codes::AMBIGUOUS_SOURCE, place, message).with_help("keep one of the two"),
        );
        return None;
    }
    for key in keys {
        let goes_with = |choice: &&Choice| choice.companions().any(|companion| companion == key.value);
        if goes_with(&choice) {
            continue;
        }
        let owners = PLUGIN.one_of.iter().filter(goes_with);
        let owners: Vec<_> = owners.map(|owner| format!("`{}`", owner.key)).collect();
        if !owners.is_empty() {
            let message = format!("`{}` does not go with `{kind}`", key.value);
            let help = format!("it goes with {}; remove it here", owners.join(" and "));
            let diagnostic = document.diagnostic(codes::MISPLACED_KEY, key.place.clone(), message);
            diagnostics.push(diagnostic.with_help(help));
        }
    }
    let text = reader.string(kind, diagnostics)?;
    let reading = Reading { document, reader };
    match *kind {
        "path" => Some(WrittenSource::Folder(text)),
        "zip" => Some(WrittenSource::Zip(text)),
        "git" => reading.commit(text, diagnostics),
        "release" => {
            let address = reading.accept(&text, |text| text.parse().map(BundleAddress::Release), diagnostics);
            reading.bundle(&text, address, diagnostics)
        }
        _ => {
            let address = reading.accept(
                &text,
                |text| remote::bundle_address(text).map(BundleAddress::Url),
                diagnostics,
            );
            reading.bundle(&text, address, diagnostics)
        }
    }
}

struct Reading<'a> {
    document: &'a Document,
    reader: &'a TableReader<'a>,
}

impl Reading<'_> {
    fn bundle(
        &self,
        text: &Placed<String>,
        address: Option<BundleAddress>,
        diagnostics: &mut Diagnostics,
    ) -> Option<WrittenSource> {
        let help = match &address {
            Some(address) => format!("`cargo xtask fetch {address}` downloads it and prints the digest"),
            None => "add `sha256 = \"…\"`, the digest of the bundle".to_owned(),
        };
        let sha256 = self.pin("sha256", text, &help, diagnostics);
        let sha256 = sha256.and_then(|sha256| self.accept(&sha256, Sha256::from_str, diagnostics));
        let value = RemoteSource::Bundle { address: address?, sha256: sha256? };
        Some(WrittenSource::Remote(Placed { value, place: text.place.clone() }))
    }

    fn commit(&self, text: Placed<String>, diagnostics: &mut Diagnostics) -> Option<WrittenSource> {
        let repository = self.accept(&text, remote::repository_address, diagnostics);
        let shown = repository.as_ref().map_or("URL", url::Url::as_str);
        let help = format!(
            "add `rev = \"…\"`, the full id of a commit; `git ls-remote {shown}` prints those of branches and tags"
        );
        let commit = self.pin("rev", &text, &help, diagnostics);
        let commit = commit
            .and_then(|commit| self.accept(&commit, |text| remote::commit_id(text, shown), diagnostics));
        let written = self.reader.string("subfolder", diagnostics);
        let subfolder =
            written.as_ref().and_then(|written| self.accept(written, remote::subfolder, diagnostics));
        if subfolder.is_none() && written.is_some() {
            return None;
        }
        let value = RemoteSource::Commit { repository: repository?, commit: commit?, subfolder };
        Some(WrittenSource::Remote(Placed { value, place: text.place }))
    }

    /// A text without which nobody could say what the source must be.
    fn pin(
        &self,
        key: &str,
        source: &Placed<String>,
        help: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Placed<String>> {
        if !self.reader.has(key) {
            let message = format!("[[plugin]] has no `{key}`, so `{}` could be anything", source.value);
            diagnostics.push(self.diagnostic(codes::MISSING_KEY, &source.place, message).with_help(help));
        }
        self.reader.string(key, diagnostics)
    }

    fn accept<T>(
        &self,
        text: &Placed<String>,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
        diagnostics: &mut Diagnostics,
    ) -> Option<T> {
        match parse(&text.value) {
            Ok(value) => Some(value),
            Err(Invalid { message, help }) => {
                let diagnostic = self.diagnostic(codes::INVALID_SOURCE, &text.place, message);
                diagnostics.push(diagnostic.with_help(help));
                None
            }
        }
    }

    fn diagnostic(&self, code: Code, place: &Range<usize>, message: String) -> racetrack_bundle::Diagnostic {
        self.document.diagnostic(code, place.clone(), message)
    }
}
