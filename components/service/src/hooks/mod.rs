//! Calls the hooks of the plugins so that none of them can stop the server.
//!
//! Each round of calls runs on a thread of its own, and the server only waits for what the round hands over. A hook
//! that waits for ever is ended by its time limit. One that blocks its thread cannot be ended: the round is given up a
//! little after the time limit, its thread is left to itself, and a new round goes on with the next plugin.
//!
//! What hooks await and what plugins spawn runs on a tokio runtime apart from the server's. Time limits are measured by
//! the server's runtime, which no plugin can block.

mod plugin_owned;
mod plugin_thread;
mod replacement;
mod round;
mod runtime;
mod target_call;

pub use self::plugin_owned::PluginOwned;
pub use self::replacement::{Replacement, ReplacementError};
pub use self::round::HookCall;
pub use self::runtime::{HookRuntime, HookRuntimeError};
pub use self::target_call::{TargetCall, TargetFailure};
