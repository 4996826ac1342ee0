//! From the start of the process to its end.

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use racetrack_core::host::start::StartError;
use racetrack_core::plan::ComponentPlan;
use racetrack_core::registration::{self, Registration};

use crate::cli::{self, Cli, Command, ListingFormat};
use crate::component::{Component, Service};
use crate::config::{self, Config, ConfigError};
use crate::hooks::{HookRuntime, HookRuntimeError};
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::server::{self, ServerError, Serving};
use crate::{allocator, observability, open_files, plugin_listing, terminal};

/// The exit code of every other failure.
const FAILED: u8 = 1;

/// The exit code of a binary whose plugins are not the planned ones.
const NOT_AS_PLANNED: u8 = 70;

/// More threads than this serve no requests faster, and cost memory.
const MAX_SERVER_THREADS: usize = 4;

/// How long the plugins may take to be dropped.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// How long what is done after the last request may take. It limits itself, as closing the database does; this is for what forgets to.
const LAST_WORK_TIME: Duration = Duration::from_secs(15);

/// Why a component ends with a failure.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Listing(#[from] StartError),
    #[error(transparent)]
    Plugins(#[from] HookRuntimeError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Component(Box<dyn Error + Send + Sync>),
    #[error("cannot start the threads of the server")]
    Threads(#[source] io::Error),
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

/// Runs a component with the plugins linked into this binary, which must be those that `plan` names.
///
/// Exit codes: 0 stopped as asked, 1 failure, 2 wrong usage, 70 the linked plugins are not the planned ones.
pub fn run<C: Component>(plan: &'static ComponentPlan) -> ExitCode {
    allocator::prepare();
    let args: Vec<_> = std::env::args_os().collect();
    match execute::<C>(plan, registration::linked(), &args) {
        Ok(code) => code,
        Err(failure) => {
            terminal::print_error(&failure);
            failure.exit_code().into()
        }
    }
}

fn execute<C: Component>(
    plan: &'static ComponentPlan,
    registrations: impl IntoIterator<Item = &'static Registration>,
    args: &[OsString],
) -> Result<ExitCode, Failure> {
    let cli: Cli<C::Settings> = match cli::parse::<C>(plan.component, args) {
        Ok(cli) => cli,
        Err(answer) => return show(&answer),
    };
    if let Some(Command::Plugins { format }) = cli.command {
        let listing = plugin_listing::list(plan, registrations)?;
        let text = match format {
            ListingFormat::Text => listing.to_text(),
            ListingFormat::Json => listing.to_json(),
        };
        terminal::print(&text).map_err(Failure::Output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = config::load(cli.config.as_deref(), (cli.service, cli.component), C::HTTP_ADDRESS)?;
    C::check(&config).map_err(Failure::Component)?;
    observability::start(&config.service.log_level, config.service.log_format);
    open_files::prepare();
    let threads = available_parallelism().map_or(1, usize::from).min(MAX_SERVER_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("server")
        .enable_all()
        .build()
        .map_err(Failure::Threads)?;
    let hooks = runtime.block_on(serve::<C>(plan, registrations, config))?;
    runtime.shutdown_timeout(CLOSING_TIME);
    hooks.close(CLOSING_TIME);
    Ok(ExitCode::SUCCESS)
}

/// Serves until told to stop. Gives back the plugins, to be dropped where that cannot stop the server.
async fn serve<C: Component>(
    plan: &'static ComponentPlan,
    registrations: impl IntoIterator<Item = &'static Registration>,
    config: Config<C::Settings>,
) -> Result<HookRuntime, Failure> {
    let Config { service: mut config, component } = config;
    let metrics = Metrics::install();
    config.kept_configs = C::kept_configs(&component).map_err(Failure::Component)?;
    let hooks = HookRuntime::start(plan, registrations, &config)?;
    let identity = Identity {
        component: plan.component,
        version: C::VERSION,
        git_version: config.git_version,
        docker_tag: config.docker_tag,
    };
    log_start(&identity, &hooks, config.file.as_deref());
    metrics.started(&identity, hooks.registry().entries().len());
    tokio::spawn(metrics.clone().keep_up());
    #[cfg(unix)]
    crate::orphans::reap_if_first();

    let listener = server::bind(config.http_address).await?;
    let http_address = server::address_of(&listener)?;
    let readiness = Readiness::default();
    let service = Service { identity, hooks: hooks.clone(), readiness, metrics, http_address };
    let readiness = service.readiness.clone();
    let router = C::open(service, component).await.map_err(Failure::Component)?;
    // Until here a signal ends the process at once, as it does by default: nothing has been done that could be lost.
    let signals = server::signals()?;
    let limits = open_files::fit(config.connection_limits);
    let serving = Serving { limits, proxies: config.trusted_proxies, grace: config.shutdown_grace_period };
    let served = server::serve(listener, router, &readiness, signals, serving).await;
    // Also after a failure: others wait for what this process has.
    if tokio::time::timeout(LAST_WORK_TIME, readiness.finish()).await.is_err() {
        tracing::warn!("what is done after the last request is not done; it took too long");
    }
    served?;
    match readiness.take_failure() {
        Some(failure) => Err(Failure::Component(failure)),
        None => Ok(hooks),
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Listing(error) | Self::Plugins(HookRuntimeError::Start(error)) => match error {
                StartError::NotAsPlanned { .. } | StartError::PlanOutOfOrder { .. } => NOT_AS_PLANNED,
                _ => FAILED,
            },
            _ => FAILED,
        }
    }
}

/// Shows what clap answers itself: help and version, or what is wrong with the command line.
fn show(answer: &clap::Error) -> Result<ExitCode, Failure> {
    answer.print().map_err(Failure::Output)?;
    let code = u8::try_from(answer.exit_code()).unwrap_or(2);
    Ok(code.into())
}

fn log_start(identity: &Identity, hooks: &HookRuntime, file: Option<&std::path::Path>) {
    let Identity { component, version, .. } = identity;
    let registry = hooks.registry();
    let plugins = registry.entries().iter();
    let plugins: Vec<_> =
        plugins.map(|entry| format!("{} {}", entry.manifest.name, entry.manifest.version)).collect();
    let plugins = if plugins.is_empty() { "none".to_owned() } else { plugins.join(", ") };
    tracing::info!("{component} {version} starts; its plugins in hook order: {plugins}");
    if let Some(file) = file {
        tracing::info!("configured by {}", file.display());
    } else {
        tracing::info!("no configuration file is given, so the defaults apply; see --config");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use axum::Router;
    use racetrack_core::error::chain;
    use racetrack_core::hook::HookSet;
    use racetrack_core::plan::PlannedPlugin;
    use racetrack_core::{Hook, HookResult, JobTypes, Plugin, async_trait};

    use super::*;
    use crate::plugin_endpoints;
    use crate::settings::NoSettings;

    /// A component that asks for job types when it starts.
    #[derive(Debug)]
    struct Asking;

    impl Component for Asking {
        type Settings = NoSettings;
        const ABOUT: &'static str = "Asks.";
        const VERSION: &'static str = "0.1.0";
        const HTTP_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

        async fn open(service: Service, _: NoSettings) -> Result<Router, Box<dyn Error + Send + Sync>> {
            plugin_endpoints::collect_job_types(&service.hooks).await?;
            Err("opened".into())
        }
    }

    struct Failing;

    #[async_trait]
    impl Plugin for Failing {
        async fn job_types(&self) -> HookResult<JobTypes> {
            Err("the templates are gone".into())
        }
    }

    static ROW: PlannedPlugin = PlannedPlugin {
        name: "failing",
        version: "1.0.0",
        priority: -1,
        position: 2,
        category: Some("job-type"),
        url: None,
        build_date: None,
        components: &[],
        digest: "abc",
        resources: &[],
    };
    static PLAN: ComponentPlan = ComponentPlan { component: "asking", description: None, plugins: &[ROW] };
    static EMPTY_PLAN: ComponentPlan = ComponentPlan { component: "asking", description: None, plugins: &[] };
    static OUT_OF_ORDER: ComponentPlan =
        ComponentPlan { component: "asking", description: None, plugins: &[ROW, ROW] };
    static FAILING: Registration = Registration {
        name: "failing",
        version: "1.0.0",
        type_name: "Failing",
        hooks: HookSet::EMPTY.with(Hook::JobTypes),
        construct: |_| Ok(Box::new(Failing)),
    };
    static BROKEN: Registration = Registration { construct: |_| Err("no key".into()), ..FAILING };

    fn refusal(plan: &'static ComponentPlan, linked: Option<&'static Registration>) -> (String, u8) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        let config = config::load(None, Default::default(), Asking::HTTP_ADDRESS).expect("defaults");
        let failure = runtime.block_on(serve::<Asking>(plan, linked, config)).expect_err("does not start");
        (chain(&failure), failure.exit_code())
    }

    #[test]
    fn a_component_that_cannot_start_says_why() {
        let not_planned = "the plugins linked into `asking` are not the planned ones: `failing` 1.0.0 ";
        let rebuild = "; rebuild it with `cargo xtask build`";
        let refusals = [
            (&PLAN, None, format!("{not_planned}(planned but not linked){rebuild}"), 70),
            (&EMPTY_PLAN, Some(&FAILING), format!("{not_planned}(linked but not planned){rebuild}"), 70),
            (
                &OUT_OF_ORDER,
                Some(&FAILING),
                format!("the build plan of `asking` is not in hook order at plugin `failing` 1.0.0{rebuild}"),
                70,
            ),
            (&PLAN, Some(&BROKEN), "cannot construct plugin `failing` 1.0.0: no key".to_owned(), 1),
            (
                &PLAN,
                Some(&FAILING),
                "hook `job_types` of plugin `failing` 1.0.0 failed: the templates are gone".to_owned(),
                1,
            ),
            (&EMPTY_PLAN, None, "opened".to_owned(), 1),
        ];
        for (plan, linked, text, code) in refusals {
            assert_eq!(refusal(plan, linked), (text, code));
        }
    }

    #[test]
    fn a_listing_refuses_what_is_not_planned() {
        let args = ["asking", "plugins"].map(OsString::from);
        let failure = execute::<Asking>(&PLAN, None, &args).expect_err("nothing is linked");
        assert_eq!(failure.exit_code(), 70);
    }
}
