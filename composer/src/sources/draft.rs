//! A declaration that is being edited: checked as it is, checked as it would be, and only then written.

use crate::session::Session;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::checkout::Checkout;
use crate::declaration::{Declaration, Document};
use crate::files::replace;
use crate::plan::Loaded;
use crate::rejected::Rejected;
use crate::sources::load::compose;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A declaration as it is on disk.
pub struct Draft {
    file: PathBuf,
    /// What it says.
    pub declaration: Declaration,
}

impl Draft {
    /// Reads and checks the declaration at `path`, or the one of the checkout.
    pub fn load(path: Option<&Path>, checkout: &Checkout) -> Result<Self> {
        let file = checkout.declaration(path);
        let declaration = Declaration::load(&file, checkout).map_err(Rejected)?;
        Ok(Self { file, declaration })
    }

    /// Writes another text, if it is that of a declaration that can be built. Otherwise nothing is written.
    pub fn write(&self, text: &str, session: &Session) -> Result<Loaded> {
        let Session { checkout, shell } = session;
        let Document { file, text: former } = &self.declaration.document;
        let document = Document { file: file.clone(), text: text.into() };
        let checked =
            Declaration::check(document, &self.file, checkout).map_err(|found| Rejected(found).into());
        let loaded = checked.and_then(|declaration| compose(declaration, session));
        let loaded = loaded.inspect_err(|_| {
            shell.status("Keeping", format_args!("{} as it is; edited, it would be wrong:", file.display()));
        })?;
        // A link stays a link.
        let file = fs::canonicalize(&self.file)?;
        let found = fs::read_to_string(&file)?;
        let mark = if found.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK } else { "" };
        if found[mark.len()..] != **former {
            anyhow::bail!("{} was changed by somebody else meanwhile", file.display());
        }
        let permissions = fs::metadata(&file)?.permissions();
        replace(&file, |temporary| {
            std::fs::write(temporary, format!("{mark}{text}"))?;
            std::fs::set_permissions(temporary, permissions)
        })
        .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(loaded)
    }
}
