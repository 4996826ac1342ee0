//! What is verified, and its builds from copies of the checkout.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::artifacts::compiled_crates;
use super::second_checkout::{Circumstances, SecondCheckout};
use super::suspects::suspects;
use crate::build::{BuildLocks, BuildRequest, Selection};
use crate::cargo::CompileOptions;
use crate::declaration::Declaration;
use crate::rejected::Rejected;
use crate::session::Session;
use crate::workspace::assemble as workspace;

/// What is verified.
pub(super) struct Subject<'a> {
    file: PathBuf,
    /// Its declaration.
    pub(super) declaration: Declaration,
    /// The folders of `--override`, canonical, in the order of the arguments.
    overrides: Vec<PathBuf>,
    request: &'a BuildRequest,
    /// With the vendor folder that is built from, if there is one.
    session: &'a Session,
    /// `gc` would take the copies for something left over, and another verification would remove them.
    _locks: BuildLocks,
}

impl<'a> Subject<'a> {
    /// What the request names, locked.
    pub(super) fn open(request: &'a BuildRequest, session: &'a Session) -> Result<Self> {
        let checkout = &session.checkout;
        let file = checkout.declaration(request.declaration.as_deref()).canonicalize()?;
        let declaration = Declaration::load(&file, checkout).map_err(Rejected)?;
        let locks = BuildLocks::take(&declaration, session)?;
        let overrides = request.overrides.iter().map(|replaced| replaced.path.canonicalize());
        let overrides =
            overrides.collect::<Result<_, _>>().context("cannot find the folder of an override")?;
        Ok(Self { file, declaration, overrides, request, session, _locks: locks })
    }

    /// The content of a file of the output folder in a copy.
    pub(super) fn binary(&self, copy: &SecondCheckout, file: &OsStr) -> Result<Vec<u8>> {
        let out_dir = copy.path(&self.declaration.out_dir, &self.session.checkout)?;
        Ok(fs::read(out_dir.join(file))?)
    }

    /// Builds a copy of the checkout, with the same request.
    pub(super) fn build_again(&self, circumstances: Circumstances) -> Result<SecondCheckout> {
        let Self { file, declaration, request, .. } = self;
        let Session { checkout, shell } = self.session;
        let copy = SecondCheckout::make(circumstances, declaration, &self.overrides, checkout)?;
        shell.status("Copied", format_args!("the checkout to {}", checkout.display(&copy.checkout.root)));
        let mut arguments: Vec<OsString> = vec!["build".into(), "--offline".into()];
        arguments.extend(["--declaration".into(), copy.path(file, checkout)?.into()]);
        for component in &request.selection.components {
            arguments.extend(["--component".into(), component.into()]);
        }
        let Selection { profile, target, .. } = &request.selection;
        for (option, value) in [("--profile", profile), ("--target", target)] {
            arguments.extend(value.iter().flat_map(|value| [option.into(), value.into()]));
        }
        for (replaced, folder) in request.overrides.iter().zip(&self.overrides) {
            let folder = copy.path(folder, checkout)?;
            arguments
                .extend(["--override".into(), format!("{}={}", replaced.plugin, folder.display()).into()]);
        }
        if let Some(vendor) = &checkout.vendor {
            arguments.extend(["--vendor".into(), vendor.path().into()]);
        }
        let switches =
            [("--locked", request.locked), ("--frozen", request.frozen), ("--quiet", shell.is_quiet())];
        arguments.extend(switches.into_iter().filter(|(_, on)| *on).map(|(switch, _)| switch.into()));
        let status = copy.command(&arguments)?.status().context("cannot start the second build")?;
        if !status.success() {
            let root = copy.checkout.root.display();
            bail!("the second build failed: its copy in {root} lacks something that the first one had");
        }
        Ok(copy)
    }

    /// Names each crate that makes the difference.
    pub(super) fn blame(
        &self,
        component: &str,
        second: &SecondCheckout,
        third: &SecondCheckout,
    ) -> Result<()> {
        let crates = |copy: &SecondCheckout| {
            let (selection, locked) = (&self.request.selection, self.request.is_locked());
            let options = selection.compile_options(&self.declaration, locked, &copy.checkout)?;
            // As it was compiled, so that there is nothing to compile anew.
            let options = CompileOptions { variables: copy.variables(), ..options };
            let folder = copy.path(&self.declaration.folder, &self.session.checkout)?;
            let declaration = Declaration { folder, ..self.declaration.clone() };
            let folder = workspace::folder(&declaration, component);
            let target_dir = workspace::target_dir(&declaration, component);
            let session = Session { checkout: copy.checkout.clone(), shell: self.session.shell.clone() };
            compiled_crates(&folder, &target_dir, &options, &session)
        };
        let found = suspects(&crates(third)?, &crates(second)?);
        if found.is_empty() {
            self.session
                .shell
                .reason(component, "all its crates are the same: the difference arises when they are linked");
        }
        for suspect in found {
            self.session.shell.reason(component, format_args!("crate `{}`: {}", suspect.name, suspect.cause));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, TryLockError};
    use std::path::Path;

    use super::*;
    use crate::checkout::Checkout;
    use crate::shell::Shell;
    use crate::sources::store_use;
    use crate::vendor_folder::VendorFolder;

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
        let request = BuildRequest { declaration: Some(file), ..BuildRequest::default() };
        let session = Session { checkout, shell: Shell::new(true) };
        let subject = Subject::open(&request, &session).unwrap();
        assert_eq!(subject.declaration.plugins[0].origin.path(), Path::new("/vendor/plugins/x.zip"));
        let lock = File::open(root.join(".racetrack/.lock")).unwrap();
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(store_use::seize(&session.checkout.store()).unwrap().is_none());
        drop(subject);
        lock.try_lock().unwrap();
    }
}
