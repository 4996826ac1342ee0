//! `cargo xtask check`: everything short of compiling. Writes nothing but what it had to fetch.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::{Result, bail};

use crate::cli::CheckArgs;
use racetrack_composer::lockfile::{self, OrderDifference};
use racetrack_composer::quantity::counted;
use racetrack_composer::shell::print_data;
use racetrack_composer::sources::load::load;
use racetrack_composer::workspace::assemble as workspace;
use racetrack_composer::workspace::generate::CheckoutManifest;

/// Checks the declaration, its plugins and how they fit together.
pub(crate) fn run(declaration: Option<&Path>, args: &CheckArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let loaded = load(declaration, &args.overrides.overrides, session)?;
    let declaration = &loaded.declaration;
    let manifest = CheckoutManifest::load(&checkout.root)?;
    let mut differences = String::new();
    for component in &loaded.plan.components {
        let name = &component.declaration.name;
        let difference = workspace::difference(component, declaration, &manifest, checkout)?;
        differences.extend(difference.filter(|_| args.generated));
        shell.status(
            "Checking",
            format_args!("component `{name}` with {}", counted(component.plugins.len(), "plugin")),
        );
    }
    let orders = lockfile::advise(&loaded, shell)?;
    let diffs: String = orders.iter().map(OrderDifference::unified_diff).collect();
    print_data(&(differences.clone() + &diffs))?;
    if !differences.is_empty() {
        bail!("generated files are not what the declaration gives; `cargo xtask build` restores them");
    }
    if !orders.iter().all(OrderDifference::is_of_same_plugins) {
        let lock = lockfile::shown(declaration);
        bail!("the plugins or their order differ from {lock}; `cargo xtask lock` accepts that");
    }
    if !orders.is_empty() {
        bail!("hooks would run in another order than the locked one; `cargo xtask lock` accepts it");
    }
    shell.status("Finished", format_args!("{} is fine", declaration.document.file.display()));
    Ok(())
}
