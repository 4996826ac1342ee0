//! The whole command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use racetrack_client::PluginCommand;

use crate::fuzz_target::FuzzTarget;
use racetrack_composer::garbage::KEPT_DAYS;
use racetrack_composer::sources::overrides::Override;

/// What people type to start this program.
pub(crate) const PROGRAM: &str = "cargo xtask";

/// Composes the plugins that racetrack.toml declares into one binary per component.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, bin_name = PROGRAM, version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// The declaration to build from; its sources are relative to its folder [default: the checkout's racetrack.toml].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) declaration: Option<PathBuf>,
    /// Print nothing but errors and what was asked for.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Do not use the network: neither for plugin sources nor for crates.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the component binaries into the output folder.
    Build(BuildArgs),
    /// Check the declaration and its plugins; everything short of compiling, and nothing is written but what had to be
    /// fetched.
    Check(CheckArgs),
    /// Show what a component binary says about itself, without running it.
    Inspect(InspectArgs),
    /// Show the plugins of each component in hook order, and the call order of each hook.
    Plan(PlanArgs),
    // The help is that of the type.
    #[command(subcommand, disable_help_subcommand = true)]
    Plugin(PluginCommand),
    /// Declare a plugin; everything else in the declaration stays as it is.
    Add(AddArgs),
    /// Take a plugin out of the declaration, with the comments directly above its table.
    Remove(RemoveArgs),
    /// Accept what the declaration gives now: write racetrack.lock and say what changed.
    Lock,
    /// Accept one plugin as it is now, and leave the other entries of racetrack.lock as they are.
    ///
    /// The versions of crates are not in racetrack.lock but in locks/, a Cargo.lock per component. To take newer ones run
    /// `cargo update` in the checkout, remove the file of the component from locks/, and build.
    Update(UpdateArgs),
    /// Show for each plugin what racetrack.lock says and what its source holds now.
    Outdated(OutdatedArgs),
    /// Fetch the declared plugin sources that are elsewhere, and nothing else; or one source, to learn its digest.
    Fetch(FetchArgs),
    /// Say what may be wrong with this machine, this checkout and the declaration, and what to do about it.
    Doctor(DoctorArgs),
    /// Remove from .racetrack/ what no build needs any more.
    ///
    /// That is: plugins in the store that this declaration does not name and no workspace of it leads to, and that no
    /// declaration of the checkout was built with for some days; workspaces of components that are no longer declared; the
    /// copy that a verification has kept; and what interrupted builds have left.
    Gc(GcArgs),
    /// Write the JSON Schemas of racetrack.toml and plugin-manifest.yaml into docs/schemas/.
    Schema(SchemaArgs),
    /// Print a script that makes a shell complete this command line.
    ///
    /// Shells know no aliases of cargo: what they complete is the binary `xtask`, in the `target/debug` of the checkout.
    Completions(CompletionsArgs),
    /// Show how many bytes each plugin adds to the component binaries: by how much smaller they are without it.
    ///
    /// Builds each component with all its plugins, without each of them, and without any; so it takes as many links as there
    /// are plugins, and more where a plugin decides which features of a crate are compiled. What counts is what is loaded of
    /// a binary, not symbols, debug information or gaps. Neither the output folder nor a lock is touched.
    Sizes(SizesArgs),
    /// Run everything CI runs: format, lints, tests, documentation, licences, the build of the declaration, and its verification.
    ///
    /// What the tests need from registries is fetched first; then they run without a network. A section that fails does not stop
    /// the others. At the end there is a table of what each section took, and of the slowest tests.
    Test(TestArgs),
    /// Feed what reads the bytes of strangers with bytes of nobody's making, and look for faults.
    ///
    /// Needs cargo-fuzz (`cargo install cargo-fuzz --locked`) and a C++ compiler. What a run has learnt is kept in
    /// target/fuzz/corpus, and an input that causes a fault in target/fuzz/artifacts.
    Fuzz(FuzzArgs),
    /// Build with profile `quick`, then start the components on this machine until Ctrl-C.
    ///
    /// The profile compiles fast and runs slowly; `--profile release` builds as `build` does. The binaries are in .racetrack/up,
    /// beside the declaration: the output folder stays as it is.
    Up(UpArgs),
    /// Put everything a build needs that is not in the checkout into one folder, for machines without a network.
    Vendor(VendorArgs),
    /// Build twice, the second time from a copy under other circumstances, and compare the binaries byte for byte.
    Verify(VerifyArgs),
}

