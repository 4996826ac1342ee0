//! `plugin bundle`: packs a plugin's folder into a ZIP bundle.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use racetrack_bundle::{Edits, Origin, writer};
use serde::Serialize;

use super::result;
use crate::source::{current_folder, load};
use crate::{BundleArgs, Failure};

/// What `--format json` prints.
#[derive(Serialize)]
struct Bundled {
    bundle: PathBuf,
    name: String,
    version: String,
    digest: String,
    files: usize,
}

/// Checks the plugin and packs it.
pub(crate) fn run(args: &BundleArgs) -> Result<String, Failure> {
    let mut source = load(&args.dir)?;
    if let Origin::Zip(_) = source.origin {
        return Err(Failure::Bundled { path: args.dir.clone() });
    }
    let edits = Edits { version: args.plugin_version.clone(), build_date: build_date(args) };
    if !edits.is_empty() {
        source = source.edited(&edits, &current_folder()?).map_err(Failure::Rejected)?;
    }
    let filename = args.out_filename.clone();
    let filename =
        filename.unwrap_or_else(|| format!("{}-{}.zip", source.manifest.name, source.manifest.version));
    let bundle = args.out.as_ref().unwrap_or(&args.dir).join(filename);
    let bytes = writer::pack(&source.files)?;
    writer::save(&bytes, &bundle)?;
    let bundled = Bundled {
        bundle,
        name: source.manifest.name.to_string(),
        version: source.manifest.version.to_string(),
        files: source.files.len(),
        digest: source.digest,
    };
    let Bundled { bundle, name, version, digest, files } = &bundled;
    let text = format!("{}\n{name} {version}, {files} files, digest {digest}", bundle.display());
    result(text, &bundled, args.output.format)
}

/// The time to record, in the form that manifests have it.
fn build_date(args: &BundleArgs) -> Option<String> {
    let time = match args.source_date_epoch {
        Some(seconds) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into()),
        None if args.build_date => SystemTime::now(),
        None => return None,
    };
    Some(humantime::format_rfc3339_seconds(time).to_string().replace(':', ""))
}
