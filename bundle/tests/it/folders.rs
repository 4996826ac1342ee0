//! Folders: what belongs to a plugin, and what no bundle can hold.

use insta::assert_snapshot;
use racetrack_bundle::{Edits, Origin, PluginSource, Style, limits, render};

use crate::support::{PluginFolder, load, options};

#[test]
fn missing_folder() {
    let base = tempfile::tempdir().expect("a temporary folder");
    assert_snapshot!(load(Origin::Folder(base.path().join("absent")), &options(base.path())).expect_err("missing"), @r"
    error[source-missing]: there is no such folder
    --> absent
     = help: check the path; in a declaration it is relative to the declaration's folder
    ");
}

#[test]
fn file_declared_as_folder() {
    let folder = PluginFolder::new();
    assert_snapshot!(load(Origin::Folder(folder.path().join("Cargo.toml")), &options(&folder.path())).expect_err("a file"), @r"
    error[source-wrong-kind]: the plugin source is not a folder
    --> Cargo.toml
     = help: a folder is declared with `path = …`, a bundle with `zip = …`
    ");
}

#[test]
fn bad_ignore_pattern() {
    assert_snapshot!(PluginFolder::new().with(".racetrackignore", "*.log\n{res\n").refused(), @r"
    error[ignore-pattern]: the line is no ignore pattern: error parsing glob '{res': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
     --> plugin/.racetrackignore:2:1
      |
    2 | {res
      | ^^^^
      |
      = help: write a pattern as in a `.gitignore`
    ");
}

#[test]
fn bad_file_names() {
    assert_snapshot!(PluginFolder::new().with("src/a:b", "").with("src/nul.txt", "").with("src/end.", "").refused(), @r"
    error[path-colon]: the path `src/a:b` has a colon
    --> plugin
     = help: rename it, or leave it out by a `.racetrackignore`

    error[path-trailing-dot]: the path `src/end.` has a component that ends with a dot or a space
    --> plugin
     = help: rename it, or leave it out by a `.racetrackignore`

    error[path-device-name]: the path `src/nul.txt` has a component that is a device on some systems
    --> plugin
     = help: rename it, or leave it out by a `.racetrackignore`
    ");
}

#[test]
fn names_that_differ_in_case() {
    assert_snapshot!(PluginFolder::new().with("src/LIB.rs", "").refused(), @r"
    error[case-collision]: `src/LIB.rs` and `src/lib.rs` differ only in case
    --> plugin
     = help: some file systems keep only one of the two: rename one
    ");
}

#[test]
fn file_too_large() {
    assert_snapshot!(PluginFolder::new().with("big", vec![0; usize::try_from(limits::FILE_BYTES).expect("fits") + 1]).refused(), @r"
    error[file-too-large]: the file has more than 8 MiB
    --> plugin/big
     = help: leave it out by a `.racetrackignore`
    ");
}

#[cfg(unix)]
mod unix {
    use super::*;

    #[test]
    fn symbolic_links() {
        let folder = PluginFolder::new();
        fs_err::os::unix::fs::symlink("/etc/passwd", folder.path().join("outside")).expect("linked");
        fs_err::os::unix::fs::symlink("lib.rs", folder.path().join("src/inside.rs")).expect("linked");
        assert_snapshot!(folder.refused(), @r"
        error[symlink]: `outside` is a symbolic link
        --> plugin
         = help: put the file itself there, or leave the link out by a `.racetrackignore`

        error[symlink]: `src/inside.rs` is a symbolic link
        --> plugin
         = help: put the file itself there, or leave the link out by a `.racetrackignore`
        ");
    }

    #[test]
    fn an_ignored_link_is_no_mistake() {
        let folder = PluginFolder::new().with(".racetrackignore", "outside\n");
        fs_err::os::unix::fs::symlink("/etc/passwd", folder.path().join("outside")).expect("linked");
        assert!(folder.load().is_ok());
    }

    #[test]
    fn a_socket() {
        let folder = PluginFolder::new();
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("s")).expect("bound");
        assert_snapshot!(folder.refused(), @r"
        error[special-file]: `s` is neither a file nor a folder
        --> plugin
         = help: leave it out by a `.racetrackignore`
        ");
    }

    #[test]
    fn an_ignore_file_that_is_a_link() {
        let folder = PluginFolder::new();
        fs_err::os::unix::fs::symlink("/dev/zero", folder.path().join(".racetrackignore")).expect("linked");
        assert_snapshot!(folder.refused(), @r"
        error[source-unreadable]: the file is no regular file of at most 65536 bytes
        --> plugin/.racetrackignore
         = help: write the rules into a plain file
        ");
    }

    #[test]
    fn an_ignore_file_that_cannot_be_read() {
        let folder = PluginFolder::new();
        fs_err::create_dir(folder.path().join(".racetrackignore")).expect("created");
        assert_snapshot!(folder.refused(), @r"
        error[source-unreadable]: the file cannot be read: is a directory
        --> plugin/.racetrackignore
         = help: check its permissions
        ");
    }
}

#[test]
fn ignored_files_do_not_change_the_digest() {
    let folder = PluginFolder::new().with(".racetrackignore", "*.log\n!keep.log\n");
    let digest = folder.load().expect("no mistakes").digest;
    let folder = folder
        .with(".git/HEAD", "x")
        .with("target/debug/x", "x")
        .with("old.zip", "x")
        .with("Cargo.lock", "x")
        .with("deep/x.log", "x")
        .with(".gitignore", "resources/");
    assert_eq!(folder.load().expect("no mistakes").digest, digest);
    let folder = folder.with("resources/x", "x").with("keep.log", "x");
    let source = folder.load().expect("no mistakes");
    assert_ne!(source.digest, digest);
    let paths: Vec<_> = source.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["Cargo.toml", "keep.log", "plugin-manifest.yaml", "resources/x", "src/lib.rs"]);
}

#[test]
fn a_source_is_unpacked_into_its_own_folder() {
    let source = PluginFolder::new().load().expect("no mistakes");
    let store = tempfile::tempdir().expect("a temporary folder");
    let target = source.unpack_into(store.path()).expect("unpacked");
    assert_eq!(target, store.path().join(source.store_name()));
    let again = load(Origin::Folder(target), &options(store.path())).expect("no mistakes");
    assert_eq!(again.digest, source.digest);
}

#[test]
fn version_and_build_date_are_set_in_both_files() {
    let folder = PluginFolder::new();
    let source =
        PluginSource::load_undeclared(Origin::Folder(folder.path()), &folder.path()).expect("no mistakes");
    let edits = Edits {
        version: Some("2.0.0-rc1".parse().expect("valid")),
        build_date: Some("2026-11-22T000000Z".to_owned()),
    };
    let edited = source.clone().edited(&edits, &folder.path()).expect("no mistakes");
    assert_eq!(edited.manifest.version.as_str(), "2.0.0-rc1");
    assert_eq!(edited.manifest.build_date.as_deref(), Some("2026-11-22T000000Z"));
    assert_ne!(edited.digest, source.digest);
    let untouched = source.clone().edited(&Edits::default(), &folder.path()).expect("no mistakes");
    assert_eq!(untouched.files, source.files);
}

#[test]
fn a_version_that_cargo_refuses_cannot_be_set() {
    let folder = PluginFolder::new();
    let source =
        PluginSource::load_undeclared(Origin::Folder(folder.path()), &folder.path()).expect("no mistakes");
    let edits = Edits { version: Some("2.0.0alpha".parse().expect("valid")), build_date: None };
    let refused = source.edited(&edits, &folder.path()).expect_err("no version of cargo's form");
    assert_snapshot!(render(&refused, Style::Plain), @r#"
    error[crate-bad-version]: `2.0.0alpha` is no version of cargo's form: unexpected character 'a' after patch version number
     --> Cargo.toml:3:11
      |
    3 | version = "2.0.0alpha"
      |           ^^^^^^^^^^^^
      |
      = help: write `X.Y.Z` or `X.Y.Z-label`, here and in plugin-manifest.yaml
    "#);
}

#[test]
fn a_manifest_that_cannot_be_edited() {
    let folder = PluginFolder::new().with("plugin-manifest.yaml", "{name: my-plugin, version: 1.2.3}\n");
    let source =
        PluginSource::load_undeclared(Origin::Folder(folder.path()), &folder.path()).expect("no mistakes");
    let edits = Edits { version: None, build_date: Some("2026-11-22T000000Z".to_owned()) };
    let refused = source.edited(&edits, &folder.path()).expect_err("no place for a line");
    assert_snapshot!(render(&refused, Style::Plain), @r"
    error[manifest-not-editable]: the manifest is written in a way that cannot be edited
    --> plugin-manifest.yaml
     = help: write one `key: value` per line, without anchors
    ");
}
