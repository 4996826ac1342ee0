//! The declaration that all tests of the platform share, and what is started from it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use racetrack_tests::{InstalledClient, Platform, PlatformSettings, RecordingPlugin, Sandbox};

/// The plugins that hear of deployed and deleted jobs, in the order of the declaration, which is not that of their names.
pub(super) const LISTENERS: [&str; 6] = ["zeta", "failing", "alpha", "panicking", "hanging", "nu"];

/// The plugins of the checkout that jobs are deployed with.
const FIRST_PARTY: [&str; 4] =
    ["plugin_sample", "plugins/process-infrastructure", "plugins/python3-job-type", "plugins/rust-job-type"];

/// A platform whose folder has that name, with plugins that do nothing but listen.
pub(super) fn platform(name: &str) -> Platform {
    let plugins: String = LISTENERS.iter().map(|listener| listener_config(listener, None)).collect();
    start(name, "", &plugins)
}

/// A platform with plugins that fail when a job has been deployed, each in its own way.
pub(super) fn platform_with_failing_plugins(name: &str) -> Platform {
    let plugins = LISTENERS.iter().map(|listener| {
        let failure = match *listener {
            "failing" => Some("fail"),
            "panicking" => Some("panic"),
            "hanging" => Some("hang"),
            _ => None,
        };
        listener_config(listener, failure)
    });
    start(name, "hook-time-limit: 5s\n", &plugins.collect::<String>())
}

/// The client of somebody who has not logged in, with its home in the folder of the platform.
pub(super) fn client(platform: &Platform) -> InstalledClient {
    let client = InstalledClient::new(tools(), platform.path("home"));
    let _ = client.run_silently(&["set", "remote", &platform.url()]).succeeded();
    client
}

/// The client of the administrator.
pub(super) fn administrator(platform: &Platform) -> InstalledClient {
    let client = client(platform);
    let _ = client.run_silently(&["login", platform.token()]).succeeded();
    client
}

/// Where job types keep what several builds need. What is in it stays, so that it is made once per checkout.
fn build_cache() -> PathBuf {
    tools().join("build-cache")
}

fn start(name: &str, lifecycle: &str, plugins: &str) -> Platform {
    let build_cache = build_cache();
    let name = &format!("platform-{name}");
    let settings = PlatformSettings {
        distribution: distribution(),
        name,
        build_cache: &build_cache,
        lifecycle,
        plugins,
    };
    Platform::start(&settings)
}

fn listener_config(name: &str, failure: Option<&str>) -> String {
    let failure = failure.map(|failure| format!(", post_job_deploy: {failure}")).unwrap_or_default();
    format!("  {name}: {{collector: 'COLLECTOR', component: lifecycle{failure}}}\n")
}

/// The binaries; built by the first test that wants them, while the others wait.
fn distribution() -> &'static Sandbox {
    static BUILT: OnceLock<Sandbox> = OnceLock::new();
    BUILT.get_or_init(|| {
        Sandbox::shared("platform", |sandbox| {
            let first_party = FIRST_PARTY.map(|folder| format!("../../../{folder}"));
            let listeners = LISTENERS.map(|name| sandbox.write_plugin(&listener(name)));
            let folders = first_party.iter().chain(&listeners);
            let tables = folders.map(|folder| format!("[[plugin]]\npath = \"{folder}\"\n\n"));
            sandbox.declare(&tables.collect::<String>());
            let _ = sandbox.xtask(&["build", "--profile", "dev"]).succeeded();
        })
    })
}

fn listener(name: &'static str) -> RecordingPlugin {
    RecordingPlugin {
        name,
        version: "1.0.0",
        components: &["lifecycle"],
        hooks: &["post_job_deploy", "post_job_delete"],
        ..RecordingPlugin::default()
    }
}

pub(super) fn tools() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
