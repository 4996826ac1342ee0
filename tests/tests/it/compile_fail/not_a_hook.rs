use racetrack_core::{HookResult, Plugin, PostJobDeploy};

#[derive(Default)]
struct Watcher;

#[racetrack_core::plugin]
impl Plugin for Watcher {
    async fn post_job_deployed(&self, _: PostJobDeploy<'_>) -> HookResult {
        Ok(())
    }

    async fn on_sunrise(&self) -> HookResult {
        Ok(())
    }

    fn job_types(&self) -> HookResult<racetrack_core::JobTypes> {
        Ok(racetrack_core::JobTypes::new())
    }
}

fn main() {}
