//! What no build needs any more in `.racetrack/`. Finding it changes nothing, and links are not followed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use crate::checkout::Checkout;
use crate::declaration::Declaration;
use crate::files::remove_any;
use crate::remote::RemoteSource;
use crate::sources::store_use::{LOCK, STAMPS, last_used, stamp_of, unless_gone};
use crate::verification::SecondCheckout;
use crate::workspace::output::stale_workspaces;

/// Folders of the store whose entries are one level deeper.
const NESTED: [&str; 2] = ["downloads", "git"];

/// For how many days the store keeps what nobody uses, where nobody says otherwise.
pub const KEPT_DAYS: u32 = 14;

const DAY: Duration = Duration::from_hours(24);

/// What was begun is left alone for so long, because whoever began it may still be at it.
const GRACE: Duration = Duration::from_hours(1);

/// What counts as garbage.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Entries of the store that nobody has used for so long.
    OlderThan(Duration),
    /// Whatever can be made again without the network, also what cargo has compiled; and of what cannot, entries that nobody
    /// has used for [`KEPT_DAYS`].
    All,
}

/// Something that can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garbage {
    /// A file, link or folder.
    pub path: PathBuf,
    /// Why nobody needs it.
    pub reason: String,
    /// Its size with everything in it, in bytes.
    pub bytes: u64,
}

impl Rule {
    /// Entries of the store that nobody has used for so many days.
    pub const fn unused_for(days: u32) -> Self {
        Self::OlderThan(DAY.saturating_mul(days))
    }

    /// For how long an entry must be unused, where its age counts.
    const fn limit(self) -> Duration {
        match self {
            Self::OlderThan(limit) => limit,
            Self::All => DAY.saturating_mul(KEPT_DAYS),
        }
    }
}

