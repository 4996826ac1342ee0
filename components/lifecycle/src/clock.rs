//! The time of day, as records and tokens have it.

use std::time::SystemTime;

/// Now, in seconds since 1970.
pub(crate) fn seconds_since_1970() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
