//! One call of a kind at a time for each infrastructure target.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The calls that have not ended, by target. A target that blocks its thread is not called again meanwhile, because each call
/// would cost another thread.
#[derive(Debug, Default)]
pub(crate) struct Turns(HashMap<String, Weak<()>>);

/// Held while the call goes on.
pub(crate) type Turn = Arc<()>;

impl Turns {
    /// The turn of the next call of the target, or nothing while the former call goes on.
    pub(crate) fn next(&mut self, target: &str) -> Option<Turn> {
        if self.0.get(target).is_some_and(|former| former.strong_count() > 0) {
            return None;
        }
        let turn = Arc::new(());
        self.0.insert(target.to_owned(), Arc::downgrade(&turn));
        Some(turn)
    }
}