/// Everything that can go, sorted by path: in the store of the checkout, and among the workspaces of the declaration.
pub fn find(declaration: &Declaration, checkout: &Checkout, rule: Rule) -> Result<Vec<Garbage>> {
    let (store, state) = (checkout.store(), declaration.state());
    let mut found = Vec::new();
    in_store(&store, &needed(declaration)?, rule, &mut found)?;
    in_state(&state, declaration, rule, &mut found)?;
    if matches!(rule, Rule::All) {
        found.extend(one(checkout.build_dir(), "compiled crates")?);
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(found)
}

/// Refuses to work in `.racetrack/` where that is a link to somewhere else.
pub fn refuse_links(declaration: &Declaration, checkout: &Checkout) -> Result<()> {
    for folder in [checkout.root.join(".racetrack"), declaration.state(), checkout.store()] {
        if fs::symlink_metadata(&folder).is_ok_and(|found| found.is_symlink()) {
            bail!("{} is a link, and nothing outside of it is touched", checkout.display(&folder));
        }
    }
    Ok(())
}

/// Removes a file, a link or a folder with everything in it; an entry of the store with its stamp.
pub fn remove(garbage: &Garbage, store: &Path) -> Result<()> {
    remove_any(&garbage.path)?;
    let stamp = garbage.path.strip_prefix(store).ok().and_then(Path::to_str);
    if let Some(stamp) = stamp.map(|entry| stamp_of(store, entry)).filter(|stamp| stamp.exists()) {
        fs::remove_file(stamp)?;
    }
    Ok(())
}

/// The size of a file, or of a folder with everything in it, in bytes; 0 of what is not there. Builds may come and go
/// meanwhile.
pub fn size(path: &Path) -> Result<u64> {
    let Some(metadata) = unless_gone(fs::symlink_metadata(path))? else {
        return Ok(0);
    };
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    names(path)?.iter().map(|name| size(&path.join(name))).sum()
}

fn in_store(store: &Path, needed: &BTreeSet<String>, rule: Rule, found: &mut Vec<Garbage>) -> Result<()> {
    let mut entries = Vec::new();
    for name in names(store)? {
        if NESTED.contains(&name.as_str()) {
            entries.extend(names(&store.join(&name))?.into_iter().map(|inner| format!("{name}/{inner}")));
        } else if name != LOCK && name != STAMPS {
            entries.push(name);
        }
    }
    for entry in entries {
        let is_leftover = entry.rsplit('/').next().is_some_and(|name| name.starts_with('.'));
        let Some(used) = last_used(store, &entry)? else {
            continue;
        };
        let age = SystemTime::now().duration_since(used).unwrap_or_default();
        let reason = match rule {
            _ if is_leftover && age >= GRACE => "left by a build that was interrupted".to_owned(),
            _ if is_leftover || needed.contains(&entry) => continue,
            // What is nested was fetched: without the network it could not be fetched again, so its age counts all the same.
            Rule::All if !entry.contains('/') => "in no workspace of this declaration".to_owned(),
            _ if age < rule.limit() => continue,
            _ => format!("not used for {} days", age.as_secs() / DAY.as_secs()),
        };
        found.extend(one(store.join(entry), &reason)?);
    }
    let known = |stamp: &String| store.join(stamp.replace('~', "/")).exists();
    for stamp in names(&store.join(STAMPS))?.into_iter().filter(|stamp| !known(stamp)) {
        found.extend(one(store.join(STAMPS).join(stamp), "the stamp of nothing")?);
    }
    Ok(())
}

fn in_state(state: &Path, declaration: &Declaration, rule: Rule, found: &mut Vec<Garbage>) -> Result<()> {
    let components: Vec<_> = declaration.component_names().collect();
    for name in stale_workspaces(state, &components)? {
        found.extend(one(state.join(name), "the workspace of a component that is no longer declared")?);
    }
    let target = state.join("target");
    for name in names(&target)? {
        if !components.contains(&name.as_str()) {
            found.extend(one(target.join(name), "artefacts of a component that is no longer declared")?);
        } else if matches!(rule, Rule::All) {
            found.extend(one(target.join(name), "finished artefacts")?);
        }
    }
    found.extend(one(SecondCheckout::folder_of(declaration), "left by a verification")?);
    Ok(())
}

/// The entries of the store that the declaration names, and those that its generated workspaces lead to. Systems without
/// links have copies, under the same names.
fn needed(declaration: &Declaration) -> Result<BTreeSet<String>> {
    let folders = declaration.component_names().map(|name| declaration.state().join(name).join("plugins"));
    let remote = declaration.plugins.iter().filter_map(|plugin| plugin.remote.as_ref());
    let mut needed: BTreeSet<_> = remote.flat_map(RemoteSource::store_entries).collect();
    for folder in folders {
        needed.extend(names(&folder)?);
    }
    Ok(needed)
}

/// What there is at that path; nothing if there is nothing.
fn one(path: PathBuf, reason: &str) -> Result<Option<Garbage>> {
    if fs::symlink_metadata(&path).is_err() {
        return Ok(None);
    }
    let bytes = size(&path)?;
    Ok(Some(Garbage { path, reason: reason.to_owned(), bytes }))
}

/// The names in a folder; none where there is no folder, or a link to one.
fn names(folder: &Path) -> Result<Vec<String>> {
    if !fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir()) {
        return Ok(Vec::new());
    }
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry?.file_name().into_string();
        name.ok().with_context(|| format!("{} holds a name that is no text", folder.display()))
    };
    let entries = unless_gone(fs::read_dir(folder))?;
    entries.into_iter().flatten().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_has_no_size_and_no_names() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert_eq!(size(&gone).unwrap(), 0);
        assert!(names(&gone).unwrap().is_empty());
        fs::create_dir(&gone).unwrap();
        fs::write(gone.join("file"), "12345").unwrap();
        assert_eq!(size(folder.path()).unwrap(), 5);
        assert_eq!(names(&gone).unwrap(), ["file"]);
        // A link that leads nowhere is there itself.
        #[cfg(unix)]
        {
            fs::os::unix::fs::symlink("nowhere", gone.join("link")).unwrap();
            assert_eq!(size(&gone.join("link")).unwrap(), 7);
        }
    }
}
