//! The packages of the workspace, and the source files of each.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, TargetKind};

/// The source files of one package: its library and its programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// Its name in the manifest.
    pub package: String,
    /// The first file of each library and each program, libraries first.
    pub roots: Vec<PathBuf>,
}

/// The folder of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// What cargo knows about the packages of the workspace, their dependencies named but not resolved.
pub fn metadata() -> Result<Metadata, cargo_metadata::Error> {
    MetadataCommand::new().current_dir(checkout()).no_deps().exec()
}

/// The source files of every package of the workspace, in the order of the packages' names. A build script, a test, a
/// benchmark, and an example are not among them.
pub fn sources(metadata: &Metadata) -> Vec<Sources> {
    let mut sources: Vec<Sources> = metadata
        .packages
        .iter()
        .map(|package| {
            let is_library = |target: &cargo_metadata::Target| {
                target.kind.iter().any(|kind| matches!(kind, TargetKind::Lib | TargetKind::ProcMacro))
            };
            let roots = |library: bool| {
                package
                    .targets
                    .iter()
                    .filter(move |target| {
                        is_library(target) == library && (library || target.kind.contains(&TargetKind::Bin))
                    })
                    .map(|target| target.src_path.clone().into_std_path_buf())
            };
            let roots = roots(true).chain(roots(false)).collect();
            Sources { package: package.name.to_string(), roots }
        })
        .collect();
    sources.sort_by(|one, other| one.package.cmp(&other.package));
    sources
}
