//! Bundles that are fetched before they are declared, to learn their digests.

use anyhow::{Context, Result};

use crate::remote::{BundleAddress, Invalid, Sha256, download};
use crate::session::{NetworkForbidden, Session};

/// A text that names no source.
#[derive(Debug, thiserror::Error)]
#[error("{message}; {help}")]
pub struct AddressError {
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// A bundle that was fetched before it is declared.
pub struct DiscoveredBundle {
    /// The key that declares its address.
    pub key: &'static str,
    /// Its address.
    pub address: BundleAddress,
    /// What it is.
    pub sha256: Sha256,
}

/// Fetches a bundle to learn its digest. It stays in the store, so that it is not fetched again once it is declared.
pub fn discover(source: &str, session: &Session) -> Result<DiscoveredBundle> {
    let Session { checkout, shell } = session;
    if checkout.offline {
        return Err(NetworkForbidden { what: "fetching a source whose digest is not known" }.into());
    }
    let address: BundleAddress =
        source.parse().map_err(|Invalid { message, help }| AddressError { message, help })?;
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
    Ok(DiscoveredBundle { key, address, sha256 })
}
