//! Pictures of a plan: each component with its plugins in hook order, and the order in which each hook reaches them.

mod dot;
mod svg;

pub use dot::dot;
pub use svg::svg;
