//! `cargo xtask verify`: a second build, from a copy under other circumstances, gives the same bytes.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::build::{self, Distribution, Purpose};
use crate::cargo::CompileOptions;
use crate::checkout::Checkout;
use crate::cli::{BuildArgs, SelectionArgs, VerifyArgs};
use crate::declaration::Declaration;
use crate::load::Rejected;
use crate::shell::Shell;
use crate::store_use;
use crate::verification::{Circumstances, SecondCheckout, compiled_crates, first_difference, suspects};
use crate::workspace;

/// What is verified.
struct Subject<'a> {
    file: PathBuf,
    declaration: Declaration,
    /// The folders of `--override`, canonical, in the order of the arguments.
    overrides: Vec<PathBuf>,
    args: &'a BuildArgs,
    /// With the vendor folder that is built from, if there is one.
    checkout: &'a Checkout,
    shell: &'a Shell,
    /// Those of the store and of the declaration: `gc` would take the copies for something left over, and another
    /// verification would remove them.
    _locks: [File; 2],
}

/// A binary of the first build.
struct FirstBinary {
    component: String,
    /// Its name in the output folder.
    file: OsString,
    content: Vec<u8>,
}

/// Builds the declared components, or the chosen ones, twice and compares the binaries.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &VerifyArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let checkout = &build::frozen(&args.build, declaration, checkout, shell)?;
    let first = build::run(declaration, &args.build, Purpose::Distribution, checkout, shell)?;
    let subject = Subject::open(declaration, &args.build, checkout, shell)?;
    let first = read(&first)?;
    SecondCheckout::remove_all(&subject.declaration)?;
    let second = subject.build_again(Circumstances::Other)?;
    let mut different = Vec::new();
    for binary in &first {
        let (one, other) = (&binary.content, subject.binary(&second, binary)?);
        let component = &binary.component;
        if *one == other {
            let digest = blake3::hash(one).to_hex();
            let length = one.len();
            shell
                .status("Verified", format_args!("component `{component}`: {length} bytes, BLAKE3 {digest}"));
        } else {
            different.push((binary, first_difference(one, &other)));
        }
    }
    if !different.is_empty() {
        // What the first build used may be left from other declarations, so its crates are no ground for blame.
        let third = subject.build_again(Circumstances::Present)?;
        for (binary, difference) in &different {
            let component = &binary.component;
            shell.problem(format_args!("component `{component}` differs{difference}"));
            if subject.binary(&second, binary)? == subject.binary(&third, binary)? {
                let reason = "a clean build is the same each time; something is left from an earlier one: remove .racetrack/build";
                shell.reason(component, reason);
            } else {
                subject.blame(component, &second, &third)?;
            }
        }
        let kept = SecondCheckout::folder_of(&subject.declaration);
        let names: Vec<_> = different.iter().map(|(binary, _)| binary.component.as_str()).collect();
        bail!("not reproducible: {}; the copies are kept in {}", names.join(", "), checkout.display(&kept));
    }
    if args.keep { Ok(()) } else { SecondCheckout::remove_all(&subject.declaration) }
}

/// What the first build gave. Another build replaces it as soon as nobody has the lock of the declaration.
fn read(first: &Distribution) -> Result<Vec<FirstBinary>> {
    let binaries = first.binaries.iter().map(|(component, path)| {
        let file = path.file_name().context("a binary has a name")?.to_owned();
        Ok(FirstBinary { component: component.clone(), file, content: fs::read(path)? })
    });
    binaries.collect()
}

impl<'a> Subject<'a> {
    /// What the command line names, locked.
    fn open(
        declaration: Option<&Path>,
        args: &'a BuildArgs,
        checkout: &'a Checkout,
        shell: &'a Shell,
    ) -> Result<Self> {
        let store = store_use::share(&checkout.store(), shell)?;
        let file = checkout.declaration(declaration).canonicalize()?;
        let declaration = Declaration::load(&file, checkout).map_err(Rejected)?;
        let lock = build::exclusive(&declaration, shell)?;
        let overrides = args.overrides.overrides.iter().map(|replaced| replaced.path.canonicalize());
        let overrides =
            overrides.collect::<Result<_, _>>().context("cannot find the folder of an override")?;
        Ok(Self { file, declaration, overrides, args, checkout, shell, _locks: [store, lock] })
    }

