//! What misleads cargo, and what does not.

use std::time::Duration;

use super::*;

/// A folder for artefacts, and one with the crate `core`.
struct Site(tempfile::TempDir);

type Trees = BTreeMap<String, SourceTree>;

const OLD: SystemTime = SystemTime::UNIX_EPOCH;

fn new() -> SystemTime {
    SystemTime::now() + Duration::from_hours(1)
}

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(site.path("core/src")).unwrap();
        site.write("core/src/lib.rs", "1", OLD);
        site.write("outside.txt", "1", OLD);
        site
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, content: &str, time: SystemTime) {
        fs::write(self.path(path), content).unwrap();
        let file = std::fs::File::options().write(true).open(self.path(path)).unwrap();
        file.set_modified(time).unwrap();
    }

    fn open(&self) -> CompiledSources {
        CompiledSources::open(&self.path("build"), "dev", "x", &Shell::new(true)).unwrap()
    }

    fn trees(&self) -> Trees {
        BTreeMap::from([("core".to_owned(), SourceTree::read(&self.path("core")).unwrap())])
    }

    /// A build; `meanwhile` is what happens while cargo runs.
    fn build(&self, meanwhile: impl FnOnce()) -> bool {
        let mut sources = self.open();
        let mut given = self.trees();
        sources.complete(&mut given).unwrap();
        sources.begin(&given).unwrap();
        meanwhile();
        let outside = BTreeMap::from([("core".to_owned(), BTreeSet::from([self.path("outside.txt")]))]);
        sources.finish(&given, self.trees(), &outside).unwrap().is_empty()
    }

    /// A build during which nothing happens. The clock of the files may not have moved since they were made, and then a build
    /// cannot tell.
    fn build_to_the_end(&self) {
        assert!((0..1000).any(|_| self.build(|| {})));
    }

    fn is_mistaken(&self) -> bool {
        let (sources, mut trees) = (self.open(), self.trees());
        sources.complete(&mut trees).unwrap();
        !sources.mistaken(&trees).is_empty()
    }
}

/// A site after a build that came to its end, with nothing that would mislead cargo.
fn built() -> Site {
    let site = Site::new();
    assert!(!site.is_mistaken(), "without artefacts there is nothing to be mistaken about");
    site.build_to_the_end();
    assert!(!site.is_mistaken());
    site
}

#[test]
fn changes_mislead_cargo_when_their_time_is_not_newer() {
    for path in ["core/src/lib.rs", "core/src/added.rs", "outside.txt"] {
        let site = built();
        site.write(path, "2", new());
        assert!(!site.is_mistaken(), "cargo sees the newer time of {path}");
        site.write(path, "2", OLD);
        assert!(site.is_mistaken(), "{path}");
        site.build_to_the_end();
        assert!(!site.is_mistaken(), "{path} was compiled");
    }
    for path in ["core/src/lib.rs", "outside.txt"] {
        let site = built();
        site.write(path, "1", new());
        assert!(!site.is_mistaken(), "{path} says the same");
        fs::remove_file(site.path(path)).unwrap();
        assert!(site.is_mistaken(), "{path} was removed");
    }
}

#[test]
fn whatever_was_touched_since_an_unfinished_build_is_suspect() {
    let site = built();
    let begin = || site.open().begin(&site.trees()).unwrap();
    site.write("core/src/lib.rs", "2", new());
    // The note of an unfinished build has the time of its beginning.
    let after = |time| {
        let note = std::fs::File::options().write(true).open(site.open().path).unwrap();
        note.set_modified(time).unwrap();
    };
    begin();
    after(new());
    assert!(!site.is_mistaken(), "nothing was touched since it began");
    after(OLD);
    assert!(site.is_mistaken(), "the same content may have been another one in between");
    site.build_to_the_end();
    after(OLD);
    assert!(!site.is_mistaken(), "it was compiled");
}

#[test]
fn an_unfinished_crate_is_suspect_after_builds_without_it() {
    let site = built();
    site.open().begin(&site.trees()).unwrap();
    let others = Trees::from([("other".to_owned(), SourceTree::default())]);
    let mut sources = site.open();
    sources.begin(&others).unwrap();
    assert!(sources.finish(&others, others.clone(), &BTreeMap::new()).unwrap().is_empty());
    assert!(site.is_mistaken(), "nobody knows any more when it was begun");
    site.build_to_the_end();
    assert!(!site.is_mistaken());
}

#[test]
fn what_happens_while_cargo_runs_disturbs_even_when_it_is_taken_back() {
    let site = built();
    assert!(!site.build(|| site.write("core/src/lib.rs", "2", new())));
    let site = built();
    assert!(!site.build(|| {
        site.write("core/src/lib.rs", "2", new());
        site.write("core/src/lib.rs", "1", SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    }));
    assert!(site.is_mistaken(), "cargo may have compiled what was there in between");
    let site = Site::new();
    assert!(!site.build(|| site.write("outside.txt", "2", OLD)), "a file that was not known to count");
}

#[test]
fn artefacts_that_are_older_than_the_note_are_of_unknown_sources() {
    let site = Site::new();
    fs::create_dir_all(site.path("build/release")).unwrap();
    assert!(!site.is_mistaken(), "another profile");
    for artefacts in ["build/debug", "build/x/debug"] {
        let site = Site::new();
        fs::create_dir_all(site.path(artefacts)).unwrap();
        assert!(site.is_mistaken(), "{artefacts}");
        site.build_to_the_end();
        assert!(!site.is_mistaken(), "{artefacts}");
        let others = BTreeMap::from([("other".to_owned(), SourceTree::default())]);
        assert_eq!(site.open().mistaken(&others).len(), 1, "a crate that no build has noted yet");
    }
    let site = built();
    fs::create_dir_all(site.path("build/debug")).unwrap();
    let others = BTreeMap::from([("other".to_owned(), SourceTree::default())]);
    assert!(site.open().mistaken(&others).is_empty(), "every artefact is noted");
}
