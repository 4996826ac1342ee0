//! The generated workspace of each component.

pub mod assemble;
pub mod cargo_lock;
pub mod generate;
pub mod members;
pub mod output;
pub mod prepare;
