//! The generated workspaces of all components, for those who do not compile them.

use anyhow::Result;

use super::locks::BuildLocks;
use super::selection::Selection;
use crate::lockfile::admit;
use crate::plan::Loaded;
use crate::session::Session;
use crate::sources::unpacking::unpack;
use crate::workspace::generate::CheckoutManifest;
use crate::workspace::prepare::{BuildContext, Prepared, prepare_all};

/// Writes the workspaces of all components as the lock of the declaration has them, and calls `then` while nobody else
/// may change them.
pub fn with_locked_workspaces<T>(
    loaded: Loaded,
    session: &Session,
    then: impl FnOnce(&Loaded, &[Prepared<'_>]) -> Result<T>,
) -> Result<T> {
    let checkout = &session.checkout;
    let admitted = admit(loaded, true, session)?;
    let loaded = admitted.loaded();
    let _locks = BuildLocks::take(&loaded.declaration, session)?;
    unpack(loaded, session)?;
    let options = Selection::default().compile_options(&loaded.declaration, true, checkout)?;
    let manifest = CheckoutManifest::load(&checkout.root)?;
    let context = BuildContext { admitted: &admitted, manifest: &manifest, options: &options, session };
    let prepared = prepare_all(&loaded.plan.components.iter().collect::<Vec<_>>(), &context)?;
    then(loaded, &prepared)
}
