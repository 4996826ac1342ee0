//! What the launcher and the build system have in common while they wait for cargo: a sign of life.

pub mod heartbeat;
