//! Seven bundles, declared in an order that is neither that of their names nor that of their versions: what `plan` shows,
//! what the binaries say, and what the plugins record is one and the same, whatever the linker does.

use racetrack_tests::{Collector, RecordingPlugin, RunningComponent, Sandbox};
use serde_json::Value;

const EVERY_HOOK: &[&str] =
    &["infrastructure_targets", "job_runtime_env_vars", "markdown_docs", "post_job_deploy", "run_action"];

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

fn declaration(bundles: &[String], lto: &str) -> String {
    let plugins = bundles.iter().map(|bundle| format!("[[plugin]]\nzip = \"{bundle}\"\n\n"));
    format!("[profile.release]\nlto = \"{lto}\"\n\n{}", plugins.collect::<String>())
}

#[test]
fn hooks_run_in_the_declared_order_under_every_optimisation() {
    let sandbox = Sandbox::new("order");
    let plugins = plugins();
    let bundles: Vec<_> = plugins.iter().map(|plugin| sandbox.bundle(plugin)).collect();
    sandbox.declare(&declaration(&bundles, "off"));
    let text = sandbox.xtask(&["plan"]).succeeded().stdout;
    insta::with_settings!({ filters => [(r"[0-9a-f]{12,64}", "[digest]")] }, { insta::assert_snapshot!(text) });
    let plan: Value =
        serde_json::from_str(&sandbox.xtask(&["plan", "--format", "json"]).succeeded().stdout).expect("JSON");

    // Optimising lifecycle three times over would take ten minutes; the registry is the same in both components.
    let variants: [(&str, &str, &[&str]); 4] = [
        ("dev", "off", &["lifecycle", "image-builder"]),
        ("release", "off", &["image-builder"]),
        ("release", "thin", &["image-builder"]),
        ("release", "fat", &["image-builder"]),
    ];
    for (profile, lto, components) in variants {
        sandbox.declare(&declaration(&bundles, lto));
        let mut arguments = vec!["build", "--profile", profile];
        arguments.extend(components.iter().flat_map(|component| ["--component", component]));
        let _ = sandbox.xtask(&arguments).succeeded();
        for component in components.iter().copied() {
            check(
                &sandbox,
                &plugins,
                component,
                &plan["components"][component],
                &format!("{profile}, LTO {lto}"),
            );
        }
    }
}

/// Starts the component and compares what its plugins recorded, and what it says of itself, with the plan.
fn check(sandbox: &Sandbox, plugins: &[RecordingPlugin], component: &str, plan: &Value, variant: &str) {
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
        assert_eq!(collector.plugins(component, hook), planned, "{component}, {hook}, {variant}");
    }
    assert_eq!(named(&running.get("/api/v1/plugin").1), named(&plan["plugins"]), "{component}, {variant}");

    let output =
        std::process::Command::new(sandbox.binary(component)).args(["plugins", "--format", "json"]).output();
    let said: Value = serde_json::from_slice(&output.expect("the binary runs").stdout).expect("JSON");
    assert_eq!(named(&said["plugins"]), named(&plan["plugins"]), "{component}, {variant}");
    let hooks = said["hooks"].as_object().expect("hooks");
    assert_eq!(hooks.len(), 8);
    for (hook, said) in hooks {
        assert_eq!(named(said), named(&plan["hooks"][hook]), "{component}, {hook}, {variant}");
    }
}

fn named(plugins: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let plugins = plugins.as_array().map(Vec::as_slice).unwrap_or_default();
    plugins.iter().map(|plugin| format!("{} {}", text(&plugin["name"]), text(&plugin["version"]))).collect()
}
