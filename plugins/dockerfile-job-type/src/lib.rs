//! The job type `dockerfile`: the job brings its own Dockerfile.

use std::path::{Component, Path};

use racetrack_core::{
    FromContext, HookResult, JobType, JobTypes, Plugin, PluginContext, PluginError, ValidateJobManifest,
};
use serde_json::Value;

/// The plugin.
pub struct DockerfileJobType {
    full_name: String,
    docs: String,
}

impl FromContext for DockerfileJobType {
    fn from_context(context: PluginContext) -> Result<Self, PluginError> {
        let docs = std::str::from_utf8(context.resources().get("docs.md")?)?.to_owned();
        Ok(Self { full_name: format!("dockerfile:{}", context.manifest().version), docs })
    }
}

#[racetrack_core::plugin]
impl Plugin for DockerfileJobType {
    async fn job_types(&self) -> HookResult<JobTypes> {
        Ok(JobTypes::from([(self.full_name.clone(), JobType::from_base_and_template(None, None))]))
    }

    async fn validate_job_manifest(&self, event: ValidateJobManifest<'_>) -> HookResult {
        let path = event.manifest.docker.as_ref().and_then(|docker| docker.get("dockerfile_path"));
        let path = path
            .ok_or("`docker.dockerfile_path` is missing: say where the Dockerfile is, as in `Dockerfile`")?;
        let path = path
            .as_str()
            .ok_or_else(|| format!("`docker.dockerfile_path` must be text, not {}", kind(path)))?;
        if path.is_empty() || !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            let rule = "must be a relative path without `..`, below the folder of the job";
            return Err(format!("`docker.dockerfile_path` {rule}, not {path:?}").into());
        }
        Ok(())
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(self.docs.clone()))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use racetrack_core::{ImageSource, JobManifest};

    use super::*;

    fn plugin() -> DockerfileJobType {
        let context = PluginContext::builder("dockerfile-job-type", "1.0.0");
        let context = context.resource("docs.md", include_bytes!("../resources/docs.md"));
        DockerfileJobType::from_context(context.build()).expect("can be constructed")
    }

    fn validate(docker: &str) -> Result<(), String> {
        let manifest = JobManifest::parse(&format!(
            "name: golden-gate\nowner_email: a@example.com\njobtype: dockerfile:latest\n\
             git: {{remote: 'https://example.com'}}\n{docker}\n"
        ));
        let manifest = manifest.expect("a valid manifest");
        let event = ValidateJobManifest::new(&manifest, "dockerfile:1.0.0");
        block_on(plugin().validate_job_manifest(event)).map_err(|error| error.to_string())
    }

    #[test]
    fn it_provides_one_job_type_of_its_own_version() {
        let job_types = block_on(plugin().job_types()).expect("has job types");
        let [image] = job_types["dockerfile:1.0.0"].images() else { panic!("one image") };
        assert_eq!((image.source, &image.dockerfile_path), (ImageSource::Job, &None));
    }

    #[test]
    fn the_path_stays_inside_the_job() {
        assert_eq!(validate("docker: {dockerfile_path: docker/Dockerfile}"), Ok(()));
        let message = |docker: &str| validate(docker).expect_err(docker);
        assert!(message("").contains("`docker.dockerfile_path` is missing"));
        assert!(message("docker: {dockerfile_path: [a]}").contains("must be text, not a list"));
        for path in ["../Dockerfile", "/etc/passwd", "''", "a/../../b"] {
            let docker = format!("docker: {{dockerfile_path: {path}}}");
            assert!(message(&docker).contains("below the folder of the job"), "{path}");
        }
    }

    #[test]
    fn the_manifest_in_the_docs_is_valid() {
        let docs = block_on(plugin().markdown_docs()).expect("has docs").expect("has docs");
        let yaml =
            docs.split("```").nth(1).and_then(|block| block.strip_prefix("yaml\n")).expect("an example");
        let manifest = JobManifest::parse(yaml).expect("a valid manifest");
        let event = ValidateJobManifest::new(&manifest, "dockerfile:1.0.0");
        block_on(plugin().validate_job_manifest(event)).expect("obeys the rules");
    }
}
