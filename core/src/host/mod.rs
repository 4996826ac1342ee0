//! What runs plugins: the registry of a component, which is held to the plan that its build made, and rounds of hook
//! calls with their time limits and failures. Components and generated code use it; plugins do not.

pub mod catalogue;
pub mod failure;
pub mod plan;
pub mod progress;
pub mod registry;
mod round;
pub mod start;
pub mod time_limit;
