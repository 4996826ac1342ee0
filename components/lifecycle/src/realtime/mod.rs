//! What lifecycle tells its clients of its own accord: that jobs changed, and the lines of their logs.

pub mod change_events;
pub(crate) mod live_connections;
pub mod log_streaming;
