//! The real `xtask`, run on fixtures. Nothing is compiled: where a build has to go as far as cargo, cargo is a program
//! that fails at once.

mod archives;
mod bad_input;
mod generated;
mod planned;
mod sandbox;
mod usage;
