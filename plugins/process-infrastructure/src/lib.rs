//! Infrastructure targets whose jobs are processes of the machine that lifecycle runs on.
//!
//! A `Target` has *instances* of jobs, each one generation of a job's replicas. An instance comes as a
//! candidate beside the one in service and takes its place when it answers. Its processes write their logs themselves
//! and need no lifecycle; a later lifecycle finds them again by what is noted in the state folder.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "process-infrastructure watches processes by means of Linux; remove it from racetrack.toml on other systems"
);

mod config;
mod deployer;
mod instance;
mod log_session;
mod monitor;
mod process_target;
mod removal;
mod session_table;
mod state;
mod system;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use racetrack_core::{
    FromContext, HookResult, InfrastructureTarget, InfrastructureTargets, Plugin, PluginContext, PluginError,
    Refusal, RunAction,
};
use serde_json::{Map, Value};

use crate::config::{ProcessConfig, TargetConfig};
use crate::instance::host::Host;
use crate::process_target::ProcessTarget;
use crate::system::control_group::{self, Place, UnusableGroup};
use crate::target::Target;

/// The plugin. Construction touches no process, and of files only those of a control group that was set aside for jobs.
pub struct ProcessInfrastructure {
    targets: Vec<Arc<ProcessTarget>>,
    docs: String,
}

/// The control group of a target cannot hold its jobs.
#[derive(Debug, thiserror::Error)]
#[error("target `{target}`: `control-group` cannot be used")]
struct UnusableTargetGroup {
    target: String,
    #[source]
    source: UnusableGroup,
}

impl FromContext for ProcessInfrastructure {
    fn from_context(context: PluginContext) -> Result<Self, PluginError> {
        let config: ProcessConfig = context.config()?;
        let docs = std::str::from_utf8(context.resources().get("docs.md")?)?.to_owned();
        // Jobs have another working directory than lifecycle.
        let root = std::path::absolute(&config.state_folder)?;
        let key_file = config.key_file.as_ref().map(std::path::absolute).transpose()?;
        let make_key = key_file.is_none();
        let key_file = key_file.unwrap_or_else(|| root.join("secret.key"));
        let mut targets = Vec::new();
        for target in config.checked_targets() {
            let (name, settings) = target?;
            prepare_control_group(&name, &settings)?;
            let host = Host::new(settings, key_file.clone(), make_key);
            let folder = root.join("targets").join(&name);
            targets.push(Arc::new(ProcessTarget(Arc::new(Target::new(name, folder, host)))));
        }
        Ok(Self { targets, docs })
    }
}

#[racetrack_core::plugin]
impl Plugin for ProcessInfrastructure {
    async fn infrastructure_targets(&self) -> HookResult<InfrastructureTargets> {
        let targets = self.targets.iter().map(|target| {
            // Jobs of an earlier lifecycle are looked after from now on, not from the first request on.
            target.0.resume_in_background();
            let offered = InfrastructureTarget::new(Arc::clone(target) as _, Arc::clone(target) as _);
            (target.0.name.clone(), offered.with_logs_streamer(Arc::clone(target) as _))
        });
        Ok(targets.collect())
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some(self.docs.clone()))
    }

    async fn run_action(&self, event: RunAction<'_>) -> HookResult<Value> {
        match event.parameters.get("action").and_then(Value::as_str) {
            Some("status") => {}
            _ => return Err(Refusal::invalid("the parameter `action` must be `status`").into()),
        }
        let mut status = Map::new();
        for target in &self.targets {
            status.insert(target.0.name.clone(), target.processes().await?);
        }
        Ok(Value::Object(status))
    }
}

/// Prepares the control group that was set aside for the jobs of a target, if one was.
fn prepare_control_group(target: &str, settings: &TargetConfig) -> Result<(), UnusableTargetGroup> {
    let Some(Place::Below(folder)) = settings.control_group_place() else { return Ok(()) };
    control_group::prepare(&folder)
        .map_err(|source| UnusableTargetGroup { target: target.to_owned(), source })
}
