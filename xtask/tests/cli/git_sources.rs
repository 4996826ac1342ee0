//! Plugins in commits of git repositories.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use tempfile::TempDir;

use crate::sandbox::{Outcome, Sandbox};

/// A repository with plugin `one` at its root and in the folder `plugins/one`.
struct Origin {
    folder: TempDir,
    commit: String,
}

impl Origin {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// The repository after a change to its files.
    fn with(change: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let base = Sandbox::new();
        for into in ["", "plugins/one"] {
            for name in ["Cargo.toml", "plugin-manifest.yaml", "src/lib.rs"] {
                let path = folder.path().join(into).join(name);
                fs::create_dir_all(path.parent().expect("has a parent")).expect("folders can be made");
                fs::copy(base.path("plugins/one").join(name), path).expect("the fixture can be copied");
            }
        }
        git(folder.path(), &["init", "--quiet", "--initial-branch", "main"]);
        git(folder.path(), &["commit", "--quiet", "--allow-empty", "--message", "Begin"]);
        change(folder.path());
        git(folder.path(), &["add", "--all"]);
        git(folder.path(), &["commit", "--quiet", "--message", "Change"]);
        let commit = git(folder.path(), &["rev-parse", "HEAD"]);
        // The commit that is asked for is not the newest.
        git(folder.path(), &["rm", "--quiet", "-r", "."]);
        git(folder.path(), &["commit", "--quiet", "--message", "End"]);
        Self { folder, commit }
    }

    fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    fn table(&self, more: &str) -> String {
        format!("\n[[plugin]]\ngit = \"{}\"\nrev = \"{}\"\n{more}", self.url(), self.commit)
    }

    /// A declaration of the plugin.
    fn declared(&self, more: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("racetrack.toml", sandbox.components() + &self.table(more));
        sandbox
    }

    /// The answer with what differs from run to run replaced.
    fn steady(&self, outcome: Outcome) -> Outcome {
        let stderr = outcome.stderr.replace(&self.url(), "file:///ORIGIN").replace(&self.commit, "COMMIT");
        Outcome { stderr, ..outcome }
    }
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=x", "-c", "user.email=x@example.com"]).args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("git prints text").trim().to_owned()
}

fn plan(sandbox: &Sandbox) -> Outcome {
    sandbox.run_alone(&["plan", "--format", "json"], &[])
}

/// The plan with plugin `one` as a folder of the checkout.
fn local_plan(sandbox: &Sandbox) -> String {
    sandbox.write("racetrack.toml", sandbox.components() + "\n[[plugin]]\npath = \"plugins/one\"\n");
    plan(sandbox).stdout
}

fn entry(sandbox: &Sandbox) -> PathBuf {
    let entries = fs::read_dir(sandbox.path(".racetrack/store/git")).expect("something was fetched");
    let mut folders = entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir());
    folders.next().expect("there is an entry")
}

#[test]
fn a_commit_is_fetched_once_and_planned_like_a_folder() {
    for (more, shown) in [("", ""), ("subfolder = \"plugins/one\"\n", "/plugins/one")] {
        let origin = Origin::new();
        // Without a subfolder the commit holds the nested copy, too; there it is one plugin as well.
        let sandbox = origin.declared(more);
        let first = plan(&sandbox);
        let source = format!("git {}@{}{shown}", origin.url(), origin.commit);
        assert_eq!((first.code, first.stderr), (0, format!("    Fetching {source}\n")));
        drop(origin);
        let second = plan(&sandbox);
        assert_eq!(
            (second.code, second.stderr.as_str()),
            (0, ""),
            "the repository is gone, the store is not"
        );
        assert_eq!(first.stdout, second.stdout);
        assert!(first.stdout.contains(&format!("\"source\": \"{source}\"")), "{}", first.stdout);
        if !more.is_empty() {
            assert_eq!(first.stdout.replace(&source, "plugins/one"), local_plan(&sandbox));
        }
    }
}

