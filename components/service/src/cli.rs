//! The command line of a component.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::component::Component;
use crate::settings::ServiceSettings;

/// The command that lists the plugins.
const LISTING: &str = "plugins";

/// What was asked for on the command line, and what the environment says.
#[derive(Debug, Parser)]
pub(crate) struct Cli<S: Args> {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The configuration file: YAML or TOML, by its extension
    #[arg(long, env = "CONFIG_FILE", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) service: ServiceSettings,

    #[command(flatten)]
    pub(crate) component: S,
}

#[derive(Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Starts the server; this is the default
    Serve,
    /// Lists the plugins in this binary and the order in which each hook reaches them, without starting anything
    #[command(name = LISTING)]
    Plugins {
        /// How to list them
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: ListingFormat,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListingFormat {
    /// A table for people
    Text,
    /// One JSON object, for scripts
    Json,
}

/// Reads the command line of the component of that name. The first of `args` is the name of the program.
pub(crate) fn parse<C: Component>(
    name: &'static str,
    args: &[OsString],
) -> Result<Cli<C::Settings>, clap::Error> {
    let is_listing = args.get(1).is_some_and(|first| first == LISTING);
    let mut command = command::<C>(name).mut_args(|arg| {
        let is_setting = arg.get_env().is_some();
        // Listing needs no configuration, so a wrong one in the environment does not keep it from listing.
        if is_listing { arg.env(Resettable::Reset) } else { arg.global(is_setting).hide_env_values(true) }
    });
    let matches = command.try_get_matches_from_mut(args);
    let matches = matches.map_err(|error| with_origin(error, &command, args))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn command<C: Component>(name: &'static str) -> clap::Command {
    Cli::<C::Settings>::command()
        .name(name)
        .about(C::ABOUT)
        .version(C::VERSION)
        .after_help(after_help(C::HTTP_ADDRESS))
        .mut_arg("http_address", |arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.help(format!("{help} [default: {}]", C::HTTP_ADDRESS))
        })
}

fn after_help(address: std::net::SocketAddr) -> String {
    format!(
        "Configuration file:\n  \
           Every option under `Configuration` may also stand in the file, under its name. The command line wins over\n  \
           the environment, the environment over the file. The file alone configures plugins. For example, in YAML:\n\n    \
             http-address: {address}\n    \
             hook-time-limit: 30s\n    \
             plugins:\n      \
               NAME: {{KEY: VALUE}}\n\n\
         Exit codes:\n  \
           0 stopped as asked, 1 failure, 2 wrong usage, 70 the plugins in this binary are not the planned ones"
    )
}

/// Says so when a wrong value comes from the environment: the message alone names the option only.
fn with_origin(mut error: clap::Error, command: &clap::Command, args: &[OsString]) -> clap::Error {
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return error;
    }
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let wrong = command.get_arguments().find(|arg| arg.to_string() == *shown);
    let Some((long, variable)) = wrong.and_then(|arg| arg.get_long().zip(arg.get_env())) else {
        return error;
    };
    let option = format!("--{long}");
    let is_given = args.iter().any(|arg| arg.to_string_lossy().starts_with(&option));
    if !is_given {
        let tip = format!("the value is that of the environment variable {}", variable.to_string_lossy());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use axum::Router;

    use super::*;
    use crate::Service;
    use crate::settings::NoSettings;

    #[derive(Debug)]
    struct Empty;

    impl Component for Empty {
        type Settings = NoSettings;
        const ABOUT: &'static str = "Does nothing.";
        const VERSION: &'static str = "0.1.0";
        const HTTP_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7202);

        async fn open(_: Service, _: NoSettings) -> Result<Router, Box<dyn std::error::Error + Send + Sync>> {
            Ok(Router::new())
        }
    }

    fn parsed(args: &[&str]) -> Result<Cli<NoSettings>, clap::Error> {
        let args: Vec<_> = std::iter::once(&"empty").chain(args).map(OsString::from).collect();
        parse::<Empty>("empty", &args)
    }

    #[test]
    fn serving_is_the_default() {
        for args in [&["--http-address", "127.0.0.1:1"][..], &["serve", "--http-address", "127.0.0.1:1"]] {
            let cli = parsed(args).expect("valid");
            assert!(matches!(cli.command, None | Some(Command::Serve)));
            assert_eq!(cli.service.http_address.map(|address| address.port()), Some(1));
        }
        let cli = parsed(&["plugins", "--format", "json"]).expect("valid");
        assert_eq!(cli.command, Some(Command::Plugins { format: ListingFormat::Json }));
        assert_eq!(parsed(&["sing"]).expect_err("no command").exit_code(), 2);
    }

    #[test]
    fn every_setting_has_a_variable_of_its_name() {
        let command = ServiceSettings::augment_args(clap::Command::new("settings"));
        for arg in command.get_arguments() {
            let long = arg.get_long().expect("is an option");
            let variable = arg.get_env().and_then(|name| name.to_str());
            assert_eq!(variable, Some(long.replace('-', "_").to_uppercase().as_str()));
        }
    }

    #[test]
    fn help_tells_the_default_address_and_the_variables() {
        let help = parsed(&["--help"]).expect_err("is help");
        assert_eq!(help.exit_code(), 0);
        let help = help.to_string();
        for text in [
            "[default: 127.0.0.1:7202]",
            "[env: HTTP_ADDRESS]",
            "[env: CONFIG_FILE]",
            "plugins:",
            "70 the plugins",
        ] {
            assert!(help.contains(text), "{text} in {help}");
        }
        let listing = parsed(&["plugins", "--help"]).expect_err("is help").to_string();
        assert!(!listing.contains("http-address"), "listing needs no settings: {listing}");
    }

    #[test]
    fn a_wrong_value_of_a_variable_is_told_from_one_of_an_option() {
        // A variable that cargo sets to something that is not an address.
        let variable = "CARGO_PKG_NAME";
        let command = || command::<Empty>("empty").mut_arg("http_address", |arg| arg.env(variable));
        let refusal = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(OsString::from).collect();
            let mut command = command();
            let error = command.try_get_matches_from_mut(&args).expect_err("no address");
            with_origin(error, &command, &args).to_string()
        };
        let tip = "the value is that of the environment variable CARGO_PKG_NAME";
        assert!(refusal(&["empty"]).contains(tip));
        assert!(!refusal(&["empty", "--http-address", "x"]).contains(tip));
    }
}
