//! The pipeline: from a request to checked binaries in the output folder.

use std::path::PathBuf;

use anyhow::Result;

use super::announcement::announce;
use super::components::install_all;
use super::locks::BuildLocks;
use super::output_folder::out_dir;
use super::request::BuildRequest;
use crate::lockfile::admit;
use crate::session::Session;
use crate::sources::load::load;
use crate::sources::unpacking::unpack;
use crate::workspace::generate::CheckoutManifest;
use crate::workspace::prepare::{BuildContext, prepare_all};

/// The binaries of a finished build.
#[derive(Debug)]
pub struct Distribution {
    /// The component and its binary, by name of the component.
    pub binaries: Vec<(String, PathBuf)>,
}

/// Builds the declared components, or the selected ones.
pub fn build(request: &BuildRequest, session: &Session) -> Result<Distribution> {
    request.check()?;
    let session = &request.session(session)?;
    let loaded = load(request.declaration.as_deref(), &request.overrides, session)?;
    let selection = request.selection();
    let options = selection.compile_options(&loaded.declaration, request.is_locked(), &session.checkout)?;
    let out_dir = out_dir(request, &loaded.declaration, &session.checkout)?;
    announce(&loaded, &options, request.purpose, session);
    let admitted = admit(loaded, request.is_locked(), session)?;
    let _locks = BuildLocks::take(admitted.declaration(), session)?;
    unpack(admitted.loaded(), session)?;
    let manifest = CheckoutManifest::load(&session.checkout.root)?;
    let context = BuildContext { admitted: &admitted, manifest: &manifest, options: &options, session };
    let prepared = prepare_all(&selection.of(&admitted.loaded().plan.components), &context)?;
    let installed = install_all(&prepared, &out_dir, &context)?;
    let names = installed.iter().map(|(_, path)| session.checkout.display(path).to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    session.shell.status("Finished", format_args!("`{}` profile: {names}", options.profile_name));
    Ok(Distribution { binaries: installed })
}
