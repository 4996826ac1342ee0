//! The real `xtask`, run on fixtures. Nothing is compiled: where a build has to go as far as cargo, cargo is a program
//! that fails at once.

mod archives;
mod bad_input;
mod doctor;
mod edited;
mod garbage;
mod generated;
mod git_sources;
mod inspect;
mod line_endings;
mod locked;
mod ordered;
mod overridden;
mod planned;
mod plugins;
mod remote_bundles;
mod sandbox;
mod schema;
mod server;
mod updated;
mod usage;
mod vendored;
