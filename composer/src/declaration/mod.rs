//! `racetrack.toml`: which plugins go into which components, and how the components are built.

mod declared;
mod document;
pub mod edit;
pub mod integer;
pub mod keys;
mod out_dir;
mod paths;
mod profile;
pub mod schema;
mod source;
mod syntax;
pub mod table;

use std::path::Path;

use racetrack_bundle::{Diagnostic, Diagnostics, Location};

pub use declared::{ComponentDeclaration, Declaration, DeclaredOrder, PartialDeclaration, PluginDeclaration};
pub use document::Document;
pub use out_dir::{OutDirRefusal, check_out_dir};
pub use paths::normal;
#[cfg(test)]
pub use profile::ProfileKey;
pub use profile::{Profile, Profiles, QUICK};

use crate::checkout::Checkout;
use crate::codes;

/// Reads a declaration as far as that goes without a disk. Returns how many plugins it has.
#[cfg(any(test, feature = "fuzzing"))]
pub fn read_text(document: &Document, diagnostics: &mut Diagnostics) -> usize {
    let written = syntax::parse(document, diagnostics);
    diagnostics.append(written.refused_sources);
    written.plugins.len()
}

impl Declaration {
    /// Reads and checks a declaration; everything that is wrong with it is reported together.
    pub fn load(file: &Path, checkout: &Checkout) -> Result<Self, Diagnostics> {
        Self::check(Document::load(file)?, file, checkout)
    }

    /// Reads and checks a declaration; what is wrong with sources of plugins is for the caller to report, together with what is wrong
    /// in the others.
    pub fn load_partially(file: &Path, checkout: &Checkout) -> Result<PartialDeclaration, Diagnostics> {
        Self::check_partially(Document::load(file)?, file, checkout)
    }

    /// Checks the text of a declaration that is, or is to be, at `file`.
    pub fn check(document: Document, file: &Path, checkout: &Checkout) -> Result<Self, Diagnostics> {
        let PartialDeclaration { declaration, refused } = Self::check_partially(document, file, checkout)?;
        refused.into_result(declaration)
    }

    fn check_partially(
        document: Document,
        file: &Path,
        checkout: &Checkout,
    ) -> Result<PartialDeclaration, Diagnostics> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|error| {
            let message = format!("the folder of the declaration cannot be found: {error}");
            Diagnostic::new(codes::MISSING_DECLARATION, Location::file(file), message)
        })?;
        let mut diagnostics = Diagnostics::default();
        if !folder.starts_with(&checkout.root) {
            let message = "the declaration is outside of the checkout";
            let help = format!("move it to a folder below {}", checkout.root.display());
            let location = Location::file(&document.file);
            return Err(Diagnostic::new(codes::OUTSIDE_CHECKOUT, location, message).with_help(help).into());
        }
        let written = syntax::parse(&document, &mut diagnostics);
        let PartialDeclaration { declaration, mut refused } =
            paths::resolve(written, document, folder, checkout, &mut diagnostics);
        refused.sort_by_place();
        if diagnostics.is_empty() {
            return Ok(PartialDeclaration { declaration, refused });
        }
        diagnostics.append(refused);
        diagnostics.sort_by_place();
        Err(diagnostics)
    }
}
