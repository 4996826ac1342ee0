//! Programs of `PyPI` packages.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Finished;

/// Gives a program of a package, such as `racetrack-client==2.35.1`, that is installed below `tools` once; tests that want it at the
/// same time wait for each other.
///
/// # Panics
/// When it cannot be installed; the panic says what that takes.
pub fn install(package: &str, program: &str, tools: &Path) -> PathBuf {
    let folder = tools.join(package.replace("==", "-"));
    let (program, marker) = (folder.join("bin").join(program), folder.join(".complete"));
    fs_err::create_dir_all(tools).expect("a folder can be made");
    let lock = File::create(folder.with_extension("lock")).expect("a file can be made");
    lock.lock().expect("a file can be locked");
    if marker.exists() {
        return program;
    }
    if folder.exists() {
        fs_err::remove_dir_all(&folder).expect("what an interrupted test left can be removed");
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&folder);
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", package]);
    for command in [&mut venv, &mut pip] {
        let Finished { code, stdout, stderr, .. } = Finished::run(command);
        assert!(
            code == Some(0),
            "{package} cannot be installed, with which the platform is tested: that takes Python 3.11 with venv, and pip \
             with a package index\n{command:?}\n{stdout}{stderr}"
        );
    }
    fs_err::write(marker, "").expect("a file can be written");
    program
}
