//! What is checked of a finished binary, and put beside it.

pub mod provenance;
pub mod records;
pub mod sbom;
pub mod self_report;
