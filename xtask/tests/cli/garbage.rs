//! `gc`: what it removes, and what it leaves alone.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fs_err as fs;

use crate::sandbox::{Outcome, Sandbox};

const DAY: Duration = Duration::from_hours(24);

/// The base fixture with its generated workspaces.
fn generated() -> Sandbox {
    let sandbox = Sandbox::new();
    let _ = sandbox.build_without_cargo();
    sandbox
}

/// Runs `gc` as if the sandbox was the checkout: the store of the real one is shared with everybody who builds.
fn gc(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run_alone(&[&["gc"], arguments].concat(), &[])
}

/// What `gc` says when it succeeds.
fn collect(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let outcome = gc(sandbox, arguments);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    outcome.stderr
}

/// An entry of the sandbox's store that was last used so long ago.
fn entry(sandbox: &Sandbox, name: &str, age: Duration) -> PathBuf {
    sandbox.write(&format!(".racetrack/store/{name}/file"), "12345");
    let folder = sandbox.path(".racetrack/store").join(name);
    let file = fs::File::open(&folder).expect("it can be opened");
    file.set_modified(SystemTime::now() - age).expect("times can be set");
    folder
}

#[test]
fn what_nobody_uses_is_removed_after_some_time() {
    let sandbox = generated();
    let old = entry(&sandbox, "old-1.0.0-000000000000", 15 * DAY);
    let young = entry(&sandbox, "young-1.0.0-000000000000", 13 * DAY);
    let revived = entry(&sandbox, "revived-1.0.0-000000000000", 15 * DAY);
    sandbox.write(".racetrack/store/.used/revived-1.0.0-000000000000", "");
    sandbox.write(".racetrack/store/.used/git~gone", "");
    let fetched = entry(&sandbox, "downloads/abc.zip", 20 * DAY);
    let interrupted = entry(&sandbox, ".tmp-12-abc", DAY);
    let begun = entry(&sandbox, ".tmp-13-abc", Duration::ZERO);
    let said = collect(&sandbox, &["--dry-run"]);
    insta::assert_snapshot!(said, @r"
    Unneeded .racetrack/store/.tmp-12-abc (5 B, left by a build that was interrupted)
    Unneeded .racetrack/store/.used/git~gone (0 B, the stamp of nothing)
    Unneeded .racetrack/store/downloads/abc.zip (5 B, not used for 20 days)
    Unneeded .racetrack/store/old-1.0.0-000000000000 (5 B, not used for 15 days)
    Finished 4 things, 15 B: nothing was removed
    ");
    assert!(old.exists() && interrupted.exists() && fetched.exists(), "nothing was removed");

    let said = collect(&sandbox, &[]);
    insta::assert_snapshot!(said, @r"
    Removing .racetrack/store/.tmp-12-abc (5 B, left by a build that was interrupted)
    Removing .racetrack/store/.used/git~gone (0 B, the stamp of nothing)
    Removing .racetrack/store/downloads/abc.zip (5 B, not used for 20 days)
    Removing .racetrack/store/old-1.0.0-000000000000 (5 B, not used for 15 days)
    Finished 4 things removed, 15 B freed
    ");
    assert!(!old.exists() && !interrupted.exists() && !fetched.exists());
    assert!(young.exists() && begun.exists() && revived.exists());
    let _ = collect(&sandbox, &["--older-than", "12"]);
    assert!(!young.exists() && revived.exists());
}

#[test]
fn what_a_workspace_leads_to_stays_however_old() {
    let sandbox = generated();
    let plugins = fs::read_dir(sandbox.path(".racetrack/alpha/plugins")).expect("it was generated");
    let names: Vec<_> = plugins.map(|plugin| plugin.expect("readable").file_name()).collect();
    assert_eq!(names.len(), 4);
    let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
    let needed: Vec<_> = names.iter().map(|name| entry(&sandbox, name, 100 * DAY)).collect();
    sandbox.write(".racetrack/build/debug/x", "compiled");
    for arguments in [&["--older-than", "0"][..], &["--all"]] {
        let said = collect(&sandbox, arguments);
        assert!(needed.iter().all(|folder| folder.exists()), "{}", said);
    }
    assert!(!sandbox.path(".racetrack/build").exists(), "`--all` removes what cargo has compiled");
}

#[test]
fn sources_that_the_declaration_names_stay_however_old() {
    let sandbox = Sandbox::new();
    let (digest, commit) = ("0".repeat(64), "1".repeat(40));
    let tables = format!(
        "\n[[plugin]]\nurl = \"https://host/x.zip\"\nsha256 = \"{digest}\"\n\
         \n[[plugin]]\ngit = \"https://host/y\"\nrev = \"{commit}\"\n"
    );
    sandbox.write("racetrack.toml", sandbox.components() + &tables);
    let names = [format!("downloads/{digest}.zip"), format!("git/{commit}"), format!("git/{commit}.blake3")];
    let fetched = names.map(|name| entry(&sandbox, &name, 100 * DAY));
    let other = entry(&sandbox, &format!("git/{}", "2".repeat(40)), 100 * DAY);
    let said = collect(&sandbox, &["--older-than", "0"]);
    assert!(fetched.iter().all(|fetched| fetched.exists()), "{}", said);
    assert!(!other.exists());
}

#[test]
fn all_takes_what_age_alone_takes_and_more() {
    let sandbox = generated();
    let old = entry(&sandbox, "downloads/old.zip", 100 * DAY);
    let young = entry(&sandbox, "downloads/young.zip", 13 * DAY);
    let unpacked = entry(&sandbox, "young-1.0.0-000000000000", 13 * DAY);
    let said = collect(&sandbox, &["--all", "--dry-run"]);
    insta::assert_snapshot!(said, @r"
    Unneeded .racetrack/store/downloads/old.zip (5 B, not used for 100 days)
    Unneeded .racetrack/store/young-1.0.0-000000000000 (5 B, in no workspace of this declaration)
    Finished 2 things, 10 B: nothing was removed
    ");
    let _ = collect(&sandbox, &["--all"]);
    assert!(!old.exists() && !unpacked.exists());
    assert!(young.exists(), "it could not be fetched again without the network");
}

#[test]
fn a_build_notes_what_it_uses() {
    let sandbox = Sandbox::new();
    // Content that no earlier run has built: the store is that of the checkout, and keeps its stamps.
    let name = sandbox.folder.file_name().expect("the folder has a name").to_string_lossy();
    let library = sandbox.read("plugins/one/src/lib.rs");
    sandbox.write("plugins/one/src/lib.rs", format!("{library}// {name}\n"));
    let _ = sandbox.build_without_cargo();
    let plugins = fs::read_dir(sandbox.path(".racetrack/alpha/plugins")).expect("it was generated");
    let mut names = plugins.map(|plugin| plugin.expect("readable").file_name());
    let one = names.find(|name| name.to_string_lossy().starts_with("one-1.0.0-")).expect("alpha holds it");
    let store = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.racetrack/store");
    let stamp = store.join(".used").join(&one);
    assert!(stamp.exists(), "{}", stamp.display());
    // Nobody builds it again; and folders of sandboxes have numbers, which come back some day.
    fs::remove_file(stamp).expect("it is there");
    fs::remove_dir_all(store.join(one)).expect("it is there");
}

#[test]
fn workspaces_and_artefacts_of_undeclared_components_are_removed() {
    let sandbox = generated();
    sandbox.write(".racetrack/target/alpha/x", "123");
    sandbox.write(".racetrack/target/beta/x", "123");
    sandbox.write(".racetrack/target/gone/x", "123");
    sandbox.write(".racetrack/verify/x", "123");
    let declaration = sandbox.components();
    let beta = declaration.find("[components.beta]").expect("the base fixture has beta");
    sandbox.write("racetrack.toml", &declaration[..beta]);
    let said = collect(&sandbox, &[]);
    insta::with_settings!({filters => [(r"\d+\.\d kB", "SIZE")]}, {
        insta::assert_snapshot!(said, @r"
        Removing .racetrack/beta (SIZE, the workspace of a component that is no longer declared)
        Removing .racetrack/target/beta (3 B, artefacts of a component that is no longer declared)
        Removing .racetrack/target/gone (3 B, artefacts of a component that is no longer declared)
        Removing .racetrack/verify (3 B, left by a verification)
        Finished 4 things removed, SIZE freed
        ");
    });
    assert!(sandbox.path(".racetrack/alpha/Cargo.toml").exists());
    assert!(sandbox.path(".racetrack/target/alpha/x").exists());
    assert!(!sandbox.path(".racetrack/beta").exists() && !sandbox.path(".racetrack/target/gone").exists());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let sandbox = generated();
    sandbox.write("elsewhere/x", "kept");
    let elsewhere = sandbox.path("elsewhere");
    let link = |path: &str| {
        let path = sandbox.path(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder can be made");
        fs::os::unix::fs::symlink(&elsewhere, &path).expect("links can be made");
        path
    };
    let links = [".racetrack/store/a-1.0.0-0", ".racetrack/store/git", ".racetrack/verify"].map(link);
    let _ = collect(&sandbox, &["--older-than", "0"]);
    assert!(fs::symlink_metadata(&links[0]).is_err() && fs::symlink_metadata(&links[2]).is_err());
    assert_eq!(sandbox.read("elsewhere/x"), "kept");

    fs::remove_dir_all(sandbox.path(".racetrack")).expect("it is there");
    link(".racetrack");
    let outcome = gc(&sandbox, &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains(".racetrack is a link"), "{}", outcome.stderr);
    assert_eq!(fs::read_dir(&elsewhere).expect("it is there").count(), 1, "nothing was written there either");
}

#[test]
fn a_running_build_is_not_disturbed() {
    let sandbox = generated();
    let old = entry(&sandbox, "old-1.0.0-000000000000", 15 * DAY);
    let lock = fs::File::create(sandbox.path(".racetrack/store/.lock")).expect("writable").into_file();
    lock.lock_shared().expect("it can be locked");
    let outcome = gc(&sandbox, &[]);
    insta::assert_snapshot!(outcome.stderr, @"error: a build of this checkout is running; run `cargo xtask gc` again when it has finished");
    assert!(outcome.code == 1 && old.exists());
}
