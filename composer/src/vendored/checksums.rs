//! The digests of all files of a folder, in the form that `sha256sum --check` reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use indicatif::ProgressBar;

use crate::remote::Sha256;
use crate::vendor_folder::{CHECKSUMS, CRATES};

/// How many differences are listed, at most.
const LISTED: usize = 20;

/// The SHA-256 of files, hexadecimal, by their path with `/` between its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksums(BTreeMap<String, String>);

/// How files differ from what they should be. Shown one to a line; of a crate that is missing as a whole only its
/// folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Differences(BTreeSet<(&'static str, String)>);

impl Checksums {
    /// Those of all files below `folder`, except the file of the checksums themselves.
    pub(crate) fn of(folder: &Path, start: impl FnOnce(usize) -> ProgressBar) -> Result<Self> {
        let mut names = Vec::new();
        list(folder, "", &mut names)?;
        names.retain(|name| name != CHECKSUMS);
        let progress = start(names.len());
        let digests = digests(folder, &names, &progress);
        progress.finish_and_clear();
        digests.map(Self)
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(|line| {
            let (digest, name) = line.split_once("  ").with_context(|| format!("`{line}` is no checksum"))?;
            Ok((name.to_owned(), digest.to_owned()))
        });
        lines.collect::<Result<_>>().map(Self)
    }

    /// How `found` differs from these, if it does.
    pub(crate) fn differences(&self, found: &Self) -> Option<Differences> {
        let missing = self.0.keys().filter(|name| !found.0.contains_key(*name));
        let missing = missing.map(|name| ("missing", found.whole(name)));
        let unexpected = found.0.keys().filter(|name| !self.0.contains_key(*name));
        let unexpected = unexpected.map(|name| ("unexpected", self.whole(name)));
        let is_other = |(name, digest): &(&String, &String)| {
            self.0.get(*name).is_some_and(|expected| expected != *digest)
        };
        let changed = found.0.iter().filter(is_other).map(|(name, _)| ("changed", name.clone()));
        let all: BTreeSet<_> = missing.chain(unexpected).chain(changed).collect();
        (!all.is_empty()).then_some(Differences(all))
    }

    /// The folder of a crate, if these have no file of it, for a file of that crate; else the file.
    fn whole(&self, name: &str) -> String {
        let crate_name = name.strip_prefix(CRATES).and_then(|rest| rest.strip_prefix('/')?.split('/').next());
        let Some(crate_name) = crate_name else {
            return name.to_owned();
        };
        let folder = format!("{CRATES}/{crate_name}/");
        let next = self.0.range(folder.clone()..).next();
        if next.is_some_and(|(next, _)| next.starts_with(&folder)) { name.to_owned() } else { folder }
    }
}

/// One line per file, sorted by path.
impl fmt::Display for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, digest)| writeln!(f, "{digest}  {name}"))
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (kind, name)) in self.0.iter().take(LISTED).enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}  {kind}: {name}")?;
        }
        match self.0.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// Adds the files below a folder; `prefix` is its path with a `/` at its end.
fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        // What `sha256sum` would have to escape is not worth a format of our own: no crate has such names.
        let plain = name.to_str().filter(|name| !name.contains(|c: char| c.is_control() || c == '\\'));
        let Some(name) = plain else {
            bail!("the name of {} is no plain text", path.display());
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&path, &format!("{prefix}{name}/"), names)?;
        } else if kind.is_file() {
            names.push(format!("{prefix}{name}"));
        } else {
            bail!("{} is neither a file nor a folder", path.display());
        }
    }
    Ok(())
}

/// Reads and digests files on all processors.
fn digests(folder: &Path, names: &[String], progress: &ProgressBar) -> Result<BTreeMap<String, String>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(String, String)>> {
        let mut done = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((name.clone(), Sha256::of(&fs::read(folder.join(name))?).to_string()));
            progress.inc(1);
        }
        Ok(done)
    };
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut digests = BTreeMap::new();
        for worker in workers {
            digests.extend(worker.join().expect("digesting does not panic")?);
        }
        Ok(digests)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn checksums(files: &[(&str, &str)]) -> Checksums {
        Checksums::of(folder(files).path(), |_| ProgressBar::hidden()).unwrap()
    }

    #[test]
    fn the_text_is_that_of_sha256sum() {
        let found = checksums(&[("b", "abc"), ("a/c", ""), (CHECKSUMS, "itself")]);
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a/c\n\
                    ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n";
        assert_eq!(found.to_string(), text);
        assert_eq!(Checksums::parse(text).unwrap(), found);
        assert!(Checksums::parse("nothing").is_err());
    }

    #[test]
    fn differences_name_files_and_whole_crates() {
        let expected = checksums(&[
            ("crates/gone-1.0.0/a", ""),
            ("crates/gone-1.0.0/b", ""),
            ("crates/kept-1.0.0/a", ""),
            ("crates/kept-1.0.0/b", ""),
            ("vendor.toml", "1"),
        ]);
        let found = checksums(&[
            ("crates/kept-1.0.0/a", ""),
            ("crates/more-1.0.0/a", ""),
            ("plugins/x.zip", ""),
            ("vendor.toml", "2"),
        ]);
        assert_eq!(expected.differences(&expected), None);
        insta::assert_snapshot!(expected.differences(&found).unwrap(), @r"
          changed: vendor.toml
          missing: crates/gone-1.0.0/
          missing: crates/kept-1.0.0/b
          unexpected: crates/more-1.0.0/
          unexpected: plugins/x.zip
        ");
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<_> = (0..LISTED + 3).map(|number| format!("{number:02}")).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        let text = checksums(&files).differences(&checksums(&[])).unwrap().to_string();
        assert_eq!(text.lines().count(), LISTED + 1);
        assert!(text.starts_with("  missing: 00\n") && text.ends_with("\n  and 3 more"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        let root = folder(&[("a", "")]);
        std::os::unix::fs::symlink("a", root.path().join("b")).unwrap();
        let error = Checksums::of(root.path(), |_| ProgressBar::hidden()).unwrap_err();
        assert!(error.to_string().ends_with("/b is neither a file nor a folder"), "{error}");
    }
}
