//! The job type `rust`: a crate with one function, compiled into a server.

mod command;
mod config;
mod job_crate;
mod job_folder;
mod job_type_extra;
mod lock;
mod recipe;

use racetrack_core::{
    FromContext, HookResult, JobType, JobTypes, Plugin, PluginContext, PluginError, ValidateJobManifest,
};

use crate::config::RustConfig;
use crate::recipe::RustRecipe;

/// The plugin.
pub struct RustJobType {
    version: String,
    config: RustConfig,
    resources: racetrack_core::context::Resources,
    docs: String,
}

impl FromContext for RustJobType {
    fn from_context(context: PluginContext) -> Result<Self, PluginError> {
        let docs = std::str::from_utf8(context.resources().get("docs.md")?)?.to_owned();
        let version = context.manifest().version.to_string();
        Ok(Self { version, config: context.config()?, resources: context.resources(), docs })
    }
}

#[racetrack_core::plugin]
impl Plugin for RustJobType {
    async fn job_types(&self) -> HookResult<JobTypes> {
        let recipe = RustRecipe::new(&self.version, self.config.clone(), self.resources);
        Ok(JobTypes::from([(format!("rust:{}", self.version), JobType::from_recipe(recipe))]))
    }

    async fn validate_job_manifest(&self, event: ValidateJobManifest<'_>) -> HookResult {
        Ok(job_type_extra::check(event.manifest)?)
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(self.docs.clone()))
    }
}

#[cfg(test)]
mod tests {
    use racetrack_core::JobManifest;

    use super::*;

    fn plugin() -> RustJobType {
        let context = PluginContext::builder("rust-job-type", "1.0.0");
        let context = context.resource("docs.md", include_bytes!("../resources/docs.md"));
        RustJobType::from_context(context.build()).expect("can be constructed")
    }

    async fn validate(manifest: &str) -> Result<(), String> {
        let manifest = JobManifest::parse(manifest).expect("a valid manifest");
        let event = ValidateJobManifest::new(&manifest, "rust:1.0.0");
        plugin().validate_job_manifest(event).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn it_provides_one_job_type_of_its_own_version() {
        let job_types = plugin().job_types().await.expect("has job types");
        assert_eq!(job_types.keys().collect::<Vec<_>>(), ["rust:1.0.0"]);
        assert!(job_types["rust:1.0.0"].recipe().is_some());
    }

    #[tokio::test]
    async fn the_manifest_in_the_docs_is_valid_and_takes_no_keys_of_its_own() {
        let docs = plugin().markdown_docs().await.expect("has docs").expect("has docs");
        let yaml =
            docs.split("```").find_map(|block| block.strip_prefix("yaml\n")).expect("an example manifest");
        assert_eq!(validate(yaml).await, Ok(()));
        let message =
            validate(&format!("{yaml}jobtype_extra: {{entrypoint_path: a.py, edition: 2024}}\n")).await;
        let message = message.expect_err("unknown keys");
        assert!(
            message.starts_with("unknown keys in `jobtype_extra`: `edition`, `entrypoint_path`; remove"),
            "{message}"
        );
    }
}
