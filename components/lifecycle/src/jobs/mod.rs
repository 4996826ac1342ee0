//! Jobs that are there: how the API shows them, their logs, and how they go.

pub(crate) mod delete;
pub(crate) mod graph;
pub(crate) mod logs;
pub(crate) mod portfolio;
mod rendered;
mod view;

pub(crate) use rendered::RenderedJobs;
pub(crate) use view::JobView;
