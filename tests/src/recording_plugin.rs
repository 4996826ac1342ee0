//! Plugins that report each call of their hooks to a [`Collector`](crate::Collector).

/// The description of a recording plugin, from which its crate is written.
#[derive(Clone, Debug, Default)]
pub struct RecordingPlugin {
    /// The name of the plugin.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its priority.
    pub priority: i64,
    /// The components its manifest names; empty means all.
    pub components: &'static [&'static str],
    /// A line of `[dependencies]`.
    pub dependency: Option<&'static str>,
    /// An expression that uses the dependency and gives a `String`.
    pub uses: Option<&'static str>,
    /// The hooks it implements besides `job_types`.
    pub hooks: &'static [&'static str],
}

impl RecordingPlugin {
    /// The files of the crate: path and content.
    pub fn files(&self) -> Vec<(&'static str, String)> {
        vec![
            ("Cargo.toml", self.cargo_toml()),
            ("plugin-manifest.yaml", self.manifest()),
            ("src/lib.rs", self.library()),
            ("resources/marker.txt", self.marker()),
        ]
    }

    /// A text that is in a binary exactly if the resource file of the plugin is embedded there.
    pub fn marker(&self) -> String {
        format!("the marker resource of {} {}", self.name, self.version)
    }

    /// The configuration of a component that holds these plugins.
    pub fn config<'a>(
        plugins: impl IntoIterator<Item = &'a Self>,
        component: &str,
        collector: &str,
    ) -> String {
        let mut names: Vec<_> = plugins.into_iter().map(|plugin| plugin.name).collect();
        names.sort_unstable();
        names.dedup();
        let section = |name| format!("  {name}: {{collector: '{collector}', component: {component}}}\n");
        // Nobody is asked who they are: these tests are not about that.
        let open = if component == "lifecycle" { "auth-required: false\n" } else { "" };
        format!("{open}plugins:\n{}", names.into_iter().map(section).collect::<String>())
    }

    fn cargo_toml(&self) -> String {
        format!(
            "[package]\nname = \"{}\"\nversion = \"{}\"\nedition = \"2024\"\n\n[dependencies]\n\
             racetrack-core = \"0.1\"\nserde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n{}\n",
            self.name,
            self.version,
            self.dependency.unwrap_or_default()
        )
    }

    fn manifest(&self) -> String {
        let components = match self.components {
            [] => String::new(),
            some => format!("components: [{}]\n", some.join(", ")),
        };
        format!("name: {}\nversion: {}\npriority: {}\n{components}", self.name, self.version, self.priority)
    }

    fn library(&self) -> String {
        let implemented = |hook: &str| self.hooks.contains(&hook);
        let hooks: String =
            HOOKS.iter().filter(|(hook, _)| implemented(hook)).map(|(_, code)| *code).collect();
        TEMPLATE.replace("// HOOKS", &hooks).replace("EXTRA", self.uses.unwrap_or("String::new()"))
    }
}

const HOOKS: &[(&str, &str)] = &[
    (
        "infrastructure_targets",
        "    async fn infrastructure_targets(&self) -> HookResult<InfrastructureTargets> {
        self.report(\"infrastructure_targets\")?;
        Ok(InfrastructureTargets::new())
    }\n",
    ),
    (
        "job_runtime_env_vars",
        "    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        self.report(\"job_runtime_env_vars\")?;
        Ok(EnvVars::new())
    }\n",
    ),
    (
        "markdown_docs",
        "    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        self.report(\"markdown_docs\")?;
        Ok(Some(self.marker.clone()))
    }\n",
    ),
    (
        "post_job_deploy",
        "    async fn post_job_deploy(&self, _: PostJobDeploy<'_>) -> HookResult {
        self.report(\"post_job_deploy\")?;
        match self.config.post_job_deploy.as_deref() {
            Some(\"panic\") => panic!(\"asked to panic\"),
            Some(\"hang\") => std::future::pending().await,
            Some(\"fail\") => Err(\"asked to fail\".into()),
            _ => Ok(()),
        }
    }\n",
    ),
    (
        "post_job_delete",
        "    async fn post_job_delete(&self, _: PostJobDelete<'_>) -> HookResult {
        self.report(\"post_job_delete\")
    }\n",
    ),
    (
        "run_action",
        "    async fn run_action(&self, event: RunAction<'_>) -> HookResult<Value> {
        match event.parameters.get(\"do\").and_then(Value::as_str) {
            Some(\"panic\") => panic!(\"asked to panic\"),
            Some(\"hang\") => std::future::pending().await,
            Some(\"block\") => loop { std::thread::park() },
            Some(\"fail\") => Err(\"asked to fail\".into()),
            _ => Ok(Value::from(EXTRA)),
        }
    }\n",
    ),
];

const TEMPLATE: &str = r#"//! Reports each call of its hooks.
#![allow(unused_imports, dead_code)]

use std::io::{Read, Write};
use std::net::TcpStream;

use racetrack_core::{
    EnvVars, FromContext, HookResult, ImageDefinition, InfrastructureTargets, JobType, JobTypes, Plugin,
    PluginContext, PluginError, PostJobDelete, PostJobDeploy, RunAction,
};
use serde_json::Value;

pub struct Recording {
    name: String,
    version: String,
    marker: String,
    config: Config,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where it reports to; nowhere in a component without configuration, such as the tiny one.
    collector: Option<String>,
    component: Option<String>,
    /// What it does besides reporting: `fail`, `hang` or `panic`.
    post_job_deploy: Option<String>,
}

impl FromContext for Recording {
    fn from_context(context: PluginContext) -> Result<Self, PluginError> {
        Ok(Self {
            name: context.manifest().name.to_string(),
            version: context.manifest().version.to_string(),
            marker: String::from_utf8(context.resources().get("marker.txt")?.to_vec())?,
            config: context.config()?,
        })
    }
}

#[racetrack_core::plugin]
impl Plugin for Recording {
    async fn job_types(&self) -> HookResult<JobTypes> {
        self.report("job_types")?;
        let name = format!("{}:{}", self.name, self.version);
        Ok(JobTypes::from([(name, JobType::from(ImageDefinition::from_job("Dockerfile")))]))
    }
// HOOKS}

impl Recording {
    fn report(&self, hook: &str) -> HookResult {
        let (Some(collector), Some(component)) = (&self.config.collector, &self.config.component) else {
            return Ok(());
        };
        let mut connection = TcpStream::connect(collector)?;
        let path = format!("/{component}/{hook}/{}/{}", self.name, self.version);
        connection.write_all(format!("POST {path} HTTP/1.1\r\nHost: collector\r\n\r\n").as_bytes())?;
        connection.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}
"#;
