//! Bundles that are downloaded: once, verified, and never offline.

use fs_err as fs;

use crate::archives::bundle;
use crate::sandbox::{Outcome, Sandbox};
use crate::server::{Answer, Server};

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The digest of these bytes, by another program than ours.
fn sha256(content: &[u8]) -> String {
    let output = assert_cmd::Command::new("sha256sum").write_stdin(content).output().expect("sha256sum runs");
    String::from_utf8_lossy(&output.stdout[..64]).into_owned()
}

/// A server that has the bundle of plugin `one` at every path, and the digest of that.
fn server_with_bundle() -> (Server, String) {
    let content = bundle(&Sandbox::new(), &[]);
    let digest = sha256(&content);
    (Server::start(move |_| Answer::Content(content.clone())), digest)
}

fn table(url: &str, sha256: &str) -> String {
    format!("\n[[plugin]]\nurl = \"{url}\"\nsha256 = \"{sha256}\"\n")
}

/// A declaration of one bundle.
fn declared(url: &str, sha256: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("racetrack.toml", sandbox.components() + &table(url, sha256));
    sandbox
}

/// Everything below the store, relative to it.
fn stored(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(".racetrack/store/downloads"));
    let names = entries.into_iter().flatten().map(|entry| entry.expect("readable").file_name());
    names.map(|name| name.into_string().expect("a text")).collect()
}

fn plan(sandbox: &Sandbox) -> Outcome {
    sandbox.run_alone(&["plan"], &[])
}

/// The answer with the address of the server, which differs from run to run, replaced.
fn steady(outcome: Outcome, server: &Server) -> Outcome {
    Outcome { stderr: outcome.stderr.replace(&server.address, "http://HOST"), ..outcome }
}

/// One case for each mistake that only shows when something is fetched.
pub(crate) fn rejected_cases() -> Vec<(&'static str, Outcome)> {
    let (server, digest) = server_with_bundle();
    let url = format!("{}/one.zip", server.address);
    let other = steady(declared(&url, ZEROS).run_alone(&["plan"], &[]), &server);
    let other = Outcome { stderr: other.stderr.replace(&digest, "DIGEST"), ..other };
    let offline = steady(declared(&url, &digest).run_alone(&["plan", "--offline"], &[]), &server);
    let absent = Server::start(|_| Answer::Status(404));
    let url = format!("{}/one.zip", absent.address);
    let refused = steady(declared(&url, ZEROS).run_alone(&["plan"], &[]), &absent);
    vec![("digest-mismatch", other), ("not-fetched", offline), ("fetch-failed", refused)]
}

#[test]
fn a_bundle_is_fetched_once_and_planned_like_a_local_one() {
    let (server, digest) = server_with_bundle();
    let url = format!("{}/one.zip", server.address);
    let sandbox = declared(&url, &digest);
    let first = sandbox.run_alone(&["plan", "--format", "json"], &[]);
    assert_eq!((first.code, first.stderr), (0, format!("    Fetching {url}\n")));
    let second = sandbox.run_alone(&["plan", "--format", "json"], &[]);
    assert_eq!((second.code, second.stderr.as_str()), (0, ""));
    assert_eq!(server.requests(), ["GET /one.zip"]);
    assert_eq!(stored(&sandbox), [format!("{digest}.zip")]);
    sandbox.write("racetrack.toml", sandbox.components() + "\n[[plugin]]\npath = \"plugins/one\"\n");
    let local = sandbox.run_alone(&["plan", "--format", "json"], &[]);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.stdout.replace(&url, "plugins/one"), local.stdout);
}

