//! A reader that goes no further than it may, and knows how what it has read ends.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Reads no more than it may, and knows how it ended.
pub(super) struct Guarded<R> {
    pub(super) inner: R,
    pub(super) left: u64,
    pub(super) end: Rc<End>,
}

/// How what has been read so far ends.
#[derive(Default)]
pub(super) struct End {
    /// How many zeros came last.
    pub(super) zeros: Cell<u64>,
    /// Whether there is no more.
    pub(super) is_reached: Cell<bool>,
    /// How much may be read until the next entry; nothing while its content is.
    pub(super) header_left: Cell<Option<u64>>,
}

/// The error of a [`Guarded`] reader that would have read more than it may.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("more than the limit")]
pub(super) enum OverLimit {
    Size,
    Header,
}

/// The [`OverLimit`] in the chain of causes; readers on the way wrap errors in their own.
pub(super) fn over_limit(error: &(dyn std::error::Error + 'static)) -> Option<OverLimit> {
    let of_io = || error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error
        .downcast_ref::<OverLimit>()
        .copied()
        .or_else(|| of_io().and_then(|inner| over_limit(inner)))
        .or_else(|| error.source().and_then(over_limit))
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(length as u64) else {
            return Err(io::Error::other(OverLimit::Size));
        };
        self.left = left;
        if let Some(left) = self.end.header_left.get() {
            let left = left.checked_sub(length as u64).ok_or_else(|| io::Error::other(OverLimit::Header))?;
            self.end.header_left.set(Some(left));
        }
        self.end.is_reached.set(length == 0 && !buffer.is_empty());
        let trailing = buffer[..length].iter().rev().take_while(|byte| **byte == 0).count();
        let before = if trailing == length { self.end.zeros.get() } else { 0 };
        self.end.zeros.set(before + trailing as u64);
        Ok(length)
    }
}