#[test]
fn attributes_and_settings_of_users_change_no_byte() {
    let origin = Origin::with(|folder| {
        fs::write(
            folder.join(".gitattributes"),
            "* text eol=crlf\n*.rs ident filter=shout\n*.yaml export-ignore\n",
        )
        .expect("writable");
    });
    let home = tempfile::tempdir().expect("there is room for a folder");
    let trace = home.path().join("trace");
    let hook = home.path().join("hooks/reference-transaction");
    fs::create_dir_all(hook.parent().expect("has a parent")).expect("folders can be made");
    fs::write(&hook, format!("#!/bin/sh\ntouch '{}'\n", trace.display())).expect("writable");
    #[cfg(unix)]
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("permissions can be set");
    let config = format!(
        "[core]\n\tautocrlf = true\n\thooksPath = {0}/hooks\n[filter \"shout\"]\n\tsmudge = touch '{0}/trace'\n",
        home.path().display()
    );
    fs::write(home.path().join(".gitconfig"), config).expect("writable");
    let sandbox = origin.declared("subfolder = \"plugins/one\"\n");
    let home = home.path().display().to_string();
    let environment = [("HOME", home.as_str()), ("GIT_DIR", "/nowhere"), ("GIT_INDEX_FILE", "/nowhere")];
    let outcome = sandbox.run_alone(&["plan", "--format", "json"], &environment);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(!trace.exists(), "nothing of the user's configuration was run");
    let source = format!("git {}@{}/plugins/one", origin.url(), origin.commit);
    assert_eq!(outcome.stdout.replace(&source, "plugins/one"), local_plan(&sandbox));
}

#[test]
fn what_a_repository_does_not_have_is_told_at_its_table() {
    let origin = Origin::new();
    let refused = |declaration: String| {
        let sandbox = Sandbox::new();
        sandbox.write("racetrack.toml", sandbox.components() + &declaration);
        let outcome = origin.steady(sandbox.run_alone(&["plan"], &[]));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
        let left: Vec<_> = fs::read_dir(sandbox.path(".racetrack/store/git")).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        outcome.stderr
    };
    let filters = [(r"\^+", "^"), (r"dir/\S+`", "dir/ELSEWHERE`")];
    insta::with_settings!({filters => filters, omit_expression => true}, {
        let missing = origin.table("").replace(&origin.commit, &"1".repeat(40));
        insta::assert_snapshot!("missing_commit", refused(missing));
        insta::assert_snapshot!("missing_subfolder", refused(origin.table("subfolder = \"plugins/oen\"\n")));
        insta::assert_snapshot!("no_folder", refused(origin.table("subfolder = \"plugins/one/Cargo.toml\"\n")));
        let tree = git(origin.folder.path(), &["rev-parse", &format!("{}^{{tree}}", origin.commit)]);
        let tree = refused(origin.table("").replace(&origin.commit, &tree)).replace(&tree, "TREE");
        insta::assert_snapshot!("no_commit", tree);
        let elsewhere = "\n[[plugin]]\ngit = \"file:///nowhere/at/all\"\nrev = \"1111111111111111111111111111111111111111\"\n";
        insta::assert_snapshot!("no_repository", refused(elsewhere.to_owned()));
    });
}

#[cfg(unix)]
#[test]
fn links_in_a_commit_are_refused_as_in_a_folder() {
    let origin = Origin::with(|folder| {
        std::os::unix::fs::symlink("/etc/passwd", folder.join("plugins/one/src/secret.rs"))
            .expect("links can be made");
    });
    let sandbox = origin.declared("subfolder = \"plugins/one\"\n");
    let outcome = origin.steady(plan(&sandbox));
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(plan(&sandbox).code, 1, "also when it is in the store");
}

