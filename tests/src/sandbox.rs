//! A folder of its own for one test, inside the checkout, with a declaration.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Finished, RecordingPlugin};

/// The root of the checkout.
pub fn checkout() -> PathBuf {
    let manifest_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_folder.parent().expect("the tests are a folder of the checkout").to_owned()
}

/// A folder below `target/system-tests/` of the checkout, emptied when it is made and left for inspection.
#[derive(Debug)]
pub struct Sandbox {
    folder: PathBuf,
}

impl Sandbox {
    /// The sandbox of the test of that name.
    pub fn new(name: &str) -> Self {
        let folder = checkout().join("target/system-tests").join(name);
        if folder.exists() {
            fs_err::remove_dir_all(&folder).expect("an old sandbox can be removed");
        }
        fs_err::create_dir_all(&folder).expect("a sandbox can be made");
        Self { folder }
    }

    /// The sandbox that several tests share, each of which calls `build`, one after the other: the first one builds, and
    /// the others find what is built. What an earlier run left in it stays.
    pub fn shared(name: &str, build: impl FnOnce(&Self)) -> Self {
        let folder = checkout().join("target/system-tests").join(name);
        fs_err::create_dir_all(&folder).expect("a sandbox can be made");
        let lock = File::create(folder.join("build.lock")).expect("a file can be made");
        lock.lock().expect("a file can be locked");
        let sandbox = Self { folder };
        build(&sandbox);
        sandbox
    }

    /// The path of something in the sandbox.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.join(relative)
    }

    /// Writes a file.
    pub fn write(&self, relative: &str, content: &str) {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
        fs_err::write(path, content).expect("a file can be written");
    }

    /// Writes the declaration: both components of the checkout, then what is given.
    pub fn declare(&self, rest: &str) {
        let components = ["lifecycle", "image-builder"].map(|name| {
            format!("[components.{name}]\npackage = \"racetrack-{name}\"\npath = \"../../../components/{name}\"\n\n")
        });
        self.write("racetrack.toml", &format!("{}{rest}", components.concat()));
    }

    /// Writes the declaration: the component of the fixtures that compiles in seconds, then what is given.
    pub fn declare_tiny(&self, rest: &str) {
        self.declare_tiny_as(&["tiny"], rest);
    }

    /// Writes the declaration: that component under each of these names, then what is given.
    pub fn declare_tiny_as(&self, names: &[&str], rest: &str) {
        let path = "../../../tests/fixtures/tiny-component";
        let components = names
            .iter()
            .map(|name| format!("[components.{name}]\npackage = \"racetrack-tiny\"\npath = \"{path}\"\n\n"));
        self.write("racetrack.toml", &format!("{}{rest}", components.collect::<String>()));
    }

    /// Runs `cargo xtask COMMAND --declaration …`, as a user types it in the checkout.
    pub fn xtask(&self, arguments: &[&str]) -> Finished {
        self.xtask_with(arguments, &[])
    }

    /// The same, with these variables in its environment.
    pub fn xtask_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
        let declaration = self.path("racetrack.toml");
        let mut command = cargo(&["xtask"]);
        command.args(arguments).arg("--declaration").arg(declaration).envs(variables.iter().copied());
        Finished::run(&mut command)
    }

    /// Runs a command of xtask from a file that is gone as soon as it runs, as it is when cargo compiles xtask anew.
    pub fn xtask_from_removed_file(&self, arguments: &[&str]) -> Finished {
        let _ = self.xtask(&["plan"]).succeeded();
        let this_test = env::current_exe().expect("a test is a file");
        let built = this_test.parent().and_then(Path::parent).expect("two folders in the target folder");
        let program = self.path("xtask");
        fs_err::copy(built.join("xtask"), &program).expect("xtask was compiled");
        let mut command = Command::new(&program);
        command.args(arguments).arg("--declaration").arg(self.path("racetrack.toml")).current_dir(checkout());
        command.env("CARGO", env!("CARGO")).env("CARGO_MANIFEST_DIR", checkout().join("xtask"));
        command.env("CARGO_NET_OFFLINE", "true");
        Finished::run_while(&mut command, || fs_err::remove_file(&program).expect("a file can be removed"))
    }

    /// Writes the plugin's crate to `plugins/<name>-<version>/`, and returns that path, relative to the declaration.
    pub fn write_plugin(&self, plugin: &RecordingPlugin) -> String {
        let folder = format!("plugins/{}-{}", plugin.name, plugin.version);
        for (path, content) in plugin.files() {
            self.write(&format!("{folder}/{path}"), &content);
        }
        folder
    }

    /// Packs the plugin in this folder into `bundles/`, with `cargo xtask plugin bundle`. The bundle is called
    /// `<name>-<version>.zip`.
    pub fn pack(&self, folder: &str) {
        let (source, out) = (self.path(folder), self.path("bundles"));
        fs_err::create_dir_all(&out).expect("a folder can be made");
        let mut command = cargo(&["xtask", "plugin", "bundle"]);
        let _ = Finished::run(command.arg(source).arg("--out").arg(out)).succeeded();
    }

    /// Writes the plugin's crate, packs it, and returns the path of the bundle, relative to the declaration.
    pub fn bundle(&self, plugin: &RecordingPlugin) -> String {
        self.pack(&self.write_plugin(plugin));
        format!("bundles/{}-{}.zip", plugin.name, plugin.version)
    }

    /// A finished binary.
    pub fn binary(&self, component: &str) -> PathBuf {
        self.path("dist").join(component)
    }
}

/// Cargo without a network: every crate that a test needs is in the lock of the checkout, so `cargo fetch` brings it.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(checkout());
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_NET_OFFLINE", "true");
    command
}
