//! A copy of the checkout for a build of its own, in which nothing is left of earlier builds; and in which everything can be
//! different that must not make a difference: the length of its path, cargo's home, the user's home, the time zone, the
//! locale, the umask, the number of jobs, and flags that somebody has set for all builds of a machine.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::checkout::Checkout;
use crate::declaration::Declaration;
use crate::vendor_folder::VendorFolder;

/// The circumstances of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circumstances {
    /// Those that this program runs in.
    Present,
    /// Different in everything that must not matter.
    Other,
}

impl Circumstances {
    /// The name of the copy. The other one is longer than anything that a checkout is called.
    const fn folder_name(self) -> &'static str {
        match self {
            Self::Present => "clean",
            Self::Other => "a checkout at a path of quite another length than that of the first one",
        }
    }
}

/// What a build leaves behind, in every folder; no second build may see it.
const LEFT_BEHIND: [&str; 3] = [".git", ".racetrack", ".racetrack-run"];

/// Cargo marks its folders of artefacts with this file.
const ARTEFACTS_MARK: &str = "CACHEDIR.TAG";

/// What of cargo's home is shared: what was downloaded, and how to download it. Unpacked sources are not.
const SHARED_OF_CARGO: [&str; 5] = ["registry/index", "registry/cache", "git/db", "config", "config.toml"];

/// What of the plugin store is copied: what was fetched. Unpacked plugins are not.
const FETCHED: [&str; 2] = ["store/downloads", "store/git"];

/// The copy.
#[derive(Debug)]
pub struct SecondCheckout {
    circumstances: Circumstances,
    /// The copy as a checkout.
    pub checkout: Checkout,
}

impl SecondCheckout {
    /// Copies the checkout, without what builds of it have left behind; the declaration's folder, its sources and those
    /// that replace some of them are copied wherever they are in it. An earlier copy is removed.
    pub fn make(
        circumstances: Circumstances,
        declaration: &Declaration,
        overrides: &[PathBuf],
        checkout: &Checkout,
    ) -> Result<Self> {
        let folder = Self::folder_of(declaration);
        let root = folder.join(circumstances.folder_name());
        remove(&root)?;
        let is_artefacts = |path: &Path| path.join(ARTEFACTS_MARK).is_file();
        let target = checkout.root.join("target");
        let is_left_out = |path: &Path| path == declaration.out_dir || path == target || is_artefacts(path);
        let sources = declaration.plugins.iter().map(|plugin| plugin.origin.path());
        // What a vendor folder has is built from there.
        let vendor = checkout.vendor.as_ref().map(VendorFolder::path);
        let sources = sources.filter(|path| vendor.is_none_or(|vendor| !path.starts_with(vendor)));
        let sources = sources.chain(overrides.iter().map(PathBuf::as_path));
        let fetched = FETCHED.map(|fetched| checkout.root.join(".racetrack").join(fetched));
        let named = [checkout.root.as_path(), &declaration.folder].into_iter().chain(sources);
        for original in named.chain(fetched.iter().map(PathBuf::as_path)).filter(|path| path.exists()) {
            let relative =
                original.strip_prefix(&checkout.root).context("sources are inside the checkout")?;
            copy(original, &root.join(relative), &is_left_out)
                .with_context(|| format!("cannot copy {} to {}", original.display(), root.display()))?;
        }
        if circumstances == Circumstances::Present {
            let checkout = Checkout { root, offline: true, ..checkout.clone() };
            return Ok(Self { circumstances, checkout });
        }
        let (home, cargo_home) = (folder.join("another home"), folder.join("another home of cargo"));
        remove(&cargo_home)?;
        fs::create_dir_all(&home)?;
        for shared in SHARED_OF_CARGO {
            share(&checkout.cargo_home.join(shared), &cargo_home.join(shared))?;
        }
        fs::create_dir_all(&cargo_home)?;
        let homes = vec![home, cargo_home.clone()];
        let checkout = Checkout { root, cargo_home, homes, offline: true, ..checkout.clone() };
        Ok(Self { circumstances, checkout })
    }

    /// The path in the copy of something in the first checkout.
    pub fn path(&self, original: &Path, first: &Checkout) -> Result<PathBuf> {
        let relative =
            original.strip_prefix(&first.root).context("the declaration is inside the checkout")?;
        Ok(self.checkout.root.join(relative))
    }

