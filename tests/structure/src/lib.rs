//! Which source file of a package uses which, read from the code itself.
//!
//! [`modules`] reads the module tree of a package, [`arrows`] resolves the paths that its files name, through imports and
//! re-exports to the file that defines the item. [`circles`] are files that use each other, and [`floors`] holds the
//! arrows against a committed order of rooms. A room is a top-level module of a package: one file, or a folder.
//!
//! What only tests use does not count: an item under `#[cfg(test)]` may name whatever it tests.
//!
//! `cargo run -p racetrack-structure [PACKAGE]` prints the rooms of each package from the top floor down, in the form of
//! the table, and the circles.

pub mod arrows;
pub mod circles;
pub mod floors;
pub mod modules;
pub mod names;
pub mod packages;

pub use arrows::{Arrow, Arrows};
pub use modules::ModuleTree;
pub use packages::Sources;