#[test]
fn a_bundle_is_added_with_the_digest_of_what_was_fetched() {
    let (server, digest) = server_with_bundle();
    let url = format!("{}/one.zip", server.address);
    let sandbox = Sandbox::new();
    let components = sandbox.components();
    sandbox.write("racetrack.toml", &components);
    let added = sandbox.run_alone(&["add", &url], &[]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert_eq!(sandbox.read("racetrack.toml"), components.clone() + &table(&url, &digest));
    assert_eq!(server.requests(), ["GET /one.zip"], "the next command has it already");
    let removed = sandbox.run_alone(&["remove", "one"], &[]);
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert_eq!(sandbox.read("racetrack.toml"), components);
}

#[test]
fn offline_takes_what_is_there_and_fetches_nothing() {
    let (server, digest) = server_with_bundle();
    let sandbox = declared(&format!("{}/one.zip", server.address), &digest);
    for arguments in [
        &["plan", "--offline"][..],
        &["check", "--offline"],
        &["build", "--offline"],
        &["fetch", "--offline"],
    ] {
        let outcome = sandbox.run_alone(arguments, &[]);
        assert_eq!(outcome.code, 1, "{arguments:?}");
        assert!(outcome.stderr.contains("error[not-fetched]"), "{arguments:?}: {}", outcome.stderr);
    }
    assert_eq!(server.requests(), [""; 0]);
    assert_eq!(plan(&sandbox).code, 0);
    assert_eq!(sandbox.run_alone(&["plan", "--offline"], &[]).code, 0);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn doctor_fetches_nothing_unless_it_may() {
    let (server, digest) = server_with_bundle();
    let sandbox = declared(&format!("{}/one.zip", server.address), &digest);
    let doctor = |arguments: &[&str]| {
        // The registry is none of a test's business.
        sandbox.run_alone(&[&["doctor"], arguments].concat(), &[("CARGO", "false")])
    };
    for arguments in [&[][..], &["--offline"]] {
        let said = doctor(arguments).stdout;
        let lines: Vec<_> = said.lines().skip_while(|line| !line.contains("declaration:")).collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(lines.join("\n"), @r"
            note   declaration: 1 plugin source not fetched yet
                   why: builds fetch them first; without them, plugins, workspaces and locks were not looked at
                   help: run `cargo xtask fetch`, then look again
            ");
        }
    }
    let refused = doctor(&["--offline", "--online"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(refused.stderr, @"error: `doctor --online` needs the network, which `--offline` forbids");
    assert_eq!(server.requests(), [""; 0]);
    assert!(!sandbox.path(".racetrack").exists(), "nothing was written");
    let _ = doctor(&["--online"]);
    assert_eq!(server.requests(), ["GET /one.zip"]);
}

#[test]
fn failed_downloads_say_why_and_leave_nothing() {
    let server = Server::start(|path| match path {
        "/truncated" => Answer::Truncated,
        "/huge" => Answer::Huge,
        "/endless" => Answer::Endless,
        "/loop" => Answer::Redirect("/loop".to_owned()),
        "/file" => Answer::Redirect("file:///etc/passwd".to_owned()),
        "/other" => Answer::Content(b"other".to_vec()),
        "/broken" => Answer::Status(503),
        _ => Answer::Status(404),
    });
    let sandbox = Sandbox::new();
    let paths = ["truncated", "huge", "endless", "loop", "file", "other", "broken", "absent"];
    let tables = paths.iter().enumerate().map(|(index, path)| {
        table(&format!("{}/{path}", server.address), &ZEROS.replacen('0', &index.to_string(), 1))
    });
    sandbox.write("racetrack.toml", sandbox.components() + &tables.collect::<String>());
    let outcome = steady(plan(&sandbox), &server);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    // Versions of curl have different words for it.
    let filters = vec![("broke off: .*", "broke off: WHY")];
    insta::with_settings!({omit_expression => true, filters => filters}, {
        insta::assert_snapshot!("failed_downloads", outcome.stderr);
    });
    assert_eq!(stored(&sandbox), [""; 0]);
}

#[test]
fn redirects_are_followed() {
    let content = bundle(&Sandbox::new(), &[]);
    let digest = sha256(&content);
    let server = Server::start(move |path| match path {
        "/old/one.zip" => Answer::Redirect("../new/one.zip?signature=1".to_owned()),
        _ => Answer::Content(content.clone()),
    });
    let sandbox = declared(&format!("{}/old/one.zip", server.address), &digest);
    let outcome = plan(&sandbox);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(server.requests(), ["GET /old/one.zip", "GET /new/one.zip?signature=1"]);
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    let (server, digest) = server_with_bundle();
    let sandbox = declared("http://plugins.invalid/one.zip", &digest);
    let outcome = sandbox.run_alone(&["plan"], &[("http_proxy", &server.address), ("no_proxy", "")]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(server.requests(), ["GET http://plugins.invalid/one.zip"]);
}

#[test]
fn without_curl_it_is_said_what_is_missing() {
    let sandbox = declared("http://plugins.invalid/one.zip", ZEROS);
    sandbox.write("empty/x", "");
    let outcome = sandbox.run_alone(&["plan"], &[("PATH", &sandbox.path("empty").display().to_string())]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stderr, @r#"
        Fetching http://plugins.invalid/one.zip
    error[fetch-failed]: `http://plugins.invalid/one.zip` cannot be fetched: cannot run `curl`, which `script/setup --yes up` installs: No such file or directory (os error 2)
      --> racetrack.toml:14:7
       |
    14 | url = "http://plugins.invalid/one.zip"
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: or install curl by hand; it must be reachable by PATH

    error: 1 mistake found
    "#);
}

#[test]
fn addresses_are_not_in_the_list_of_processes() {
    let url = "http://plugins.invalid/one.zip?signature=1";
    let sandbox = declared(url, ZEROS);
    let script = "printf '%s\n' \"$@\" > arguments; read -r input; printf '%s' \"$input\" > input
echo 'curl: (6) Could not resolve host: plugins.invalid' >&2
exit 6";
    let _ = sandbox.write_program("bin/curl", script);
    let outcome = sandbox.run_alone(&["plan"], &[("PATH", &sandbox.path("bin").display().to_string())]);
    assert_eq!(outcome.code, 1);
    let said =
        "there is no answer from http://plugins.invalid/one.zip: Could not resolve host: plugins.invalid\n";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    let arguments = sandbox.read("arguments");
    assert!(arguments.starts_with("--disable\n"), "nothing of the user's decides: {arguments}");
    assert!(!arguments.contains("plugins.invalid"), "{arguments}");
    assert_eq!(sandbox.read("input"), format!("url = \"{url}\""));
}

#[test]
fn a_damaged_copy_is_fetched_again() {
    let (server, digest) = server_with_bundle();
    let sandbox = declared(&format!("{}/one.zip", server.address), &digest);
    let first = plan(&sandbox);
    let entry = format!(".racetrack/store/downloads/{digest}.zip");
    sandbox.write(&entry, "damaged");
    let offline = sandbox.run_alone(&["plan", "--offline"], &[]);
    assert!(offline.stderr.contains("error[not-fetched]"), "{}", offline.stderr);
    let second = plan(&sandbox);
    assert_eq!((second.code, second.stdout), (0, first.stdout));
    assert_eq!(server.requests().len(), 2);
    assert_eq!(sha256(&fs::read(sandbox.path(&entry)).expect("the entry is there")), digest);
}

#[test]
fn one_source_in_two_tables_is_a_mistake() {
    let (server, digest) = server_with_bundle();
    let url = format!("{}/one.zip", server.address);
    let mirror = format!("{}/mirror.zip", server.address);
    for (second_url, second_digest) in [(&url, digest.as_str()), (&url, ZEROS), (&mirror, &digest)] {
        let sandbox = Sandbox::new();
        let tables = table(&url, &digest) + &table(second_url, second_digest);
        sandbox.write("racetrack.toml", sandbox.components() + &tables);
        let outcome = plan(&sandbox);
        assert_eq!(outcome.code, 1);
        assert!(outcome.stderr.contains("error[duplicate-source]"), "{}", outcome.stderr);
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn mistakes_inside_a_fetched_bundle_name_where_it_came_from() {
    let base = Sandbox::new();
    base.write("plugins/one/src/lib.rs", "//! Nothing.\n");
    base.write("plugins/one/plugin-manifest.yaml", "name: one\nversion: 1.0.0\n");
    let content = bundle(&base, &[]);
    let digest = sha256(&content);
    let hostile = bundle(&base, &[("../evil", "x")]);
    let hostile_digest = sha256(&hostile);
    let server = Server::start(move |path| {
        Answer::Content(if path == "/one.zip" { content.clone() } else { hostile.clone() })
    });
    let sandbox = Sandbox::new();
    let tables = table(&format!("{}/one.zip", server.address), &digest)
        + &table(&format!("{}/evil.zip", server.address), &hostile_digest);
    sandbox.write("racetrack.toml", sandbox.components() + &tables);
    let outcome = steady(plan(&sandbox), &server);
    assert_eq!(outcome.code, 1);
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!("inside_fetched_bundles", outcome.stderr);
    });
}

#[test]
fn fetch_gets_what_is_declared_and_nothing_else() {
    let (server, digest) = server_with_bundle();
    let sandbox = declared(&format!("{}/one.zip", server.address), &digest);
    let outcome = steady(sandbox.run_alone(&["fetch"], &[]), &server);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""));
    insta::assert_snapshot!(outcome.stderr, @r"
        Fetching http://HOST/one.zip
        Finished 1 source from elsewhere in the store
    ");
    assert!(!sandbox.path(".racetrack/alpha").exists());
    let again = sandbox.run_alone(&["fetch", "--quiet"], &[]);
    assert_eq!((again.code, again.stderr.as_str()), (0, ""));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn fetching_one_bundle_tells_the_table_that_declares_it() {
    let (server, digest) = server_with_bundle();
    let url = format!("{}/one.zip", server.address);
    let sandbox = Sandbox::new();
    let outcome = sandbox.run_alone(&["fetch", &url], &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, table(&url, &digest).trim_start()));
    assert!(outcome.stderr.contains("the connection was not protected"), "{}", outcome.stderr);
    sandbox.write("racetrack.toml", sandbox.components() + "\n" + &outcome.stdout);
    assert_eq!(plan(&sandbox).code, 0);
    assert_eq!(server.requests().len(), 1, "what was fetched to learn its digest stays");
    let refused = sandbox.run_alone(&["fetch", "ftp://host/x.zip"], &[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert_eq!(sandbox.run_alone(&["fetch", &url, "--offline"], &[]).code, 2);
    let absent = Server::start(|_| Answer::Status(404));
    assert_eq!(sandbox.run_alone(&["fetch", &format!("{}/x.zip", absent.address)], &[]).code, 1);
}
