//! Plugin sources from disk to diagnostics: every refusal has a fixture here, and its text.

mod archives;
mod codes;
mod crates;
mod folders;
mod manifests;
mod support;
mod zip64;
