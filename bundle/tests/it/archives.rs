//! Bundles that some reader could understand differently, or that are no bundles at all.

use insta::assert_snapshot;
use racetrack_bundle::{LoadOptions, Origin, limits};
use sha2::{Digest, Sha256};

use crate::support::raw_zip::{Archive, Entry, archive, deflated_zeros, stored};
use crate::support::{CRATE, MANIFEST, PluginFolder, accepted_bundle, load, options, refused_bundle};

/// The files of a plugin without mistakes.
fn plugin() -> Vec<Entry> {
    vec![stored("Cargo.toml", CRATE), stored("plugin-manifest.yaml", MANIFEST), stored("src/lib.rs", "")]
}

/// What a bundle of one plugin and one more entry gives.
fn refused_entry(entry: Entry) -> String {
    refused_bundle(&archive(plugin().into_iter().chain([entry])).bytes())
}

/// What an entry of that name gives.
fn refused_name(name: &str) -> String {
    refused_entry(stored(name, "x"))
}

#[test]
fn parent_folder() {
    assert_snapshot!(refused_name("../evil"), @r"
    error[path-traversal]: the entry `../evil` has the component `..`
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn parent_folder_inside() {
    assert_snapshot!(refused_name("src/../../evil"), @r"
    error[path-traversal]: the entry `src/../../evil` has the component `..`
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn parent_folder_that_stays() {
    assert_snapshot!(refused_name("src/../lib.rs"), @r"
    error[path-traversal]: the entry `src/../lib.rs` has the component `..`
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn current_folder() {
    assert_snapshot!(refused_name("./evil"), @r"
    error[path-traversal]: the entry `./evil` has the component `.`
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn absolute_path() {
    assert_snapshot!(refused_name("/etc/evil"), @r"
    error[path-absolute]: the entry `/etc/evil` is absolute
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn network_path() {
    assert_snapshot!(refused_name("//host/evil"), @r"
    error[path-absolute]: the entry `//host/evil` is absolute
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn drive_letter() {
    assert_snapshot!(refused_name("C:/evil"), @r"
    error[path-drive-letter]: the entry `C:/evil` starts with a drive letter
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn drive_letter_without_root() {
    assert_snapshot!(refused_name("C:evil"), @r"
    error[path-drive-letter]: the entry `C:evil` starts with a drive letter
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn backslash() {
    assert_snapshot!(refused_name("src\\..\\evil"), @r"
    error[path-backslash]: the entry `src\\..\\evil` has a backslash
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn alternate_stream() {
    assert_snapshot!(refused_name("src/lib.rs:evil"), @r"
    error[path-colon]: the entry `src/lib.rs:evil` has a colon
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn control_character() {
    assert_snapshot!(refused_name("src/a\u{1b}[2Jb"), @r"
    error[path-control-character]: the entry `src/a\u{1b}[2Jb` has the control character U+001B
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn nul_character() {
    assert_snapshot!(refused_name("src/a\0.rs"), @r"
    error[path-control-character]: the entry `src/a\0.rs` has the control character U+0000
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn line_break() {
    assert_snapshot!(refused_name("src/a\nb"), @r"
    error[path-control-character]: the entry `src/a\nb` has the control character U+000A
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn device_name() {
    assert_snapshot!(refused_name("src/NUL.txt"), @r"
    error[path-device-name]: the entry `src/NUL.txt` has a component that is a device on some systems
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn trailing_dot() {
    assert_snapshot!(refused_name("src./evil"), @r"
    error[path-trailing-dot]: the entry `src./evil` has a component that ends with a dot or a space
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn trailing_space() {
    assert_snapshot!(refused_name("src/evil "), @r"
    error[path-trailing-dot]: the entry `src/evil ` has a component that ends with a dot or a space
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn empty_component() {
    assert_snapshot!(refused_name("src//evil"), @r"
    error[path-empty-component]: the entry `src//evil` has an empty component
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn path_too_long() {
    assert_snapshot!(refused_name(&"x".repeat(limits::PATH_BYTES + 1)), @r"
    error[path-too-long]: the entry `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` has 201 bytes, the limit is 200
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn path_too_deep() {
    assert_snapshot!(refused_name(&["d"; limits::PATH_DEPTH + 1].join("/")), @r"
    error[path-too-deep]: the entry `d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d` has 17 components, the limit is 16
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`
    ");
}

#[test]
fn name_in_an_old_code_page() {
    assert_snapshot!(refused_entry(Entry { name: b"caf\x82".to_vec(), ..stored("", "") }), @r"
    error[path-not-utf8]: the entry `caf�` has a name in an unknown encoding
    --> bundles/x.zip
     = help: make the bundle with `cargo xtask plugin bundle`, which writes UTF-8 names
    ");
}

#[test]
fn name_that_is_not_utf8() {
    assert_snapshot!(refused_entry(Entry { name: b"caf\x82".to_vec(), flags: 1 << 11, ..stored("", "") }), @r"
    error[path-not-utf8]: the entry `caf�` has a name that is not UTF-8
    --> bundles/x.zip
     = help: make the bundle with `cargo xtask plugin bundle`, which writes UTF-8 names
    ");
}

#[test]
fn second_name_for_some_readers() {
    let mut extra = vec![0x75, 0x70, 9, 0, 1, 0, 0, 0, 0];
    extra.extend(b"evil");
    let entry = Entry { extra, ..stored("good", "x") };
    assert_snapshot!(refused_entry(entry), @r"
    error[zip-alternate-name]: the entry `good` has a second name that some readers prefer
    --> bundles/x.zip
     = help: make the bundle with `cargo xtask plugin bundle`, which writes UTF-8 names
    ");
}

#[test]
fn symbolic_link() {
    assert_snapshot!(refused_entry(Entry { attributes: 0o120_777 << 16, ..stored("link", "/etc/passwd") }), @r"
    error[symlink]: the entry `link` is a symbolic link
    --> bundles/x.zip
     = help: pack the file that the link leads to
    ");
}

#[test]
fn symbolic_link_inside() {
    assert_snapshot!(refused_entry(Entry { attributes: 0o120_777 << 16, ..stored("src/link", "lib.rs") }), @r"
    error[symlink]: the entry `src/link` is a symbolic link
    --> bundles/x.zip
     = help: pack the file that the link leads to
    ");
}

#[test]
fn device() {
    assert_snapshot!(refused_entry(Entry { attributes: 0o020_644 << 16, ..stored("device", "") }), @r"
    error[special-file]: the entry `device` is neither a file nor a folder
    --> bundles/x.zip
     = help: leave it out of the bundle
    ");
}

#[test]
fn folder_that_is_named_like_a_file() {
    assert_snapshot!(refused_entry(Entry { attributes: 0o040_755 << 16, ..stored("folder", "") }), @r"
    error[special-file]: the entry `folder` is neither a file nor a folder
    --> bundles/x.zip
     = help: leave it out of the bundle
    ");
}

#[test]
fn duplicate_name() {
    assert_snapshot!(refused_entry(stored("src/lib.rs", "other")), @r"
    error[zip-duplicate-name]: the entry `src/lib.rs` has the name of an earlier one
    --> bundles/x.zip
     = help: remove one of the two entries
    ");
}

#[test]
fn names_that_differ_in_case() {
    assert_snapshot!(refused_entry(stored("SRC/LIB.RS", "other")), @r"
    error[case-collision]: `src` and `SRC` differ only in case
    --> bundles/x.zip
     = help: some file systems keep only one of the two: rename one
    ");
}

#[test]
fn names_that_differ_in_normalization() {
    assert_snapshot!(refused_bundle(&archive([stored("caf\u{e9}", ""), stored("cafe\u{301}", "")]).bytes()), @r"
    error[case-collision]: `caf\u{e9}` and `cafe\u{301}` are one name written in two forms of Unicode
    --> bundles/x.zip
     = help: some file systems keep only one of the two: rename one
    ");
}

#[test]
fn file_that_is_a_folder() {
    assert_snapshot!(refused_entry(stored("src", "x")), @r"
    error[file-is-folder]: `src` is a file and also the folder of another file
    --> bundles/x.zip
     = help: rename one of the two
    ");
}

#[test]
fn encrypted() {
    assert_snapshot!(refused_entry(Entry { flags: 1, ..stored("secret", "x") }), @r"
    error[zip-encrypted]: the entry `secret` is encrypted
    --> bundles/x.zip
     = help: make the bundle without a password
    ");
}

#[test]
fn unsupported_compression() {
    assert_snapshot!(refused_entry(Entry { method: 14, ..stored("lzma", "x") }), @r"
    error[zip-unsupported-compression]: the entry `lzma` is compressed with method 14
    --> bundles/x.zip
     = help: store or deflate the entries of a bundle
    ");
}

#[test]
fn two_names_for_one_entry() {
    let first = stored("a", "x");
    let second = Entry { stated_start: Some(0), ..stored("b", "x") };
    assert_snapshot!(refused_bundle(&archive([first, second]).bytes()), @r"
    error[zip-header-mismatch]: the entry `b` is described differently in its local and its central header
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn entries_that_share_data() {
    let inner = archive([stored("inner", "hidden")]).bytes();
    let local = inner[..30 + 5 + 6].to_vec();
    let outer = stored("outer", &local);
    let second = Entry { stated_start: Some(30 + 5), ..stored("inner", "hidden") };
    assert_snapshot!(refused_bundle(&archive([outer, second]).bytes()), @r"
    error[zip-overlap]: the entry `outer` shares bytes with another entry
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn entry_that_runs_into_the_directory() {
    assert_snapshot!(refused_bundle(&archive([Entry { packed: 9000, unpacked: 9000, ..stored("a", "x") }]).bytes()), @r"
    error[zip-overlap]: the entry `a` runs into the central directory
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn entry_that_is_not_there() {
    assert_snapshot!(refused_entry(Entry { stated_start: Some(7), ..stored("a", "x") }), @r"
    error[zip-malformed]: the entry `a` is not where the central directory says
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn local_header_with_another_name() {
    assert_snapshot!(refused_entry(Entry { local_name: Some(b"evil".to_vec()), ..stored("good", "x") }), @r"
    error[zip-header-mismatch]: the entry `good` is described differently in its local and its central header
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn bytes_between_entries() {
    assert_snapshot!(refused_bundle(&archive([Entry { after: b"hidden".to_vec(), ..stored("a", "x") }, stored("b", "")]).bytes()), @r"
    error[zip-hidden-bytes]: there are bytes that belong to no entry after the entry `a`
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn bytes_before_the_end_record() {
    assert_snapshot!(refused_bundle(&Archive { gap: b"hidden".to_vec(), ..archive(plugin()) }.bytes()), @r"
    error[zip-hidden-bytes]: there are bytes that belong to no entry before the end record
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn bytes_before_the_archive() {
    assert_snapshot!(refused_bundle(&Archive { before: b"#!/bin/sh\n".to_vec(), ..archive(plugin()) }.bytes()), @r"
    error[zip-leading-bytes]: there are bytes before the archive
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn bytes_before_the_archive_with_corrected_positions() {
    assert_snapshot!(refused_bundle(&Archive { before: b"#!/bin/sh\n".to_vec(), shift: 10, ..archive(plugin()) }.bytes()), @r"
    error[zip-leading-bytes]: there are bytes before the archive
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn bytes_after_the_archive() {
    assert_snapshot!(refused_bundle(&Archive { after: b"hidden".to_vec(), ..archive(plugin()) }.bytes()), @r"
    error[zip-trailing-bytes]: there are bytes after the end of the archive
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn second_archive_appended() {
    assert_snapshot!(refused_bundle(&[archive(plugin()).bytes(), archive([stored("evil", "")]).bytes()].concat()), @r"
    error[zip-second-archive]: the archive has two end records, and readers differ on which one counts
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn second_end_record() {
    let end = archive([]).bytes();
    assert_snapshot!(refused_bundle(&Archive { gap: end, ..archive(plugin()) }.bytes()), @r"
    error[zip-second-archive]: the archive has two end records, and readers differ on which one counts
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn second_end_record_in_the_comment() {
    let end = archive([]).bytes();
    assert_snapshot!(refused_bundle(&Archive { comment: end, ..archive(plugin()) }.bytes()), @r"
    error[zip-second-archive]: the archive has two end records, and readers differ on which one counts
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn truncated() {
    let bytes = archive(plugin()).bytes();
    assert_snapshot!(refused_bundle(&bytes[..bytes.len() - 30]), @r"
    error[zip-truncated]: the archive ends too early
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn truncated_comment() {
    let bytes = Archive { comment: b"comment".to_vec(), ..archive(plugin()) }.bytes();
    assert_snapshot!(refused_bundle(&bytes[..bytes.len() - 1]), @r"
    error[zip-truncated]: the archive ends too early
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn empty_file() {
    assert_snapshot!(refused_bundle(b""), @r"
    error[zip-not-a-zip]: the file is no ZIP archive
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn text_file() {
    assert_snapshot!(refused_bundle(b"name: my-plugin\n"), @r"
    error[zip-not-a-zip]: the file is no ZIP archive
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn broken_directory() {
    let mut bytes = archive([stored("a", "x")]).bytes();
    let directory = bytes.len() - 22 - 47;
    bytes[directory + 28] = 200;
    assert_snapshot!(refused_bundle(&bytes), @r"
    error[zip-malformed]: the central directory is broken
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn archive_in_several_files() {
    let mut bytes = archive(plugin()).bytes();
    let end = bytes.len() - 22;
    bytes[end + 4] = 1;
    assert_snapshot!(refused_bundle(&bytes), @r"
    error[zip-unsupported]: the archive is split over several files
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn wrong_checksum() {
    assert_snapshot!(refused_entry(Entry { checksum: 1, ..stored("a", "x") }), @r"
    error[zip-checksum]: the entry `a` does not have the stated checksum
    --> bundles/x.zip
     = help: make the bundle anew
    ");
}

#[test]
fn stated_size_too_small() {
    assert_snapshot!(refused_entry(Entry { unpacked: 10, ..deflated_zeros("a", 100_000) }), @r"
    error[zip-wrong-size]: the entry `a` is larger than stated
    --> bundles/x.zip
     = help: make the bundle anew
    ");
}

#[test]
fn stated_size_too_large() {
    let zeros = deflated_zeros("a", 30_000);
    assert_snapshot!(refused_entry(Entry { unpacked: 30_001, ..zeros }), @r"
    error[zip-wrong-size]: the entry `a` does not have the stated 30001 bytes
    --> bundles/x.zip
     = help: make the bundle anew
    ");
}

#[test]
fn stored_with_two_sizes() {
    assert_snapshot!(refused_entry(Entry { unpacked: 2, ..stored("a", "x") }), @r"
    error[zip-wrong-size]: the entry `a` is stored with two different sizes
    --> bundles/x.zip
     = help: make the bundle anew
    ");
}

#[test]
fn folder_with_content() {
    assert_snapshot!(refused_entry(Entry { attributes: 0, ..stored("folder/", "x") }), @r"
    error[zip-wrong-size]: the entry `folder/` is a folder with content
    --> bundles/x.zip
     = help: make the bundle anew
    ");
}

#[test]
fn broken_compression() {
    assert_snapshot!(refused_entry(Entry { method: 8, ..stored("a", "\u{7f}\u{7f}\u{7f}\u{7f}") }), @r"
    error[zip-malformed]: the entry `a` cannot be unpacked: corrupt deflate stream
    --> bundles/x.zip
     = help: make the bundle anew
    ");
}

#[test]
fn zip_bomb() {
    assert_snapshot!(refused_entry(deflated_zeros("zeros", 1 << 20)), @r"
    error[zip-ratio]: the entry `zeros` unpacks 1033 bytes to 1048576, the limit is 200 times
    --> bundles/x.zip
     = help: store the file uncompressed, or leave it out
    ");
}

#[test]
fn file_too_large() {
    assert_snapshot!(refused_entry(deflated_zeros("zeros", u32::try_from(limits::FILE_BYTES + 1).expect("small"))), @r"
    error[file-too-large]: the entry `zeros` has 8388609 bytes, the limit is 8 MiB
    --> bundles/x.zip
     = help: leave it out of the bundle
    ");
}

#[test]
fn zip_bomb_with_a_small_stated_size() {
    assert_snapshot!(refused_entry(Entry { unpacked: 1000, ..deflated_zeros("zeros", 1 << 24) }), @r"
    error[zip-wrong-size]: the entry `zeros` is larger than stated
    --> bundles/x.zip
     = help: make the bundle anew
    ");
}

#[test]
fn all_files_too_large() {
    // Padding keeps the ratio of each entry within the limit.
    let size = u32::try_from(limits::FILE_BYTES).expect("small");
    let zeros = deflated_zeros("zeros", size);
    let padding = vec![0; 60_000];
    let entries = (0..9).map(|number| Entry {
        name: format!("zeros{number}").into_bytes(),
        data: [zeros.data.clone(), padding.clone()].concat(),
        packed: zeros.packed + 60_000,
        ..zeros.clone()
    });
    assert_snapshot!(refused_bundle(&archive(entries).bytes()), @r"
    error[source-too-large]: all files together have more than 64 MiB
    --> bundles/x.zip
     = help: leave files out by a `.racetrackignore`
    ");
}

#[test]
fn too_many_entries() {
    let entries = (0..=limits::FILES).map(|number| stored(&format!("f{number}"), ""));
    assert_snapshot!(refused_bundle(&archive(entries).bytes()), @r"
    error[too-many-files]: the archive has 4097 entries, the limit is 4096
    --> bundles/x.zip
     = help: make the bundle anew with `cargo xtask plugin bundle`
    ");
}

#[test]
fn too_many_refusals() {
    let refused =
        refused_bundle(&archive((0..100).map(|number| stored(&format!("../{number}"), ""))).bytes());
    assert_eq!(refused.matches("error[path-traversal]").count(), limits::REFUSALS);
    assert_snapshot!(refused.split("\n\n").last().unwrap_or_default(), @r"
    error[too-many-refusals]: 32 entries are refused; the rest was not looked at
    --> bundles/x.zip
     = help: mend these first
    ");
}

#[test]
fn several_refusals_are_reported_together() {
    assert_snapshot!(refused_bundle(&archive([stored("../a", ""), stored("b\\c", ""), stored("D", ""), stored("d", "")]).bytes()), @r"
    error[path-traversal]: the entry `../a` has the component `..`
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`

    error[path-backslash]: the entry `b\\c` has a backslash
    --> bundles/x.zip
     = help: rename the file, or make the bundle with `cargo xtask plugin bundle`

    error[case-collision]: `D` and `d` differ only in case
    --> bundles/x.zip
     = help: some file systems keep only one of the two: rename one
    ");
}

#[test]
fn bundle_too_large() {
    assert_snapshot!(refused_bundle(&vec![0; usize::try_from(limits::ARCHIVE_BYTES).expect("fits") + 1]), @r"
    error[zip-too-large]: the bundle has more than 16 MiB
    --> bundles/x.zip
     = help: leave files out by a `.racetrackignore`, and bundle again
    ");
}

#[test]
fn missing_bundle() {
    let base = tempfile::tempdir().expect("a temporary folder");
    assert_snapshot!(load(Origin::Zip(base.path().join("absent.zip")), &options(base.path())).expect_err("missing"), @r"
    error[source-missing]: there is no such file
    --> absent.zip
     = help: check the path; in a declaration it is relative to the declaration's folder
    ");
}

#[test]
fn folder_declared_as_bundle() {
    let folder = PluginFolder::new();
    assert_snapshot!(load(Origin::Zip(folder.path()), &options(&folder.path())).expect_err("a folder"), @r"
    error[source-wrong-kind]: the plugin source is not a file
    --> .
     = help: a folder is declared with `path = …`, a bundle with `zip = …`
    ");
}

#[test]
fn mistakes_inside_are_shown_with_the_bundle() {
    let manifest = "name: my-plugin\nversoin: 1.2.3\n";
    let entries =
        [stored("Cargo.toml", CRATE), stored("plugin-manifest.yaml", manifest), stored("src/lib.rs", "")];
    assert_snapshot!(refused_bundle(&archive(entries).bytes()), @r"
    error[manifest-missing-key]: the required key `version` is missing
     --> bundles/x.zip!/plugin-manifest.yaml:1:1
      |
    1 | name: my-plugin
      | ^^^^
      |
      = help: write for example `version: 1.0.0`

    error[manifest-unknown-key]: unknown key `versoin`
     --> bundles/x.zip!/plugin-manifest.yaml:2:1
      |
    2 | versoin: 1.2.3
      | ^^^^^^^
      |
      = help: did you mean `version`?
    ");
}

#[test]
fn mistakes_in_a_common_folder_are_shown_with_it() {
    let entries = [
        stored("p-1/Cargo.toml", CRATE),
        stored("p-1/plugin-manifest.yaml", "version: 1.2.3"),
        stored("p-1/src/lib.rs", ""),
    ];
    assert_snapshot!(refused_bundle(&archive(entries).bytes()), @r"
    error[manifest-missing-key]: the required key `name` is missing
     --> bundles/x.zip!/p-1/plugin-manifest.yaml:1:1
      |
    1 | version: 1.2.3
      | ^^^^^^^
      |
      = help: write for example `name: my-plugin`
    ");
}

#[test]
fn python_plugin_of_upstream() {
    assert_snapshot!(refused_bundle(&archive([stored("plugin-manifest.yaml", MANIFEST), stored("plugin.py", "")]).bytes()), @r"
    error[upstream-plugin]: this is a Python plugin of upstream Racetrack: it has a `plugin.py` and no crate
    --> bundles/x.zip
     = help: port its hooks to Rust: `cargo xtask plugin new NAME` writes a crate to start from
    ");
}

#[test]
fn a_bundle_and_its_folder_have_one_digest() {
    let folder = PluginFolder::new().with("resources/žluť.txt", "x").load().expect("no mistakes");
    let bundle = racetrack_bundle::writer::pack(&folder.files).expect("packed");
    let sha256 = Sha256::digest(&bundle).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let bundle = accepted_bundle(&bundle);
    assert_eq!(bundle.digest, folder.digest);
    assert_eq!(bundle.files, folder.files);
    assert_eq!(bundle.manifest, folder.manifest);
    assert_eq!(folder.archive_digest, None);
    assert_eq!(bundle.archive_digest.expect("it is an archive"), sha256);
}

#[test]
fn folders_and_python_files_beside_the_crate_are_accepted() {
    let folders = [stored("src/", ""), stored("empty/", "")]
        .map(|entry| Entry { attributes: 0o040_755 << 16, ..entry });
    let python = [stored("plugin.py", "class Plugin: pass"), stored("requirements.txt", "")];
    let bundle = accepted_bundle(&archive(folders.into_iter().chain(plugin()).chain(python)).bytes());
    let paths: Vec<_> = bundle.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["Cargo.toml", "plugin-manifest.yaml", "plugin.py", "requirements.txt", "src/lib.rs"]);
}

#[test]
fn one_common_folder_is_left_out_of_the_paths() {
    let inside = plugin().into_iter().map(|entry| {
        let name = [b"my-plugin-1.2.3/".as_slice(), &entry.name].concat();
        Entry { name, ..entry }
    });
    let bundle = accepted_bundle(&archive(inside).bytes());
    assert_eq!(bundle.digest, accepted_bundle(&archive(plugin()).bytes()).digest);
}

#[test]
fn comments_descriptors_and_deflated_entries_are_accepted() {
    let zeros = deflated_zeros("zeros", 60_000);
    let descriptor = [b"PK\x07\x08".to_vec(), zeros.checksum.to_le_bytes().to_vec()];
    let sizes = [zeros.packed.to_le_bytes().to_vec(), zeros.unpacked.to_le_bytes().to_vec()];
    let after = descriptor.into_iter().chain(sizes).flatten().collect();
    let zeros = Entry { flags: 1 << 3, after, ..zeros };
    let comment = b"0123456789abcdef".to_vec();
    let bundle =
        accepted_bundle(&Archive { comment, ..archive(plugin().into_iter().chain([zeros])) }.bytes());
    assert!(bundle.files.iter().any(|file| file.path == "zeros" && file.content == vec![0; 60_000]));
}

#[test]
fn a_build_script_is_accepted_where_the_declaration_allows_it() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let path = base.path().join("x.zip");
    let bytes = archive(plugin().into_iter().chain([stored("build.rs", "fn main() {}")])).bytes();
    fs_err::write(&path, bytes).expect("written");
    let allowed = LoadOptions { allow_build_script: true, ..options(base.path()) };
    assert!(load(Origin::Zip(path.clone()), &allowed).is_ok());
    assert!(load(Origin::Zip(path), &options(base.path())).is_err());
}
