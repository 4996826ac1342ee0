//! Why an archive as a whole is refused.

use crate::Code;

/// One sentence that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArchiveRefusal {
    pub(super) code: Code,
    pub(super) message: String,
}

pub(super) fn refuse<T>(code: Code, message: impl Into<String>) -> Result<T, ArchiveRefusal> {
    Err(ArchiveRefusal { code, message: message.into() })
}