/// Arguments of `build`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Build exactly what racetrack.lock says and change no file in locks/, or fail.
    #[arg(long)]
    pub(crate) locked: bool,
    /// Both --locked and --offline.
    #[arg(long)]
    pub(crate) frozen: bool,
    /// Take crates and plugin sources from this folder, which `cargo xtask vendor` has made.
    #[arg(long, value_name = "DIR", requires = "frozen")]
    pub(crate) vendor: Option<PathBuf>,
    /// Put the binaries here rather than into the output folder of the declaration.
    #[arg(long, value_name = "PATH")]
    pub(crate) out_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
}

/// What of the declaration is compiled, and how.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SelectionArgs {
    /// Only this component; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) component: Vec<String>,
    /// With this profile rather than the one of the declaration.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// For this target triple.
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
}

/// Other sources for declared plugins.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OverrideArgs {
    /// Take plugin NAME from this folder rather than from its declared source, which leaves its components unlocked; may
    /// be repeated.
    #[arg(id = "override", long = "override", value_name = "NAME=PATH", value_parser = parse_override)]
    pub(crate) overrides: Vec<Override>,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Fail with a diff when the generated files are not what the declaration gives.
    #[arg(long)]
    pub(crate) generated: bool,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
}

/// Arguments of `inspect`.
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// A component binary, for any machine.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Show the crates it is made of as well.
    #[arg(long)]
    pub(crate) crates: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    /// How to print the plan.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Say of each hook why its plugins are called in this order, with the lines that decide it.
    #[arg(long)]
    pub(crate) explain: bool,
    /// Draw the plan rather than print it, into PATH if it ends in `.svg` or in `.dot` (Graphviz), else into PATH.svg and
    /// PATH.dot.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["explain", "format"])]
    pub(crate) graph: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
}

/// Arguments of `add`.
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// The plugin: a folder with its crate or a ZIP bundle, relative to the current folder; or a bundle that is elsewhere,
    /// as its address or as github.com/OWNER/REPOSITORY==VERSION, which is fetched to learn its digest; or, with `--rev`, a
    /// git repository.
    pub(crate) source: String,
    /// The full id of a commit of the repository.
    #[arg(long, value_name = "COMMIT")]
    pub(crate) rev: Option<String>,
    /// The folder of the plugin's crate in the repository.
    #[arg(long, value_name = "FOLDER", requires = "rev")]
    pub(crate) subfolder: Option<String>,
    /// Put the table behind that of this plugin rather than behind all others; NAME or NAME==VERSION.
    #[arg(long, value_name = "NAME")]
    pub(crate) after: Option<String>,
    /// Only for this component, of those that the plugin's manifest allows; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) component: Vec<String>,
}

/// Arguments of `remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// The plugin, as its manifest names it; NAME==VERSION where several versions are declared.
    pub(crate) name: String,
}

/// Arguments of `update`.
#[derive(Args, Debug)]
pub(crate) struct UpdateArgs {
    /// The plugin to accept, by its name, in whatever versions it is declared; all plugins if none is named.
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugin: Option<String>,
}

/// Arguments of `outdated`.
#[derive(Args, Debug)]
pub(crate) struct OutdatedArgs {
    /// How to print the comparison.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// A form of output.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// How to print the findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Use the network: see whether the registry answers, and fetch the declared plugin sources that the store lacks.
    #[arg(long)]
    pub(crate) online: bool,
}