    /// This program with `arguments`, working in the copy.
    pub fn command(&self, arguments: &[OsString]) -> Result<Command> {
        let program = own_program()?;
        let is_other = self.circumstances == Circumstances::Other;
        let mut command = if is_other { with_umask(&program) } else { Command::new(program) };
        command.args(arguments).current_dir(&self.checkout.root);
        command.env("CARGO", &self.checkout.cargo);
        command.env("CARGO_MANIFEST_DIR", self.checkout.root.join("xtask"));
        command.envs(self.variables());
        Ok(command)
    }

    /// What is different in the environment of what is built in the copy. Crates that read such a variable are compiled
    /// anew when cargo finds another value of it.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        if self.circumstances == Circumstances::Present {
            return Vec::new();
        }
        let mut variables = vec![
            ("CARGO_HOME", self.checkout.cargo_home.clone().into()),
            ("HOME", self.checkout.homes[0].clone().into()),
            // The shell that sets the umask sets it as well.
            ("PWD", self.checkout.root.clone().into()),
            ("CARGO_BUILD_JOBS", other_number_of_jobs().to_string().into()),
            // A build does not let these through.
            ("RUSTFLAGS", "-C debuginfo=2".into()),
            ("CARGO_INCREMENTAL", "1".into()),
            ("HOST_CFLAGS", "-g".into()),
            ("TZ", other_than(env::var_os("TZ"), ["Asia/Kathmandu", "America/St_Johns"]).into()),
            ("LC_ALL", other_locale(["LC_ALL", "LC_CTYPE", "LANG"].map(env::var_os)).into()),
        ];
        variables.extend(toolchains().map(|toolchains| ("RUSTUP_HOME", toolchains.into())));
        variables
    }

    /// Removes everything that was copied and built for a declaration.
    pub fn remove_all(declaration: &Declaration) -> Result<()> {
        remove(&Self::folder_of(declaration))
    }

    /// Where the copies for a declaration are made.
    pub fn folder_of(declaration: &Declaration) -> PathBuf {
        declaration.state().join("verify")
    }
}

/// Cargo starts as many compilers as there are processors, if nobody says otherwise. One more lets crates be compiled in another
/// order, and takes no longer.
fn other_number_of_jobs() -> usize {
    let given = env::var_os("CARGO_BUILD_JOBS").and_then(|jobs| jobs.to_str()?.parse().ok());
    let present = given.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    present.unwrap_or(1) + 1
}

fn remove(folder: &Path) -> Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(_) => Ok(fs::remove_dir_all(folder)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Files, folders and links; nothing else belongs to the sources of a build. What was copied already stays.
fn copy(from: &Path, to: &Path, is_left_out: &dyn Fn(&Path) -> bool) -> Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let is_left_behind = LEFT_BEHIND.iter().any(|left| entry.file_name() == *left);
            if !is_left_behind && !is_left_out(&entry.path()) {
                copy(&entry.path(), &to.join(entry.file_name()), is_left_out)?;
            }
        }
        return Ok(());
    }
    if fs::symlink_metadata(to).is_ok() {
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a file has a folder")?)?;
    if kind.is_symlink() {
        link(&fs::read_link(from)?, to)?;
    } else if kind.is_file() {
        fs::copy(from, to)?;
    }
    Ok(())
}

