//! The job type `python3`: a class in Python, served by the Racetrack job runner in a virtual environment.

mod cache_entry;
mod command;
mod config;
mod interpreter;
mod job_path;
mod job_type_extra;
mod recipe;
mod requirements;
mod shared_folder;

use racetrack_core::{
    FromContext, HookResult, JobType, JobTypes, Plugin, PluginContext, PluginError, ValidateJobManifest,
};

use crate::config::Python3Config;
use crate::job_type_extra::JobTypeExtra;
use crate::recipe::PythonRecipe;

/// The plugin.
pub struct Python3JobType {
    full_name: String,
    config: Python3Config,
    docs: String,
}

impl FromContext for Python3JobType {
    fn from_context(context: PluginContext) -> Result<Self, PluginError> {
        let docs = std::str::from_utf8(context.resources().get("docs.md")?)?.to_owned();
        let config: Python3Config = context.config()?;
        config.check()?;
        Ok(Self { full_name: format!("python3:{}", context.manifest().version), config, docs })
    }
}

#[racetrack_core::plugin]
impl Plugin for Python3JobType {
    async fn job_types(&self) -> HookResult<JobTypes> {
        let recipe = PythonRecipe::new(self.config.clone());
        Ok(JobTypes::from([(self.full_name.clone(), JobType::from_recipe(recipe))]))
    }

    async fn validate_job_manifest(&self, event: ValidateJobManifest<'_>) -> HookResult {
        JobTypeExtra::read(event.manifest)?;
        Ok(())
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(self.docs.clone()))
    }
}

#[cfg(test)]
mod tests {
    use racetrack_core::JobManifest;

    use super::*;

    fn plugin(config: &str) -> Result<Python3JobType, String> {
        let context = PluginContext::builder("python3-job-type", "1.0.0")
            .resource("docs.md", include_bytes!("../resources/docs.md"))
            .config(config);
        Python3JobType::from_context(context.build()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn it_provides_one_job_type_of_its_own_version() {
        let job_types = plugin("{}").expect("can be constructed").job_types().await.expect("has job types");
        assert_eq!(job_types.keys().collect::<Vec<_>>(), ["python3:1.0.0"]);
        assert!(job_types["python3:1.0.0"].recipe().is_some());
    }

    #[test]
    fn a_runner_version_that_pip_would_read_as_an_option_stops_the_component() {
        assert!(plugin("runner-version: 1.17.0").is_ok());
        let message = plugin("runner-version: 1.0 --pre").err().expect("no version");
        assert_eq!(message, "`runner-version` is no version of racetrack-job-runner: \"1.0 --pre\"");
    }

    #[tokio::test]
    async fn the_manifest_in_the_docs_is_valid() {
        let plugin = plugin("{}").expect("can be constructed");
        let docs = plugin.markdown_docs().await.expect("has docs").expect("has docs");
        let yaml =
            docs.split("```").find_map(|block| block.strip_prefix("yaml\n")).expect("an example manifest");
        let manifest = JobManifest::parse(yaml).expect("a valid manifest");
        let event = ValidateJobManifest::new(&manifest, "python3:1.0.0");
        plugin.validate_job_manifest(event).await.expect("obeys the rules");
    }
}
