//! What `COMPONENT plugins` lists: the plugins in this binary, and the order in which each hook reaches them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use racetrack_core::host::registry::PluginEntry;
use racetrack_core::host::start::StartError;
use racetrack_core::host::time_limit::{TimeLimit, Timer};
use racetrack_core::plan::ComponentPlan;
use racetrack_core::registration::Registration;
use racetrack_core::{Hook, Plugin, PluginManifest, Registry};
use serde::Serialize;
use serde_json::Value;

/// The listing. Its JSON form is what scripts, and the build, read: what the registry found, and beside it what the
/// binary says about itself. What is in the description is not repeated for each plugin.
#[derive(Debug, Serialize)]
pub(crate) struct PluginListing {
    component: &'static str,
    plugins: Vec<ListedPlugin>,
    hooks: BTreeMap<&'static str, Vec<PluginVersion>>,
    description: Option<Value>,
}

#[derive(Debug, Serialize)]
struct ListedPlugin {
    name: String,
    version: String,
    url: Option<String>,
    build_date: Option<String>,
    components: Vec<String>,
    #[serde(skip)]
    priority: i64,
    #[serde(skip)]
    position: usize,
    #[serde(skip)]
    category: Option<String>,
}

#[derive(Debug, Serialize)]
struct PluginVersion {
    name: String,
    version: String,
}

/// Stands in for a plugin that is listed, not run.
struct Listed;

/// Is never asked, because nothing is called.
struct NoTimer;

/// Lists the plugins, after checking that they are the planned ones. They are not constructed, so no configuration is
/// needed.
pub(crate) fn list(
    plan: &'static ComponentPlan,
    registrations: impl IntoIterator<Item = &'static Registration>,
) -> Result<PluginListing, StartError> {
    let inert = registrations.into_iter().map(|registration| {
        let inert: &'static Registration =
            Box::leak(Box::new(Registration { construct: |_| Ok(Box::new(Listed)), ..*registration }));
        inert
    });
    let limit = TimeLimit { duration: Duration::ZERO, timer: Arc::new(NoTimer) };
    let registry = Registry::start_with(plan, inert, &BTreeMap::new(), limit)?;
    let description = plan.description.map(|description| {
        serde_json::from_slice(description.document).expect("the build describes the binary in JSON")
    });
    Ok(PluginListing::of(&registry, description))
}

impl PluginListing {
    fn of(registry: &Registry, description: Option<Value>) -> Self {
        let hooks = Hook::catalogue().into_iter().map(|descriptor| {
            let implementing = registry.implementing(descriptor.hook);
            (descriptor.hook.name(), implementing.map(PluginVersion::of).collect())
        });
        Self {
            component: registry.component(),
            plugins: registry.entries().iter().map(ListedPlugin::of).collect(),
            hooks: hooks.collect(),
            description,
        }
    }

    /// The listing as a script reads it.
    pub(crate) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a listing has only texts and numbers");
        text.push('\n');
        text
    }

    /// The listing as people read it.
    pub(crate) fn to_text(&self) -> String {
        let component = self.component;
        let made = self.description.as_ref().map(made).unwrap_or_default();
        if self.plugins.is_empty() {
            return format!("{component} holds no plugins.\n{made}");
        }
        let mut plugins =
            vec![["PLUGIN", "VERSION", "PRIORITY", "POSITION", "CATEGORY", "URL"].map(str::to_owned)];
        plugins.extend(self.plugins.iter().map(ListedPlugin::row));
        let reached = |(hook, plugins): (&&str, &Vec<PluginVersion>)| {
            let names: Vec<_> = plugins.iter().map(ToString::to_string).collect();
            [(*hook).to_owned(), or_dash(names.join(", "))]
        };
        let mut hooks = vec![["HOOK", "PLUGINS"].map(str::to_owned)];
        hooks.extend(self.hooks.iter().map(reached));
        format!(
            "Plugins of {component}, in hook order (priority, then position in racetrack.toml):\n\n{}\n\
             Hooks, and the plugins that each of them reaches, in order:\n\n{}{made}",
            table(&plugins),
            table(&hooks),
        )
    }
}

impl ListedPlugin {
    fn of(entry: &PluginEntry) -> Self {
        let PluginManifest { name, version, priority, category, url, build_date, components, .. } =
            entry.manifest.clone();
        Self {
            name: name.to_string(),
            version: version.to_string(),
            priority,
            position: entry.position,
            category: category.map(|category| category.to_string()),
            url,
            build_date,
            components,
        }
    }

    fn row(&self) -> [String; 6] {
        [
            self.name.clone(),
            self.version.clone(),
            self.priority.to_string(),
            self.position.to_string(),
            or_dash(self.category.clone().unwrap_or_default()),
            or_dash(self.url.clone().unwrap_or_default()),
        ]
    }
}

