//! No code. Both components depend on this crate so that they ask for the same features of the crates that they share, and a build
//! of both compiles those crates once. What a plugin asks for stays its own.
