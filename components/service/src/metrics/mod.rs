//! What is counted, in the format of Prometheus.

mod counts;
mod names;
mod recorder;

pub(crate) use self::counts::{
    connection_closed, connections_open, hook_called, hook_threads_blocked, request_answered,
};
pub use self::recorder::Metrics;
