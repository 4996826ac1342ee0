//! `cargo xtask verify`: a second build, from a copy under other circumstances, gives the same bytes.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::build;
use crate::checkout::Checkout;
use crate::cli::{BuildArgs, VerifyArgs};
use crate::declaration::Declaration;
use crate::load::{Rejected, declaration_path};
use crate::shell::Shell;
use crate::verification::{SecondCheckout, compiled_crates, first_difference, suspects};
use crate::workspace;

/// Builds the declared components, or the chosen ones, twice and compares the binaries.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &VerifyArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let first = build::run(declaration, &args.build, checkout, shell)?;
    let file = declaration_path(declaration, checkout).canonicalize()?;
    let declaration = Declaration::load(&file, checkout).map_err(Rejected)?;
    shell.status(
        "Copying",
        format_args!("the checkout to {}", checkout.display(&SecondCheckout::folder_of(&declaration))),
    );
    let second = SecondCheckout::make(&declaration, checkout)?;
    let file = second.path(&file, checkout)?;
    let folder = second.path(&declaration.folder, checkout)?;
    let out_dir = folder.join(".racetrack/verified");
    let mut arguments = arguments(&file, &out_dir, &args.build, shell);
    for replaced in &args.build.overrides.overrides {
        let folder = replaced.path.canonicalize()?;
        let folder = second.path(&folder, checkout)?;
        arguments.extend(["--override".into(), format!("{}={}", replaced.plugin, folder.display()).into()]);
    }
    let status = second.command(&arguments)?.status().context("cannot start the second build")?;
    if !status.success() {
        bail!(
            "the second build failed: the copy in {} lacks something that the first one had",
            second.folder().display()
        );
    }
    let mut different = Vec::new();
    for (component, binary) in &first.binaries {
        let name = binary.file_name().context("a binary has a name")?;
        let (one, other) = (fs::read(binary)?, fs::read(out_dir.join(name))?);
        if one == other {
            let digest = blake3::hash(&one).to_hex();
            shell.status(
                "Verified",
                format_args!("component `{component}`: {} bytes, BLAKE3 {digest}", one.len()),
            );
            continue;
        }
        different.push(component.as_str());
        shell.problem(format_args!("component `{component}` differs{}", first_difference(&one, &other)));
        for line in blame(component, &declaration, &folder, args, checkout, &second, shell)? {
            shell.reason(line);
        }
    }
    if !different.is_empty() {
        bail!(
            "not reproducible: {}; both builds are kept, the second one in {}",
            different.join(", "),
            checkout.display(second.folder())
        );
    }
    if args.keep { Ok(()) } else { second.remove() }
}

fn arguments(declaration: &Path, out_dir: &Path, args: &BuildArgs, shell: &Shell) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["build".into(), "--offline".into()];
    arguments.extend(["--declaration".into(), declaration.into(), "--out-dir".into(), out_dir.into()]);
    for component in &args.component {
        arguments.extend(["--component".into(), component.into()]);
    }
    for (option, value) in [("--profile", &args.profile), ("--target", &args.target)] {
        arguments.extend(value.iter().flat_map(|value| [option.into(), value.into()]));
    }
    let switches = [("--locked", args.locked), ("--quiet", shell.is_quiet())];
    arguments.extend(switches.into_iter().filter(|(_, on)| *on).map(|(switch, _)| switch.into()));
    arguments
}

/// A line for each crate that makes the difference.
fn blame(
    component: &str,
    declaration: &Declaration,
    second_folder: &Path,
    args: &VerifyArgs,
    checkout: &Checkout,
    second: &SecondCheckout,
    shell: &Shell,
) -> Result<Vec<String>> {
    let first = Checkout { offline: true, ..checkout.clone() };
    let options = build::compile_options(declaration, &args.build, &first)?;
    let in_second = Declaration { folder: second_folder.to_path_buf(), ..declaration.clone() };
    let crates = |declaration: &Declaration, checkout: &Checkout| {
        let folder = workspace::folder(declaration, component);
        let target_dir = workspace::target_dir(declaration, component);
        compiled_crates(&folder, &target_dir, &options, checkout, shell)
    };
    let found = suspects(&crates(declaration, &first)?, &crates(&in_second, &second.checkout)?);
    if found.is_empty() {
        return Ok(vec![
            "all its crates are the same: the difference arises when they are linked".to_owned(),
        ]);
    }
    Ok(found.into_iter().map(|suspect| format!("crate `{}`: {}", suspect.name, suspect.cause)).collect())
}
