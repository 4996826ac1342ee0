//! Why an archive as a whole is refused.

use crate::Code;

/// One sentence that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedArchive {
    pub(super) code: Code,
    pub(super) message: String,
}

pub(super) fn refuse<T>(code: Code, message: impl Into<String>) -> Result<T, RefusedArchive> {
    Err(RefusedArchive { code, message: message.into() })
}