impl PluginVersion {
    fn of(entry: &PluginEntry) -> Self {
        Self { name: entry.manifest.name.to_string(), version: entry.manifest.version.to_string() }
    }
}

impl fmt::Display for PluginVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Plugin for Listed {}

impl Timer for NoTimer {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// How the binary was made, as people read it.
fn made(description: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    let locked = match description["locked"].as_bool() {
        Some(true) => ", locked",
        Some(false) => ", not locked",
        None => "",
    };
    let [toolchain, target] = [&description["toolchain"], &description["target"]].map(text);
    let profile = text(&description["profile"]["name"]);
    format!("\nBuilt with {toolchain} for {target}, profile `{profile}`{locked}.\n")
}

/// The rows with their columns aligned, each on an indented line.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("  {cell:width$}"));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use racetrack_core::hook::HookSet;
    use racetrack_core::plan::{PlannedPlugin, SelfDescription};
    use serde_json::json;

    use super::*;

    const ROW: PlannedPlugin = PlannedPlugin {
        name: "watcher",
        version: "1.2.3",
        priority: -1,
        position: 4,
        category: Some("core"),
        url: Some("https://example.com"),
        build_date: Some("2026-01-02T030405Z"),
        components: &["lifecycle"],
        digest: "abc",
        resources: &[],
    };
    const DESCRIPTION: SelfDescription = SelfDescription {
        document: br#"{"toolchain": "rustc 1.95.0", "profile": {"name": "release"}, "locked": false}"#,
        crates: &[],
    };
    static PLAN: ComponentPlan = ComponentPlan {
        component: "lifecycle",
        description: Some(DESCRIPTION),
        plugins: &[
            ROW,
            PlannedPlugin {
                name: "a",
                version: "10.0.0",
                priority: 0,
                position: 1,
                category: None,
                url: None,
                build_date: None,
                components: &[],
                ..ROW
            },
        ],
    };
    static EMPTY: ComponentPlan = ComponentPlan { component: "lifecycle", description: None, plugins: &[] };
    static LINKED: [Registration; 2] = [
        Registration {
            name: "a",
            version: "10.0.0",
            type_name: "A",
            hooks: HookSet::EMPTY.with(Hook::RunAction),
            construct: |_| panic!("a listing constructs no plugin"),
        },
        Registration {
            name: "watcher",
            version: "1.2.3",
            type_name: "Watcher",
            hooks: HookSet::EMPTY.with(Hook::RunAction).with(Hook::PostJobDeploy),
            construct: |_| panic!("a listing constructs no plugin"),
        },
    ];

    #[test]
    fn scripts_read_every_plugin_and_every_hook() {
        let listing = list(&PLAN, &LINKED).expect("as planned");
        let json: Value = serde_json::from_str(&listing.to_json()).expect("is JSON");
        let watcher = json!({ "name": "watcher", "version": "1.2.3" });
        let other = json!({ "name": "a", "version": "10.0.0" });
        let expected = json!({
            "component": "lifecycle",
            "plugins": [
                {
                    "name": "watcher", "version": "1.2.3", "url": "https://example.com",
                    "build_date": "2026-01-02T030405Z", "components": ["lifecycle"],
                },
                {
                    "name": "a", "version": "10.0.0", "url": null, "build_date": null, "components": [],
                },
            ],
            "hooks": {
                "infrastructure_targets": [], "job_runtime_env_vars": [], "job_types": [], "markdown_docs": [],
                "post_job_delete": [], "post_job_deploy": [watcher], "run_action": [watcher, other],
                "validate_job_manifest": [],
            },
            "description": { "locked": false, "profile": { "name": "release" }, "toolchain": "rustc 1.95.0" },
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn people_read_tables() {
        let text = list(&PLAN, &LINKED).expect("as planned").to_text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            &lines[..5],
            [
                "Plugins of lifecycle, in hook order (priority, then position in racetrack.toml):",
                "",
                "  PLUGIN   VERSION  PRIORITY  POSITION  CATEGORY  URL",
                "  watcher  1.2.3    -1        4         core      https://example.com",
                "  a        10.0.0   0         1         -         -",
            ]
        );
        assert!(lines.contains(&"  run_action              watcher 1.2.3, a 10.0.0"), "{text}");
        assert!(lines.contains(&"  markdown_docs           -"), "{text}");
        let made = "Built with rustc 1.95.0 for unknown, profile `release`, not locked.";
        assert_eq!(lines.last(), Some(&made), "{text}");
        assert_eq!(list(&EMPTY, None).expect("as planned").to_text(), "lifecycle holds no plugins.\n");
    }
}