/// Arguments of `gc`.
#[derive(Args, Debug)]
pub(crate) struct GcArgs {
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove plugins from the store that were not used for so many days.
    #[arg(long, value_name = "DAYS", default_value_t = KEPT_DAYS)]
    pub(crate) older_than: u32,
    /// Remove also what was used lately and can be made again without the network, and what cargo has compiled: the next
    /// build compiles everything.
    #[arg(long, conflicts_with = "older_than")]
    pub(crate) all: bool,
}

/// Arguments of `schema`.
#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Write nothing, and fail where a schema is out of date.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Arguments of `sizes`.
#[derive(Args, Debug)]
pub(crate) struct SizesArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// How to print the sizes.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Write the sizes into FILE as well, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Show what has changed since an earlier run wrote FILE.
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `fetch`.
#[derive(Args, Debug)]
pub(crate) struct FetchArgs {
    /// A bundle that is not declared yet, `https://…/x.zip` or `github.com/OWNER/REPOSITORY==VERSION`: fetch it, and
    /// print the table that declares it.
    pub(crate) source: Option<String>,
}

/// Arguments of `verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) build: BuildArgs,
    /// Keep the copy, in .racetrack/verify, also when the binaries are the same.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Arguments of `test`.
#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Run only these sections, in the order of the list below.
    #[arg(value_name = "SECTION", value_enum)]
    pub(crate) sections: Vec<Section>,
}

/// A section of `test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// The format of the sources.
    Format,
    /// What the others need from registries. Runs before the tests as well, where something is missing.
    Supplies,
    /// Clippy.
    Lints,
    /// All tests, without a network.
    Tests,
    /// The examples in the documentation of crates.
    DocumentationTests,
    /// The documentation of crates itself.
    Documentation,
    /// Licences and sources of crates, where cargo-deny is installed.
    Licences,
    /// The declaration, locked.
    Build,
    /// The declaration once more under other circumstances.
    Verification,
}

impl Section {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 9] = [
        Self::Format,
        Self::Supplies,
        Self::Lints,
        Self::Tests,
        Self::DocumentationTests,
        Self::Documentation,
        Self::Licences,
        Self::Build,
        Self::Verification,
    ];

    /// What it is called in the table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Supplies => "supplies",
            Self::Lints => "lints",
            Self::Tests => "tests",
            Self::DocumentationTests => "documentation tests",
            Self::Documentation => "documentation",
            Self::Licences => "licences",
            Self::Build => "build",
            Self::Verification => "verification",
        }
    }
}

/// Arguments of `fuzz`.
#[derive(Args, Debug)]
pub(crate) struct FuzzArgs {
    /// What to feed [default: each of them, one after the other].
    #[arg(value_enum)]
    pub(crate) target: Option<FuzzTarget>,
    /// For how long, in seconds, for each target.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
}

/// Arguments of `up`.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) build: BuildArgs,
    /// Let a component listen elsewhere, such as `lifecycle=127.0.0.1:8000`; port 0 takes a free one. May be repeated.
    #[arg(long, value_name = "COMPONENT=IP:PORT", value_parser = parse_address)]
    pub(crate) http_address: Vec<(String, SocketAddr)>,
}

/// Arguments of `vendor`.
#[derive(Args, Debug)]
pub(crate) struct VendorArgs {
    /// The folder: a new one, or one that this command has made before, which is replaced.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

fn parse_address(text: &str) -> Result<(String, SocketAddr), String> {
    let (component, address) = text.split_once('=').ok_or("expected COMPONENT=IP:PORT")?;
    let address = address.parse().map_err(|error| format!("`{address}` is no IP:PORT: {error}"))?;
    Ok((component.to_owned(), address))
}

fn parse_override(text: &str) -> Result<Override, String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=PATH")?;
    Ok(Override { plugin: name.to_owned(), path: path.into() })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn addresses_name_their_component() {
        assert_eq!(parse_address("a=127.0.0.1:80"), Ok(("a".to_owned(), ([127, 0, 0, 1], 80).into())));
        assert!(parse_address("127.0.0.1:80").is_err());
        assert!(parse_address("a=localhost:80").is_err_and(|message| message.contains("localhost:80")));
    }
}
