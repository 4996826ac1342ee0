//! `cargo xtask vendor`: everything a build needs that is not in the checkout, in one folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use super::{UsageError, build};
use crate::checkout::Checkout;
use crate::cli::{OverrideArgs, SelectionArgs, VendorArgs};
use crate::declaration::{Declaration, OutDirRefusal, check_out_dir, normal};
use crate::generate::CheckoutManifest;
use crate::load::load;
use crate::lockfile;
use crate::prepare::Site;
use crate::quantity::counted;
use crate::shell::Shell;
use crate::store_use;
use crate::vendor::{Record, make};

/// Makes the folder, or makes it anew. Nothing is half-made: it is filled elsewhere and moved to its place.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &VendorArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let loaded = load(declaration, &OverrideArgs::default(), checkout, shell)?;
    let declaration = &loaded.declaration;
    let folder = place(&args.folder, declaration, checkout)?;
    // What is built from the folder is built frozen, so the lock must hold now.
    let locked = lockfile::admit(&loaded, true, checkout, shell)?;
    let _store = store_use::share(&checkout.store(), shell)?;
    let _lock = build::exclusive(declaration, shell)?;
    build::unpack(&loaded, checkout, shell)?;
    let options = build::compile_options(declaration, &SelectionArgs::default(), true, checkout)?;
    let manifest = CheckoutManifest::load(&checkout.root)?;
    let site = Site { declaration, manifest: &manifest, options: &options, checkout, shell };
    let components: Vec<_> = loaded.plan.components.iter().collect();
    build::write(&components, &locked, &site)?;
    let name = folder.file_name().context("a folder has a name")?.to_string_lossy();
    let temporary = folder.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::create_dir_all(&temporary)?;
    let made = make(&loaded, &temporary, checkout.offline, checkout, shell)
        .and_then(|made| move_to(&temporary, &folder).map(|()| made));
    if made.is_err() {
        // What failed is told; that something is left behind is the lesser evil.
        let _ = fs::remove_dir_all(&temporary);
    }
    let made = made.with_context(|| format!("cannot vendor into {}", checkout.display(&folder)))?;
    let holds = format!("{} and {}", counted(made.crates, "crate"), counted(made.plugins, "plugin source"));
    let shown = checkout.display(&folder);
    shell.status("Finished", format_args!("{shown}: {holds}; SHA-256 of its checksums {}", made.digest));
    Ok(())
}

/// The folder to fill, absolute: it must not exist, or be empty, or have been made by us.
fn place(given: &Path, declaration: &Declaration, checkout: &Checkout) -> Result<PathBuf> {
    let folder = normal(&std::path::absolute(given).context("cannot find the current folder")?);
    let refused = |reason: String| UsageError::VendorFolder { path: given.display().to_string(), reason };
    check_out_dir(&folder, declaration, checkout).map_err(|refusal| {
        refused(match refusal {
            OutDirRefusal::Holds { held } => format!("holds `{held}`"),
            OutDirRefusal::Inside { owner } => format!("is in `{owner}`"),
        })
    })?;
    let is_free = match fs::read_dir(&folder) {
        Ok(mut entries) => entries.next().is_none() || folder.join(Record::FILE_NAME).is_file(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(refused("is something else than a vendor folder".to_owned()).into());
    }
    Ok(folder)
}

/// Puts a folder in the place of another one, which is removed when nothing can go wrong any more.
fn move_to(temporary: &Path, folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(fs::rename(temporary, folder)?);
    }
    let former = temporary.with_added_extension("former");
    fs::rename(folder, &former)?;
    if let Err(error) = fs::rename(temporary, folder) {
        fs::rename(&former, folder).with_context(|| format!("what was there is now {}", former.display()))?;
        return Err(error.into());
    }
    Ok(fs::remove_dir_all(former)?)
}
