//! `cargo xtask fetch`: plugin sources that are elsewhere, into the store; for machines that build without a network, and to
//! learn the digest of a bundle before it is declared.

use std::path::Path;

use anyhow::{Context, Result};
use racetrack_bundle::Diagnostics;

use super::UsageError;
use crate::checkout::Checkout;
use crate::cli::FetchArgs;
use crate::declaration::Declaration;
use crate::load::Rejected;
use crate::quantity::counted;
use crate::remote::{BundleAddress, Sha256, download, provide};
use crate::shell::{Shell, print_data};
use crate::source_argument::quoted;

/// Fetches what the declaration names, or the one source that is asked for.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &FetchArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    if let Some(source) = &args.source {
        let Fetched { key, address, sha256 } = fetch_one(source, checkout, shell)?;
        let (address, sha256) = (quoted(&address.to_string()), quoted(&sha256.to_string()));
        return print_data(&format!("[[plugin]]\n{key} = {address}\nsha256 = {sha256}\n"));
    }
    let declaration = Declaration::load(&checkout.declaration(declaration), checkout).map_err(Rejected)?;
    let mut diagnostics = Diagnostics::default();
    let remote: Vec<_> = declaration.plugins.iter().filter(|plugin| plugin.remote.is_some()).collect();
    for plugin in &remote {
        if let Err(diagnostic) = provide(plugin, &declaration, checkout, shell) {
            diagnostics.push(diagnostic);
        }
    }
    diagnostics.into_result(()).map_err(Rejected)?;
    shell.status("Finished", format_args!("{} from elsewhere in the store", counted(remote.len(), "source")));
    Ok(())
}

/// A bundle that was fetched before it is declared.
pub(super) struct Fetched {
    /// The key that declares its address.
    pub(super) key: &'static str,
    /// Its address.
    pub(super) address: BundleAddress,
    /// What it is.
    pub(super) sha256: Sha256,
}

/// Fetches a bundle to learn its digest. It stays in the store, so that it is not fetched again once it is declared.
pub(super) fn fetch_one(source: &str, checkout: &Checkout, shell: &Shell) -> Result<Fetched> {
    if checkout.offline {
        return Err(UsageError::Offline { what: "fetching a source whose digest is not known" }.into());
    }
    let address: BundleAddress = source.parse().map_err(|error: crate::remote::Invalid| {
        UsageError::Source { message: error.message, help: error.help }
    })?;
    shell.status("Fetching", &address);
    let progress = shell.transfer();
    let sha256 = download(&address, &checkout.store(), |bytes| progress.set_position(bytes));
    progress.finish_and_clear();
    let sha256 = sha256.with_context(|| format!("cannot fetch {address}"))?;
    let key = match &address {
        BundleAddress::Url(url) => {
            if url.scheme() == "http" {
                shell.warn("the connection was not protected; compare the digest with the author's before you use it");
            }
            "url"
        }
        BundleAddress::Release(_) => "release",
    };
    Ok(Fetched { key, address, sha256 })
}
