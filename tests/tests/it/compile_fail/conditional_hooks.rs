use racetrack_core::{HookResult, Plugin};

#[derive(Default)]
struct Conditional;

#[racetrack_core::plugin]
impl Plugin for Conditional {
    #[cfg(not(debug_assertions))]
    async fn job_runtime_env_vars(&self) -> HookResult<racetrack_core::EnvVars> {
        Ok(racetrack_core::EnvVars::new())
    }

    #[cfg_attr(all(), allow(unused), cfg_attr(all(), cfg(windows)))]
    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        #![allow(unused)]
        Ok(None)
    }

    #[cfg_attr(all(), allow(unused), doc = "cfg(windows)")]
    async fn job_types(&self) -> HookResult<racetrack_core::JobTypes> {
        #![cfg(unix)]
        Ok(racetrack_core::JobTypes::new())
    }

    made_by_macro!();
}

fn main() {}
