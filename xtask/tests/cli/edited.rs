//! `add` and `remove`.

use std::path::Path;

use fs_err as fs;

use crate::archives::bundle;
use crate::sandbox::Sandbox;

/// What a command says, which fails otherwise.
fn said(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let outcome = sandbox.run(arguments);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{arguments:?}: {}", outcome.stderr);
    outcome.stderr
}

/// What a command says that leaves the declaration as it was.
fn refused(sandbox: &Sandbox, arguments: &[&str], code: i32) -> String {
    let before = fs::read(sandbox.path("racetrack.toml")).expect("there is a declaration");
    let outcome = sandbox.run(arguments);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{arguments:?}: {}", outcome.stderr);
    assert_eq!(fs::read(sandbox.path("racetrack.toml")).expect("there is a declaration"), before);
    outcome.stderr
}

#[test]
fn add_then_remove_gives_back_the_bytes_of_every_format() {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats");
    let formats: Vec<_> = fs::read_dir(formats).expect("there are fixtures").collect();
    assert!(formats.len() >= 10);
    for format in formats {
        let path = format.expect("readable").path();
        let bytes = fs::read(&path).expect("readable");
        let sandbox = Sandbox::new();
        sandbox.write("racetrack.toml", &bytes);
        let has_one = sandbox.run(&["plan"]).stdout.contains("one 1.0.0");
        let after: &[&str] = if has_one { &["--after", "one"] } else { &[] };
        said(&sandbox, &[&["add", "plugins/one-next", "--component", "beta"], after].concat());
        assert_ne!(fs::read(sandbox.path("racetrack.toml")).expect("readable"), bytes, "{}", path.display());
        said(&sandbox, &["remove", "one==1.1.0"]);
        assert_eq!(fs::read(sandbox.path("racetrack.toml")).expect("readable"), bytes, "{}", path.display());
    }
}

#[test]
fn a_folder_is_added_where_it_is_wanted() {
    let sandbox = Sandbox::with("ordered");
    let before = sandbox.read("racetrack.toml");
    let said = said(
        &sandbox,
        &["add", "plugins/harbor-old", "--after", "two", "--component", "alpha", "--component", "beta"],
    );
    insta::assert_snapshot!(said, @r"
      Adding `harbor` 1.0.0 (plugins/harbor-old) at racetrack.toml:18
    Ordering `alpha`: 2 of 6, after `three` 0.3.0, before `four` 0.4.0
    Ordering `beta`: 2 of 7, after `three` 0.3.0, before `four` 0.4.0
    ");
    let former = "path = \"plugins/two\"\nafter = [\"three\"]\n";
    let table = "\n[[plugin]]\npath = \"plugins/harbor-old\"\ncomponents = [\"alpha\", \"beta\"]\n";
    assert_eq!(sandbox.read("racetrack.toml"), before.replace(former, &format!("{former}{table}")));
}

#[test]
fn a_bundle_is_added_behind_all_others() {
    let sandbox = Sandbox::new();
    sandbox.write("bundles/one.zip", bundle(&sandbox, &[]));
    let declaration = sandbox.read("racetrack.toml").replace("[[plugin]]\npath = \"plugins/one\"\n\n", "");
    sandbox.write("racetrack.toml", &declaration);
    insta::assert_snapshot!(said(&sandbox, &["add", "bundles/one.zip"]), @r"
      Adding `one` 1.0.0 (bundles/one.zip) at racetrack.toml:27
    Ordering `alpha`: 3 of 4, after `harbor` 1.0.0, before `two` 2.1.0
    Ordering `beta`: 4 of 4, after `harbor` 1.0.0
    ");
    assert_eq!(sandbox.read("racetrack.toml"), declaration + "\n[[plugin]]\nzip = \"bundles/one.zip\"\n");
}

#[test]
fn what_would_not_do_is_not_added() {
    let sandbox = Sandbox::new();
    for (name, source) in [
        ("a_missing_source", "plugins/oen"),
        ("a_source_that_is_declared", "./plugins/../plugins/one"),
        ("a_second_version_of_an_infrastructure", "plugins/harbor-new"),
        ("a_folder_without_plugin", "alpha"),
    ] {
        insta::assert_snapshot!(name, refused(&sandbox, &["add", source], 1));
    }
    let refused = |arguments: &[&str]| refused(&sandbox, arguments, 2);
    let source = "plugins/harbor-new";
    insta::assert_snapshot!(refused(&["add", source, "--component", "bta"]), @r"error: there is no component `bta`; did you mean `beta`?");
    insta::assert_snapshot!(refused(&["add", source, "--after", "tow"]), @r"error: there is no plugin `tow`; did you mean `two`?");
    insta::assert_snapshot!(refused(&["add", source, "--after", "one"]), @r"error: `one` is declared more than once: `one==1.0.0` at racetrack.toml:14, `one==1.1.0` at racetrack.toml:23; say which one as NAME==VERSION");
}

#[test]
fn a_broken_declaration_is_not_edited() {
    let sandbox = Sandbox::with("bad/unknown-profile");
    assert!(refused(&sandbox, &["add", "plugins/one"], 1).contains("error[unknown-profile]"));
    assert!(refused(&sandbox, &["remove", "one"], 1).contains("error[unknown-profile]"));
}

#[test]
fn a_plugin_is_removed_with_its_comments() {
    let sandbox = Sandbox::new();
    let declaration = sandbox.read("racetrack.toml");
    let commented = declaration.replace(
        "[[plugin]]\npath = \"plugins/three\"",
        "# Apart.\n\n# Of three.\n[[plugin]]\npath = \"plugins/three\"",
    );
    sandbox.write("racetrack.toml", commented);
    insta::assert_snapshot!(said(&sandbox, &["remove", "three"]), @r"
        Removing `three` 0.3.0 (plugins/three), which was declared at racetrack.toml:23
    ");
    let expected = declaration.replace("[[plugin]]\npath = \"plugins/three\"", "# Apart.");
    assert_eq!(sandbox.read("racetrack.toml"), expected);
}

#[test]
fn names_that_are_not_clear_remove_nothing() {
    let sandbox = Sandbox::new();
    let refused = |arguments: &[&str]| refused(&sandbox, arguments, 2);
    insta::assert_snapshot!(refused(&["remove", "thre"]), @r"error: there is no plugin `thre`; did you mean `three`?");
    insta::assert_snapshot!(refused(&["remove", "one"]), @r"error: `one` is declared more than once: `one==1.0.0` at racetrack.toml:14, `one==1.1.0` at racetrack.toml:23; say which one as NAME==VERSION");
    insta::assert_snapshot!(refused(&["remove", "one==1.2.0"]), @r"error: there is no plugin `one==1.2.0`; did you mean `one==1.0.0`?");
}

#[test]
fn what_others_are_ordered_by_is_not_removed() {
    insta::assert_snapshot!(refused(&Sandbox::with("ordered"), &["remove", "five"], 1));
}

#[cfg(unix)]
#[test]
fn links_and_permissions_of_the_declaration_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let sandbox = Sandbox::new();
    let (link, file) = (sandbox.path("racetrack.toml"), sandbox.path("real.toml"));
    fs::rename(&link, &file).expect("the file can be moved");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).expect("permissions can be set");
    symlink("real.toml", &link).expect("links can be made");
    said(&sandbox, &["remove", "three"]);
    assert!(fs::symlink_metadata(&link).expect("the link is there").is_symlink());
    assert_eq!(fs::metadata(&file).expect("the file is there").permissions().mode() & 0o777, 0o640);
    assert!(!sandbox.read("real.toml").contains("plugins/three"));
}
