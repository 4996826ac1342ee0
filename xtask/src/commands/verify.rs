//! `cargo xtask verify`: a second build, from a copy under other circumstances, gives the same bytes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::build;
use crate::checkout::Checkout;
use crate::cli::{BuildArgs, SelectionArgs, VerifyArgs};
use crate::declaration::Declaration;
use crate::load::Rejected;
use crate::shell::Shell;
use crate::store_use;
use crate::vendor::VendorFolder;
use crate::verification::{Circumstances, SecondCheckout, compiled_crates, first_difference, suspects};
use crate::workspace;

/// What is verified.
struct Subject<'a> {
    file: PathBuf,
    declaration: Declaration,
    args: &'a BuildArgs,
    checkout: &'a Checkout,
    shell: &'a Shell,
}

/// Builds the declared components, or the chosen ones, twice and compares the binaries.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &VerifyArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let first = build::run(declaration, &args.build, checkout, shell)?;
    // `gc` would take the copy for something left over.
    let _store = store_use::share(&checkout.store(), shell)?;
    let file = checkout.declaration(declaration).canonicalize()?;
    let declaration = Declaration::load(&file, checkout).map_err(Rejected)?;
    let subject = Subject { file, declaration, args: &args.build, checkout, shell };
    SecondCheckout::remove_all(&subject.declaration)?;
    let second = subject.build_again(Circumstances::Other)?;
    let binary = |copy: &SecondCheckout, component: &str| -> Result<Vec<u8>> {
        Ok(fs::read(copy.path(&subject.declaration.out_dir, checkout)?.join(component))?)
    };
    let mut different = Vec::new();
    for (component, path) in &first.binaries {
        let (one, other) = (fs::read(path)?, binary(&second, component)?);
        if one == other {
            let digest = blake3::hash(&one).to_hex();
            let length = one.len();
            shell
                .status("Verified", format_args!("component `{component}`: {length} bytes, BLAKE3 {digest}"));
        } else {
            different.push((component.as_str(), first_difference(&one, &other)));
        }
    }
    if !different.is_empty() {
        // What the first build used may be left from other declarations, so its crates are no ground for blame.
        let third = subject.build_again(Circumstances::Present)?;
        for (component, difference) in &different {
            shell.problem(format_args!("component `{component}` differs{difference}"));
            if binary(&second, component)? == binary(&third, component)? {
                let reason = "a clean build is the same each time; something is left from an earlier one: remove .racetrack/build";
                shell.reason(component, reason);
            } else {
                subject.blame(component, &second, &third)?;
            }
        }
        let kept = SecondCheckout::folder_of(&subject.declaration);
        let names: Vec<_> = different.into_iter().map(|(component, _)| component).collect();
        bail!("not reproducible: {}; the copies are kept in {}", names.join(", "), checkout.display(&kept));
    }
    if args.keep { Ok(()) } else { SecondCheckout::remove_all(&subject.declaration) }
}

impl Subject<'_> {
    fn build_again(&self, circumstances: Circumstances) -> Result<SecondCheckout> {
        let Self { file, declaration, checkout, shell, .. } = self;
        let copy = SecondCheckout::make(circumstances, declaration, checkout)?;
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
        for replaced in &self.args.overrides.overrides {
            let folder = copy.path(&replaced.path.canonicalize()?, checkout)?;
            arguments
                .extend(["--override".into(), format!("{}={}", replaced.plugin, folder.display()).into()]);
        }
        if let Some(vendor) = &self.args.vendor {
            arguments.extend(["--vendor".into(), vendor.canonicalize()?.into()]);
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
        let open = |folder: &PathBuf| VendorFolder::open(folder, self.checkout, self.shell);
        let vendor = self.args.vendor.as_ref().map(open).transpose()?;
        let crates = |copy: &SecondCheckout| {
            let checkout = Checkout { vendor: vendor.clone(), ..copy.checkout.clone() };
            let (selection, locked) = (&self.args.selection, self.args.is_locked());
            let options = build::compile_options(&self.declaration, selection, locked, &checkout)?;
            let folder = copy.path(&self.declaration.folder, self.checkout)?;
            let declaration = Declaration { folder, ..self.declaration.clone() };
            let folder = workspace::folder(&declaration, component);
            let target_dir = workspace::target_dir(&declaration, component);
            compiled_crates(&folder, &target_dir, &options, &checkout, self.shell)
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
