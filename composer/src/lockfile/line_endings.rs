//! Plugins whose files are the locked ones but for their line endings: what a checkout with `core.autocrlf` makes of them.

use racetrack_bundle::LineEnding;

use super::difference::{Difference, Subject};
use crate::plan::Loaded;

/// Why the digests of plugins are other ones, and what to do about it, where line endings are all that differs. One text for all plugins
/// of which the same is to be said.
pub(super) fn explanations(loaded: &Loaded, differences: &[Difference]) -> Vec<String> {
    let needed = |difference| needed_ending(loaded, difference);
    let told = [(LineEnding::Lf, "CRLF", "LF"), (LineEnding::CrLf, "LF", "CRLF")];
    let told = told.into_iter().filter_map(|(ending, here, locked)| {
        let is_meant = differences.iter().filter_map(needed).filter(|(_, found)| *found == ending);
        let subjects: Vec<_> = is_meant.map(|(subject, _)| subject.to_string()).collect();
        (!subjects.is_empty()).then(|| {
            format!(
                "the files of {} differ from the locked ones in line endings alone: their lines end with {here} here, and ended \
                 with {locked} there. Let git leave them as they were committed, by `* -text` in the `.gitattributes` of \
                 their repository or by `git config core.autocrlf false`, and check them out anew (a fresh clone does)",
                subjects.join(", ")
            )
        })
    });
    told.collect()
}

/// A plugin that would be the locked one with other line endings, and those.
fn needed_ending<'a>(loaded: &Loaded, difference: &'a Difference) -> Option<(&'a Subject, LineEnding)> {
    let Difference::Plugin { subject, change } = difference else {
        return None;
    };
    let mut plugins = loaded.plugins.iter().filter(|_| change.field == "digest");
    let plugin = plugins.find(|plugin| {
        let manifest = &plugin.source.manifest;
        manifest.name.as_str() == subject.name && manifest.version.as_str() == subject.version
    })?;
    Some((subject, plugin.source.line_ending_of(&change.expected)?))
}
