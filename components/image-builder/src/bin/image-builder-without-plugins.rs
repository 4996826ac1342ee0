//! Image-builder as it is without a distribution: there is no plugin, so it fetches sources and builds nothing. For tests of
//! what only a process of its own shows.

use std::process::ExitCode;

use racetrack_core::plan::ComponentPlan;

static PLAN: ComponentPlan = ComponentPlan { component: "image-builder", description: None, plugins: &[] };

fn main() -> ExitCode {
    racetrack_image_builder::main(&PLAN)
}
