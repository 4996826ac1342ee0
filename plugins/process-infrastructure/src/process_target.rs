//! One target as lifecycle sees it.

use std::sync::Arc;

use crate::target::Target;

/// One target as lifecycle sees it. When the last of those who use it is gone, the target lets go of its jobs, which
/// run on.
pub(crate) struct ProcessTarget(pub(crate) Arc<Target>);

impl Drop for ProcessTarget {
    fn drop(&mut self) {
        self.0.release();
    }
}
