//! A throw-away declaration inside the checkout.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use assert_cmd::Command;
use fs_err as fs;

/// Variables that would lead requests to servers of tests elsewhere.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy"];

/// A folder with a copy of fixtures, removed when dropped.
pub(crate) struct Sandbox {
    pub(crate) folder: PathBuf,
}

/// What a run of xtask gave.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// The base fixture: two components and plugins for them.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the checkout");
        let sandbox = Self { folder: root.join("target/xtask-tests").join(name) };
        sandbox.overlay("base");
        sandbox
    }

    /// The base fixture with the files of another one over it.
    pub(crate) fn with(case: &str) -> Self {
        let sandbox = Self::new();
        sandbox.overlay(case);
        sandbox
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("the file is readable")
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("the path has a folder")).expect("the folder can be made");
        fs::write(path, content).expect("the file is writable");
    }

    /// Writes a script that can be started, and returns its path.
    pub(crate) fn write_program(&self, path: &str, script: &str) -> String {
        self.write(path, format!("#!/bin/sh\n{script}\n"));
        let path = self.path(path);
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("the file is ours");
        path.to_string_lossy().into_owned()
    }

    /// Replaces every `old` in a file; there has to be one.
    pub(crate) fn edit(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no `{old}`");
        self.write(path, text.replace(old, new));
    }

    /// The declaration with only its components.
    pub(crate) fn components(&self) -> String {
        let text = self.read("racetrack.toml");
        text.split_once("\n[[plugin]]").expect("the base fixture has plugins").0.to_owned()
    }

    /// `xtask <arguments>` on the declaration of the sandbox.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let declaration = self.path("racetrack.toml");
        self.finish(
            Command::cargo_bin("xtask").expect("xtask was built").args(arguments),
            &declaration,
            environment,
        )
    }

    /// `xtask <arguments>` with the sandbox as the checkout, so that its store is the sandbox's own. Enough is there to
    /// plan, not to build.
    pub(crate) fn run_alone(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        self.write("Cargo.toml", "");
        self.write("core/Cargo.toml", "[package]\nname = \"racetrack-core\"\nversion = \"0.1.0\"\n");
        self.write("xtask/Cargo.toml", "");
        let manifest_dir = self.path("xtask").display().to_string();
        let environment = [environment, &[("CARGO_MANIFEST_DIR", &manifest_dir)]].concat();
        self.run_with(arguments, &environment)
    }

    /// `xtask <arguments>` without a declaration, in the folder of the sandbox.
    pub(crate) fn run_undeclared(&self, arguments: &[&str]) -> Outcome {
        self.outcome(Command::cargo_bin("xtask").expect("xtask was built").args(arguments), &[])
    }

    /// A build that gets as far as cargo, which fails.
    pub(crate) fn build_without_cargo(&self) -> Outcome {
        self.run_with(&["build"], &[("CARGO", "false")])
    }

    pub(crate) fn finish(
        &self,
        command: &mut Command,
        declaration: &Path,
        environment: &[(&str, &str)],
    ) -> Outcome {
        self.outcome(command.arg("--declaration").arg(declaration), environment)
    }

    fn outcome(&self, command: &mut Command, environment: &[(&str, &str)]) -> Outcome {
        for name in ["CARGO_TERM_COLOR", "CLICOLOR_FORCE", "SOURCE_DATE_EPOCH"].iter().chain(&PROXIES) {
            command.env_remove(name);
        }
        let output = command
            .current_dir(&self.folder)
            .envs(environment.iter().copied())
            .output()
            .expect("xtask can be started");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
        let name = self.folder.file_name().expect("the folder has a name").to_string_lossy().into_owned();
        // The checkout of the tests has been built, or not.
        let is_steady = |line: &&str| !line.starts_with("note: the first build with profile ");
        let steady = |text: String| {
            text.split_inclusive('\n').filter(is_steady).collect::<String>().replace(&name, "SANDBOX")
        };
        Outcome {
            code: output.status.code().expect("xtask was not killed"),
            stdout: steady(text(output.stdout)),
            stderr: steady(text(output.stderr)),
        }
    }

    fn overlay(&self, case: &str) {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case);
        copy(&fixture, &self.folder);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A leftover is in the way of nothing.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder can be made");
    for entry in fs::read_dir(from).expect("the fixture exists") {
        let entry = entry.expect("the fixture is readable");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("the fixture can be copied");
        }
    }
}