/// Links `place` to `original`, or copies it where there are no links; nothing when there is no original.
fn share(original: &Path, place: &Path) -> Result<()> {
    if !original.exists() {
        return Ok(());
    }
    fs::create_dir_all(place.parent().context("a file has a folder")?)?;
    if original.is_file() {
        fs::copy(original, place)?;
    } else if link(original, place).is_err() {
        copy(original, place, &|_| false)?;
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &Path, place: &Path) -> std::io::Result<()> {
    fs::os::unix::fs::symlink(target, place)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The file of this program. Cargo replaces it when it compiles it anew, which a test beside this build may ask for: then
/// the path leads nowhere, and only the system still has the file.
fn own_program() -> Result<PathBuf> {
    let held = PathBuf::from(format!("/proc/{}/exe", process::id()));
    if cfg!(target_os = "linux") && held.exists() {
        return Ok(held);
    }
    env::current_exe().context("cannot find this program")
}

/// A shell sets the umask, because a process can set that of its children only in ways that are not safe.
fn with_umask(program: &Path) -> Command {
    if !cfg!(unix) {
        return Command::new(program);
    }
    let mut command = Command::new("sh");
    let other = "case $(umask) in *077) umask 022;; *) umask 077;; esac";
    command.args(["-c", &format!("{other}; exec \"$0\" \"$@\"")]).arg(program);
    command
}

/// Toolchains are found by the home folder, which is another one; they must stay the same.
fn toolchains() -> Option<PathBuf> {
    let default = || Some(PathBuf::from(env::var_os("HOME")?).join(".rustup"));
    env::var_os("RUSTUP_HOME").map(PathBuf::from).or_else(default)
}

fn other_than(present: Option<OsString>, [usual, other]: [&'static str; 2]) -> &'static str {
    if present.is_some_and(|present| present == usual) { other } else { usual }
}

/// Another locale than the variables give, of which the first that is set and not empty counts.
fn other_locale(variables: [Option<OsString>; 3]) -> &'static str {
    let present = variables.into_iter().flatten().find(|value| !value.is_empty());
    let is_plain = present.is_none_or(|present| present == "C" || present == "POSIX");
    if is_plain { "C.UTF-8" } else { "C" }
}

#[cfg(test)]
mod tests {
    use racetrack_bundle::Origin;

    use super::*;
    use crate::plan;

    #[test]
    fn the_other_locale_is_another_one() {
        let other = |variables: [&str; 3]| {
            other_locale(variables.map(|value| (value != "-").then(|| OsString::from(value))))
        };
        for plain in [["-", "-", "-"], ["", "-", "POSIX"], ["C", "de_DE.UTF-8", "de_DE.UTF-8"]] {
            assert_eq!(other(plain), "C.UTF-8", "{plain:?}");
        }
        for rich in [["-", "-", "en_US.UTF-8"], ["C.UTF-8", "-", "-"], ["", "C.UTF-8", "C"]] {
            assert_eq!(other(rich), "C", "{rich:?}");
        }
    }

    #[test]
    fn sources_are_copied_wherever_they_are_unless_they_are_vendored() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        for path in ["checkout/a.rs", "checkout/target/tried/b.rs", "checkout/built/c.rs", "vendor/d.zip"] {
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), "").unwrap();
        }
        let root = folder.join("checkout");
        fs::write(root.join("built").join(ARTEFACTS_MARK), "").unwrap();
        let checkout = Checkout {
            root: root.clone(),
            cargo: "cargo".into(),
            cargo_home: folder.join("home"),
            homes: Vec::new(),
            offline: false,
            vendor: Some(VendorFolder::for_tests(folder.join("vendor"), "index-0")),
        };
        let mut vendored = plan::tests::plugin(0, "d", "1.0.0", 0).declaration;
        vendored.origin = Origin::Zip(folder.join("vendor/d.zip"));
        let mut declaration = plan::tests::declaration(&[]);
        declaration.folder.clone_from(&root);
        declaration.plugins.push(vendored);
        let overrides = [root.join("target/tried"), root.join("built")];
        let copy = SecondCheckout::make(Circumstances::Present, &declaration, &overrides, &checkout).unwrap();
        for path in ["a.rs", "target/tried/b.rs", "built/c.rs"] {
            assert!(copy.checkout.root.join(path).exists(), "{path}");
        }
    }

    #[test]
    fn what_builds_leave_behind_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for path in ["a/b.rs", "a/.git/x", ".racetrack/x", "dist/x", "built/CACHEDIR.TAG", "target/kept.rs"] {
            fs::create_dir_all(from.join(path).parent().unwrap()).unwrap();
            fs::write(from.join(path), path).unwrap();
        }
        let out_dir = from.join("dist");
        copy(&from, &to, &|path| path == out_dir || path.join(ARTEFACTS_MARK).is_file()).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/b.rs")).unwrap(), "a/b.rs");
        assert!(to.join("target/kept.rs").exists());
        for path in ["a/.git", ".racetrack", "dist", "built"] {
            assert!(!to.join(path).exists(), "{path}");
        }
    }

    #[test]
    fn circumstances_differ_from_the_present_ones() {
        assert_eq!(other_than(None, ["usual", "other"]), "usual");
        assert_eq!(other_than(Some("present".into()), ["usual", "other"]), "usual");
        assert_eq!(other_than(Some("usual".into()), ["usual", "other"]), "other");
    }
}
