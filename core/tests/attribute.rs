//! The attribute macro, seen from a crate that uses it.

use racetrack_core::{EnvVars, Hook, HookResult, Plugin, registration};

#[derive(Default)]
pub struct Sample;

#[racetrack_core::plugin]
impl Plugin for Sample {
    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        Ok(EnvVars::new())
    }

    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(Some("# Sample".to_owned()))
    }
}

#[test]
fn the_plugin_is_registered_with_its_hooks() {
    let [registration] = registration::linked().collect::<Vec<_>>()[..] else {
        panic!("one plugin is linked")
    };
    assert_eq!(
        (registration.name, registration.version),
        (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(registration.type_name, "Sample");
    for descriptor in Hook::catalogue() {
        let implemented = ["job_runtime_env_vars", "markdown_docs"].contains(&descriptor.hook.name());
        assert_eq!(registration.hooks.contains(descriptor.hook), implemented, "{}", descriptor.hook);
    }
    racetrack_core::plan::assert_planned(
        &__RACETRACK_PLUGIN,
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
    );
}

#[test]
#[should_panic(expected = "another version than its plugin manifest says")]
fn another_version_than_planned_is_caught() {
    racetrack_core::plan::assert_planned(&__RACETRACK_PLUGIN, env!("CARGO_PKG_NAME"), "9.9.9");
}
