//! `cargo xtask fetch`: plugin sources that are elsewhere, into the store; for machines that build without a network, and to
//! learn the digest of a bundle before it is declared.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::Result;
use racetrack_bundle::Diagnostics;

use crate::cli::FetchArgs;
use racetrack_composer::declaration::Declaration;
use racetrack_composer::quantity::counted;
use racetrack_composer::rejected::Rejected;
use racetrack_composer::shell::print_data;
use racetrack_composer::sources::argument::quoted;
use racetrack_composer::sources::discovery::{DiscoveredBundle, discover};
use racetrack_composer::sources::provide::provide;

/// Fetches what the declaration names, or the one source that is asked for.
pub(crate) fn run(declaration: Option<&Path>, args: &FetchArgs, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    if let Some(source) = &args.source {
        let DiscoveredBundle { key, address, sha256 } = discover(source, session)?;
        let (address, sha256) = (quoted(&address.to_string()), quoted(&sha256.to_string()));
        return print_data(&format!("[[plugin]]\n{key} = {address}\nsha256 = {sha256}\n"));
    }
    let declaration = Declaration::load(&checkout.declaration(declaration), checkout).map_err(Rejected)?;
    let mut diagnostics = Diagnostics::default();
    let remote: Vec<_> = declaration.plugins.iter().filter(|plugin| plugin.remote.is_some()).collect();
    for plugin in &remote {
        if let Err(diagnostic) = provide(plugin, &declaration, session) {
            diagnostics.push(diagnostic);
        }
    }
    diagnostics.into_result(()).map_err(Rejected)?;
    shell.status("Finished", format_args!("{} from elsewhere in the store", counted(remote.len(), "source")));
    Ok(())
}
