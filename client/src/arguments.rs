//! What the commands take. The doc comments are their help.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use racetrack_core::{PluginName, Version};

/// Write, check and bundle plugins
///
/// A plugin is a Rust crate with a `plugin-manifest.yaml` beside its `Cargo.toml`. It becomes part of Racetrack when a
/// `racetrack.toml` declares it and `cargo xtask build` is run.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Write a new plugin to start from
    ///
    /// The plugin is complete: it builds, has tests, and implements a few hooks to be replaced by yours.
    New(NewArgs),
    /// Pack a plugin's folder into a ZIP bundle
    ///
    /// The folder is checked first. The same files always give the same bytes, wherever and whenever the bundle is made.
    /// Files that match a line of `.racetrackignore` (written as a `.gitignore`) are left out, and so are version
    /// control, `target/`, `Cargo.lock`, other ZIP files and what editors leave behind.
    Bundle(BundleArgs),
    /// Check a plugin's folder or bundle and write nothing
    ///
    /// Reports everything that would make a build refuse the plugin, as far as the plugin alone shows it.
    Check(CheckArgs),
}

/// Arguments of `new`.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// The plugin's name: lower-case letters, digits and single dashes
    pub name: PluginName,
    /// The folder to write; it must be empty or absent [default: the plugin's name]
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Arguments of `bundle`.
#[derive(Args, Debug)]
pub struct BundleArgs {
    /// The plugin's folder
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The folder to put the bundle in; it must exist [default: the plugin's folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The file name of the bundle, ending with `.zip` [default: `NAME-VERSION.zip`]
    #[arg(long, value_name = "FILENAME", value_parser = bundle_filename)]
    pub out_filename: Option<String>,
    /// Bundle the plugin under this version instead of the one its files say
    #[arg(long, value_name = "VERSION")]
    pub plugin_version: Option<Version>,
    /// Record the time of bundling in the manifest, which makes every bundle another one
    #[arg(long)]
    pub build_date: bool,
    /// Record this time, in seconds since 1970 UTC, in the manifest instead of the current one
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH")]
    pub source_date_epoch: Option<u32>,
    /// How to say what came of it.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The plugin's folder, or its ZIP bundle
    #[arg(default_value = ".")]
    pub source: PathBuf,
    /// How to say what came of it.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What commands with a result take.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For scripts: one JSON document on standard output, also when something fails.
    Json,
}

impl PluginCommand {
    /// How the result, or the failure, is printed.
    pub const fn format(&self) -> Format {
        match self {
            Self::New(_) => Format::Text,
            Self::Bundle(args) => args.output.format,
            Self::Check(args) => args.output.format,
        }
    }
}

/// A bundle that does not end with `.zip` would be packed into the next one.
fn bundle_filename(text: &str) -> Result<String, &'static str> {
    if text.contains(['/', '\\']) || text.starts_with('.') {
        return Err("the file name must not lead to another folder; use `--out` for that");
    }
    if Path::new(text).extension().is_none_or(|extension| extension != "zip") {
        return Err("the file name must end with `.zip`");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_zip_files_in_the_given_folder() {
        assert_eq!(bundle_filename("a.zip").as_deref(), Ok("a.zip"));
        for wrong in ["a", "../a.zip", "a/b.zip", "C:\\a.zip", ".zip"] {
            assert!(bundle_filename(wrong).is_err(), "{wrong}");
        }
    }
}