    /// What a copy has instead of a binary of the first build.
    fn binary(&self, copy: &SecondCheckout, first: &FirstBinary) -> Result<Vec<u8>> {
        Ok(fs::read(copy.path(&self.declaration.out_dir, self.checkout)?.join(&first.file))?)
    }

    fn build_again(&self, circumstances: Circumstances) -> Result<SecondCheckout> {
        let Self { file, declaration, checkout, shell, .. } = self;
        let copy = SecondCheckout::make(circumstances, declaration, &self.overrides, checkout)?;
        shell.status("Copied", format_args!("the checkout to {}", checkout.display(&copy.checkout.root)));
        let mut arguments: Vec<OsString> = vec!["build".into(), "--offline".into()];
        arguments.extend(["--declaration".into(), copy.path(file, checkout)?.into()]);
        for component in &self.args.selection.component {
            arguments.extend(["--component".into(), component.into()]);
        }
        let SelectionArgs { profile, target, .. } = &self.args.selection;
        for (option, value) in [("--profile", profile), ("--target", target)] {
            arguments.extend(value.iter().flat_map(|value| [option.into(), value.into()]));
        }
        for (replaced, folder) in self.args.overrides.overrides.iter().zip(&self.overrides) {
            let folder = copy.path(folder, checkout)?;
            arguments
                .extend(["--override".into(), format!("{}={}", replaced.plugin, folder.display()).into()]);
        }
        if let Some(vendor) = &checkout.vendor {
            arguments.extend(["--vendor".into(), vendor.path().into()]);
        }
        let switches =
            [("--locked", self.args.locked), ("--frozen", self.args.frozen), ("--quiet", shell.is_quiet())];
        arguments.extend(switches.into_iter().filter(|(_, on)| *on).map(|(switch, _)| switch.into()));
        let status = copy.command(&arguments)?.status().context("cannot start the second build")?;
        if !status.success() {
            let root = copy.checkout.root.display();
            bail!("the second build failed: its copy in {root} lacks something that the first one had");
        }
        Ok(copy)
    }

    /// Names each crate that makes the difference.
    fn blame(&self, component: &str, second: &SecondCheckout, third: &SecondCheckout) -> Result<()> {
        let crates = |copy: &SecondCheckout| {
            let (selection, locked) = (&self.args.selection, self.args.is_locked());
            let options = build::compile_options(&self.declaration, selection, locked, &copy.checkout)?;
            // As it was compiled, so that there is nothing to compile anew.
            let options = CompileOptions { variables: copy.variables(), ..options };
            let folder = copy.path(&self.declaration.folder, self.checkout)?;
            let declaration = Declaration { folder, ..self.declaration.clone() };
            let folder = workspace::folder(&declaration, component);
            let target_dir = workspace::target_dir(&declaration, component);
            compiled_crates(&folder, &target_dir, &options, &copy.checkout, self.shell)
        };
        let found = suspects(&crates(third)?, &crates(second)?);
        if found.is_empty() {
            self.shell
                .reason(component, "all its crates are the same: the difference arises when they are linked");
        }
        for suspect in found {
            self.shell.reason(component, format_args!("crate `{}`: {}", suspect.name, suspect.cause));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::TryLockError;

    use super::*;
    use crate::vendor::VendorFolder;

    #[test]
    fn what_is_verified_is_locked_and_may_be_vendored() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("a/Cargo.toml"), "[package]\nname = \"a\"\n").unwrap();
        let file = root.join("edge.toml");
        let text = "[components.a]\npackage = \"a\"\npath = \"a\"\n\n[[plugin]]\nzip = \"x.zip\"\n";
        fs::write(&file, text).unwrap();
        let checkout = Checkout {
            root: root.clone(),
            cargo: "cargo".into(),
            cargo_home: root.join("home"),
            homes: Vec::new(),
            offline: true,
            vendor: Some(VendorFolder::for_tests("/vendor", "index-0").with_plugin("x.zip", "plugins/x.zip")),
        };
        let (args, shell) = (BuildArgs::default(), Shell::new(true));
        let subject = Subject::open(Some(&file), &args, &checkout, &shell).unwrap();
        assert_eq!(subject.declaration.plugins[0].origin.path(), Path::new("/vendor/plugins/x.zip"));
        let lock = File::open(root.join(".racetrack/.lock")).unwrap();
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(store_use::seize(&checkout.store()).unwrap().is_none());
        drop(subject);
        lock.try_lock().unwrap();
    }
}
