//! Watches for jobs that should not be.
//!
//! The smallest complete plugin: it takes a configuration, ships a resource file, and implements four hooks.

use racetrack_core::{
    EnvVars, FromContext, HookResult, Plugin, PluginContext, PluginError, PostJobDeploy, Refusal, RunAction,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The plugin. Construction does nothing that can be seen from outside.
pub struct SkynetWatcher {
    config: SkynetConfig,
    docs: String,
}

/// The plugin's section of the component's configuration: `plugins: {skynet-watcher: {…}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct SkynetConfig {
    /// Jobs whose name contains this word are watched.
    word: String,
    /// The value of `SKYNET_TARGET` in the environment of every job.
    target: String,
}

impl Default for SkynetConfig {
    fn default() -> Self {
        Self { word: "skynet".to_owned(), target: "MrPresident".to_owned() }
    }
}

impl FromContext for SkynetWatcher {
    fn from_context(context: PluginContext) -> Result<Self, PluginError> {
        let docs = std::str::from_utf8(context.resources().get("docs.md")?)?;
        Ok(Self { config: context.config()?, docs: docs.to_owned() })
    }
}

#[racetrack_core::plugin]
impl Plugin for SkynetWatcher {
    async fn post_job_deploy(&self, event: PostJobDeploy<'_>) -> HookResult {
        let name = &event.job.name;
        if self.is_watched(name) {
            // Whoever deployed the job should know: an error of this hook becomes a warning of the deployment, and the
            // job keeps running.
            return Err(format!("job `{name}` looks like the work of {}", self.config.word).into());
        }
        Ok(())
    }

    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        Ok(EnvVars::from([("SKYNET_TARGET".to_owned(), self.config.target.clone())]))
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(self.docs.clone()))
    }

    async fn run_action(&self, event: RunAction<'_>) -> HookResult<Value> {
        let name = event.parameters.get("name").and_then(Value::as_str);
        // The caller's mistake, and so a 400. Any other error would be a failure of this plugin, and a 500.
        let name = name.ok_or_else(|| Refusal::invalid("the parameter `name` is missing"))?;
        Ok(json!({ "watched": self.is_watched(name) }))
    }
}

impl SkynetWatcher {
    fn is_watched(&self, name: &str) -> bool {
        name.contains(&self.config.word)
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use racetrack_core::{Job, JobManifest, JobStatus};

    use super::*;

    fn watcher(config: &str) -> SkynetWatcher {
        let context = PluginContext::builder("skynet-watcher", "1.2.3")
            .resource("docs.md", include_bytes!("../resources/docs.md"))
            .config(config);
        SkynetWatcher::from_context(context.build()).expect("the configuration is right")
    }

    fn deploy(watcher: &SkynetWatcher, name: &str) -> Result<(), String> {
        let manifest = format!(
            "name: {name}\nowner_email: t800@example.com\njobtype: python3:latest\ngit: {{remote: 'https://example.com'}}"
        );
        let manifest = JobManifest::parse(&manifest).expect("valid");
        let job = Job::new(name, "0.0.1", JobStatus::Running, 0);
        let event = PostJobDeploy::new(&manifest, &job, "job-entrypoint");
        block_on(watcher.post_job_deploy(event)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_watched_job_gives_a_warning() {
        let watcher = watcher("{}");
        assert_eq!(deploy(&watcher, "adder"), Ok(()));
        assert_eq!(
            deploy(&watcher, "skynet-v2"),
            Err("job `skynet-v2` looks like the work of skynet".to_owned())
        );
    }

    #[test]
    fn the_configuration_decides() {
        let watcher = watcher("word: genisys\ntarget: MrsPresident");
        assert_eq!(deploy(&watcher, "skynet-v2"), Ok(()));
        let variables = block_on(watcher.job_runtime_env_vars()).expect("has variables");
        assert_eq!(variables["SKYNET_TARGET"], "MrsPresident");
    }

    #[test]
    fn the_action_tells_whether_a_name_is_watched() {
        let run = |parameters: Value| {
            let parameters = parameters.as_object().expect("an object").clone();
            block_on(watcher("{}").run_action(RunAction::new(&parameters)))
        };
        assert_eq!(run(json!({"name": "skynet-v2"})).expect("is answered"), json!({"watched": true}));
        let error = run(json!({})).expect_err("there is no name");
        assert_eq!(
            error.downcast_ref(),
            Some(&Refusal::invalid("the parameter `name` is missing")),
            "{error}"
        );
    }

    #[test]
    fn the_docs_are_those_of_the_resource_file() {
        let docs = block_on(watcher("{}").markdown_docs()).expect("has docs");
        assert!(docs.is_some_and(|docs| docs.starts_with("# skynet-watcher")));
    }
}
