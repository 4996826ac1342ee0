//! Checkouts whose line endings git converts.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;

use crate::git_sources::git;
use crate::sandbox::Sandbox;

/// A repository of its own in the folder `name` of the sandbox, with plugin `two`, a binary and a file that has both line endings.
fn repository(sandbox: &Sandbox, name: &str, attributes: Option<&str>) {
    for file in ["Cargo.toml", "plugin-manifest.yaml", "src/lib.rs"] {
        sandbox.write(&format!("{name}/{file}"), sandbox.read(&format!("plugins/two/{file}")));
    }
    sandbox.write(&format!("{name}/binary"), b"\0\r\n\n\r");
    sandbox.write(&format!("{name}/mixed"), "a\r\nb\n");
    if let Some(attributes) = attributes {
        sandbox.write(&format!("{name}/.gitattributes"), attributes);
    }
    let folder = sandbox.path(name);
    git(&folder, &["init", "--quiet"]);
    git(&folder, &["-c", "core.safecrlf=false", "add", "--all"]);
    git(&folder, &["commit", "--quiet", "--message", "Begin"]);
}

/// A clone as `git config --global core.autocrlf true` makes it.
fn clone_with_crlf(sandbox: &Sandbox, from: &str, into: &str) {
    git(&sandbox.folder, &["-c", "core.autocrlf=true", "clone", "--quiet", from, into]);
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = ["Cargo.toml", "plugin-manifest.yaml", "src/lib.rs", "binary", "mixed"];
    files.map(|file| (file.to_owned(), fs::read(folder.join(file)).expect("the file is there"))).into()
}

#[test]
fn a_checkout_of_this_repository_has_the_bytes_that_were_committed() {
    let attributes = concat!(env!("CARGO_MANIFEST_DIR"), "/../.gitattributes");
    let attributes = fs::read_to_string(attributes).expect("the checkout has attributes");
    for (attributes, is_kept) in [(Some(attributes.as_str()), true), (None, false)] {
        let sandbox = Sandbox::new();
        repository(&sandbox, "origin", attributes);
        clone_with_crlf(&sandbox, "origin", "plugins/clone");
        let (origin, clone) = (contents(&sandbox.path("origin")), contents(&sandbox.path("plugins/clone")));
        assert_eq!(origin == clone, is_kept, "with the attributes {attributes:?}");
    }
}

#[test]
fn a_new_plugin_keeps_its_bytes_in_every_checkout() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run_undeclared(&["plugin", "new", "fresh", "--dir", "fresh"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let attributes = sandbox.read("fresh/.gitattributes");
    repository(&sandbox, "origin", Some(&attributes));
    clone_with_crlf(&sandbox, "origin", "clone");
    assert_eq!(contents(&sandbox.path("origin")), contents(&sandbox.path("clone")));
}

/// A declaration that was locked with an honest checkout of plugin `two`, which is replaced by one with CRLF.
fn converted() -> Sandbox {
    let sandbox = Sandbox::new();
    repository(&sandbox, "origin", None);
    fs::remove_dir_all(sandbox.path("plugins/two")).expect("it is there");
    git(&sandbox.folder, &["clone", "--quiet", "origin", "plugins/two"]);
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    fs::remove_dir_all(sandbox.path("plugins/two")).expect("it is there");
    clone_with_crlf(&sandbox, "origin", "plugins/two");
    sandbox
}

fn without_digests(text: &str) -> String {
    let is_digest = |word: &&str| word.len() >= 12 && word.chars().all(|c| c.is_ascii_hexdigit());
    let digests: Vec<_> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_digest).collect();
    digests.iter().fold(text.to_owned(), |text, digest| text.replace(digest, "DIGEST"))
}

#[test]
fn a_lock_says_that_line_endings_are_all_that_differs() {
    let sandbox = converted();
    let stderr = sandbox.run(&["build", "--locked"]).stderr;
    insta::assert_snapshot!(without_digests(&stderr));
}

#[test]
fn every_comparison_with_the_lock_explains_line_endings() {
    let sandbox = converted();
    let explanation = "the files of plugin `two` 2.1.0 differ from the locked ones in line endings alone";
    for (arguments, kind) in [(&["check"][..], "note"), (&["build"], "note"), (&["lock"], "warning")] {
        let stderr = sandbox.run_with(arguments, &[("CARGO", "false")]).stderr;
        assert_eq!(stderr.matches(&format!("{kind}: {explanation}")).count(), 1, "{arguments:?}: {stderr}");
    }
    let stderr = sandbox.run(&["check"]).stderr;
    assert!(!stderr.contains("line endings"), "they are accepted now: {stderr}");
}

#[test]
fn other_edits_are_not_put_down_to_line_endings() {
    let sandbox = converted();
    sandbox.edit("plugins/two/src/lib.rs", "//!", "//! Now");
    let stderr = sandbox.run(&["build", "--locked"]).stderr;
    assert!(stderr.contains("lock-mismatch") && !stderr.contains("line endings"), "{stderr}");
}
