//! Whole-system tests.
//!
//! They build declarations in sandboxes below `target/system-tests/`, with the commands that users type. All builds of a
//! checkout share `.racetrack/build/`, so a crate is compiled once per profile, however many tests need it.
//!
//! They do without a network, and cargo without its registry: `cargo fetch` has to have brought the crates of the lock.

mod attribute_messages;
mod blame;
mod crash_moments;
mod crashes;
mod failing_plugins;
mod fingerprint;
mod first_party;
mod idle_connections;
mod incremental;
mod inspect;
mod isolation;
mod order;
mod platform;
mod retention;
mod shared_features;
mod sizes;
mod vendor;
mod verify;
