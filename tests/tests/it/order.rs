//! Seven bundles, declared in an order that is neither that of their names nor that of their versions: what `plan` shows,
//! what the binaries say, and what the plugins record is one and the same, whatever the linker does.

use racetrack_tests::{Collector, RecordingPlugin, RunningComponent, Sandbox};
use serde_json::Value;

const EVERY_HOOK: &[&str] =
    &["infrastructure_targets", "job_runtime_env_vars", "markdown_docs", "post_job_deploy", "run_action"];

const COMPONENTS: [&str; 2] = ["lifecycle", "image-builder"];

/// In the order of the declaration.
fn plugins() -> Vec<RecordingPlugin> {
    let plugin =
        |name, version, priority| RecordingPlugin { name, version, priority, ..RecordingPlugin::default() };
    vec![
        RecordingPlugin {
            dependency: Some("bs58 = \"0.5\""),
            uses: Some("bs58::encode(\"omega\").into_string()"),
            hooks: &["infrastructure_targets", "run_action"],
            ..plugin("omega", "0.1.0", 5)
        },
        RecordingPlugin { hooks: EVERY_HOOK, ..plugin("sigma", "1.0.0", 0) },
        RecordingPlugin {
            hooks: &["infrastructure_targets", "post_job_deploy"],
            ..plugin("beta", "2.0.0", 0)
        },
        RecordingPlugin { components: &["image-builder"], ..plugin("midnight", "1.0.0", 0) },
        RecordingPlugin { hooks: EVERY_HOOK, ..plugin("zeta", "3.0.0", -1) },
        RecordingPlugin { components: &["lifecycle"], hooks: EVERY_HOOK, ..plugin("alpha", "9.0.0", 0) },
        RecordingPlugin { hooks: &["infrastructure_targets", "markdown_docs"], ..plugin("beta", "1.0.0", 0) },
    ]
}

#[test]
fn hooks_run_in_the_declared_order() {
    let sandbox = Sandbox::new("order");
    let plugins = plugins();
    let tables = plugins.iter().map(|plugin| format!("[[plugin]]\nzip = \"{}\"\n\n", sandbox.bundle(plugin)));
    sandbox.declare(&tables.collect::<String>());
    let text = sandbox.xtask(&["plan"]).succeeded().stdout;
    insta::with_settings!({ filters => [(r"[0-9a-f]{12,64}", "[digest]")] }, { insta::assert_snapshot!(text) });
    let plan = planned(&sandbox);
    let _ = sandbox.xtask(&["build", "--profile", "dev"]).succeeded();
    for component in COMPONENTS {
        check_running(&sandbox, &plugins, component, &plan["components"][component]);
    }
}

/// With the tiny component in the place of the real ones: the registry and what the linker does to it are the same, and
/// optimising the real ones three times over would take ten minutes.
#[test]
fn the_order_stays_under_every_optimisation() {
    let sandbox = Sandbox::new("order-optimised");
    let folders = plugins().iter().map(|plugin| sandbox.write_plugin(plugin)).collect::<Vec<_>>();
    let tables = folders.iter().map(|folder| format!("[[plugin]]\npath = \"{folder}\"\n\n"));
    let tables = tables.collect::<String>();
    for lto in ["off", "thin", "fat"] {
        sandbox.declare_tiny_as(&COMPONENTS, &format!("[profile.release]\nlto = \"{lto}\"\n\n{tables}"));
        let plan = planned(&sandbox);
        let _ = sandbox.xtask(&["build"]).succeeded();
        for component in COMPONENTS {
            check_listing(&sandbox, component, &plan["components"][component], lto);
        }
    }
}

fn planned(sandbox: &Sandbox) -> Value {
    let plan = sandbox.xtask(&["plan", "--format", "json"]).succeeded().stdout;
    serde_json::from_str(&plan).expect("JSON")
}

/// Starts the component and compares what its plugins recorded, and what it says of itself, with the plan.
fn check_running(sandbox: &Sandbox, plugins: &[RecordingPlugin], component: &str, plan: &Value) {
    let meant_for =
        |plugin: &&RecordingPlugin| plugin.components.is_empty() || plugin.components.contains(&component);
    let collector = Collector::start();
    let config =
        RecordingPlugin::config(plugins.iter().filter(meant_for), component, &collector.address.to_string());
    let config_path = format!("{component}.yaml");
    sandbox.write(&config_path, &config);
    let running = RunningComponent::start(&sandbox.binary(component), &sandbox.path(&config_path));

    let called_at_start = match component {
        "lifecycle" => &["infrastructure_targets", "job_types"][..],
        _ => &["job_types"],
    };
    for hook in called_at_start {
        let planned: Vec<_> = named(&plan["hooks"][hook]);
        assert!(planned.len() > 3, "{hook} is implemented by {planned:?}");
        assert_eq!(collector.plugins(component, hook), planned, "{component}, {hook}");
    }
    assert_eq!(named(&running.get("/api/v1/plugin").1), named(&plan["plugins"]), "{component}");
    check_listing(sandbox, component, plan, "off");
}

/// Compares what the binary says without being started with the plan.
fn check_listing(sandbox: &Sandbox, component: &str, plan: &Value, lto: &str) {
    let output =
        std::process::Command::new(sandbox.binary(component)).args(["plugins", "--format", "json"]).output();
    let said: Value = serde_json::from_slice(&output.expect("the binary runs").stdout).expect("JSON");
    assert_eq!(named(&said["plugins"]), named(&plan["plugins"]), "{component}, LTO {lto}");
    let hooks = said["hooks"].as_object().expect("hooks");
    assert_eq!(hooks.len(), 8);
    for (hook, said) in hooks {
        assert_eq!(named(said), named(&plan["hooks"][hook]), "{component}, {hook}, LTO {lto}");
    }
}

fn named(plugins: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let plugins = plugins.as_array().map(Vec::as_slice).unwrap_or_default();
    plugins.iter().map(|plugin| format!("{} {}", text(&plugin["name"]), text(&plugin["version"]))).collect()
}