#[test]
fn a_changed_copy_is_fetched_again() {
    let origin = Origin::new();
    let sandbox = origin.declared("subfolder = \"plugins/one\"\n");
    let first = plan(&sandbox);
    let library = entry(&sandbox).join("src/lib.rs");
    let original = fs::read(&library).expect("the file was fetched");
    fs::write(&library, "//! Changed.\n").expect("writable");
    let offline = sandbox.run_alone(&["plan", "--offline"], &[]);
    assert!(offline.stderr.contains("error[not-fetched]"), "{}", offline.stderr);
    let second = plan(&sandbox);
    assert!(second.stderr.contains("Fetching git"), "{}", second.stderr);
    assert_eq!((second.code, second.stdout), (0, first.stdout));
    assert_eq!(fs::read(&library).expect("the file is there again"), original);
}

#[test]
fn one_commit_in_two_tables_is_a_mistake_unless_the_folders_differ() {
    let origin = Origin::new();
    let twice = |first: &str, second: &str| {
        let sandbox = Sandbox::new();
        let tables = origin.table(first) + &origin.table(second);
        sandbox.write("racetrack.toml", sandbox.components() + &tables);
        plan(&sandbox).stderr
    };
    let subfolder = "subfolder = \"plugins/one\"\n";
    assert!(twice(subfolder, subfolder).contains("error[duplicate-source]"));
    assert!(twice("", subfolder).contains("error[duplicate-plugin]"), "two folders, but one plugin");
}

/// A `git` that refuses to fetch a single commit, as some servers do.
#[cfg(unix)]
#[test]
fn a_commit_is_added_as_it_would_be_written() {
    let origin = Origin::new();
    let sandbox = Sandbox::new();
    let components = sandbox.components();
    sandbox.write("racetrack.toml", &components);
    let arguments = ["add", &origin.url(), "--rev", &origin.commit, "--subfolder", "plugins/one"];
    let added = sandbox.run_alone(&arguments, &[]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let table = origin.table("subfolder = \"plugins/one\"\n");
    assert_eq!(sandbox.read("racetrack.toml"), components + &table);
}

#[test]
fn repositories_in_the_checkout_are_refused_before_cargo_is_asked() {
    let origin = Origin::new();
    let sandbox = Sandbox::new();
    let clone = sandbox.path("clone");
    let _ = git(origin.folder.path(), &["clone", "--quiet", ".", &clone.to_string_lossy()]);
    let table = origin.table("").replace(&origin.url(), &format!("file://{}", clone.display()));
    sandbox.write("racetrack.toml", sandbox.components() + &table);
    let outcome = sandbox.run_with(&["build"], &[("CARGO", "no-such-cargo")]);
    assert_eq!(outcome.code, 1);
    let (_, error) = outcome.stderr.split_once("error: ").expect("it is refused");
    assert!(error.starts_with("plugin `one` 1.0.0 (git file://"), "{error}");
    assert!(error.contains("declared at racetrack.toml:14) is in `"), "{error}");
    let way_out = "move it out of the checkout and of the home folders, or declare it as a folder\n";
    assert!(error.ends_with(way_out), "{error}");
}

#[test]
fn servers_that_give_no_single_commits_are_asked_for_everything() {
    let origin = Origin::new();
    let sandbox = origin.declared("subfolder = \"plugins/one\"\n");
    let path = std::env::var_os("PATH").expect("there is a PATH").into_string().expect("a text");
    let script = format!("case \"$*\" in *--depth*) exit 1;; esac\nPATH='{path}' exec git \"$@\"");
    let _ = sandbox.write_program("bin/git", &script);
    let path = format!("{}:{path}", sandbox.path("bin").display());
    let outcome = sandbox.run_alone(&["plan"], &[("PATH", &path)]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}

#[test]
fn without_git_the_answer_says_so() {
    let origin = Origin::new();
    let outcome = origin.declared("").run_alone(&["plan"], &[("PATH", "/nowhere")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("cannot run git"), "{}", outcome.stderr);
}
