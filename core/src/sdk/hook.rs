//! The catalogue of hooks: what there is to implement, who calls it, and what a failure does.

use std::fmt;

use linkme::distributed_slice;
use serde::{Serialize, Serializer};

/// Every hook, collected at link time. Listings, documentation and the API enumerate hooks from here, through
/// [`Hook::catalogue`], because a distributed slice has no order of its own.
#[distributed_slice]
pub static HOOKS: [HookDescriptor];

/// What there is to know about a hook without calling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HookDescriptor {
    /// The hook described.
    #[serde(rename = "name")]
    pub hook: Hook,
    /// One sentence: when the hook is called.
    pub summary: &'static str,
    /// The components that call it.
    pub components: &'static [&'static str],
    /// Which plugins one occasion reaches.
    pub reach: Reach,
    /// What a failure of the hook does.
    pub on_failure: OnFailure,
}

/// Which plugins are called on one occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Every plugin that implements the hook, in hook order.
    EveryPlugin,
    /// One plugin: the one named by the caller, or the one that owns the job type.
    OnePlugin,
}

/// What a failure of a hook does: an error, a panic and an expired time limit alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The component does not start.
    RefuseToStart,
    /// The deployment fails with the text of the failure.
    FailDeployment,
    /// The failure becomes a warning of the deployment; the other plugins are still called.
    Warn,
    /// The request that asked for the hook fails.
    FailRequest,
}

macro_rules! hooks {
    ($($variant:ident $name:literal $constant:ident {
        summary: $summary:literal, components: $components:expr, reach: $reach:ident, on_failure: $on_failure:ident $(,)?
    })*) => {
        /// A hook of [`Plugin`](crate::Plugin).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Hook {
            $(#[doc = $summary] $variant,)*
        }

        impl Hook {
            /// How many hooks there are.
            pub const COUNT: usize = [$(Self::$variant),*].len();

            /// The name of the hook: that of the trait's method.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        $(
            #[distributed_slice(HOOKS)]
            static $constant: HookDescriptor = HookDescriptor {
                hook: Hook::$variant,
                summary: $summary,
                components: $components,
                reach: Reach::$reach,
                on_failure: OnFailure::$on_failure,
            };
        )*
    };
}

hooks! {
    InfrastructureTargets "infrastructure_targets" INFRASTRUCTURE_TARGETS {
        summary: "Called once at start, to learn where jobs can be deployed.",
        components: &["lifecycle"], reach: EveryPlugin, on_failure: RefuseToStart,
    }
    JobRuntimeEnvVars "job_runtime_env_vars" JOB_RUNTIME_ENV_VARS {
        summary: "Called for each deployment, to add variables to the environment of the job.",
        components: &["lifecycle"], reach: EveryPlugin, on_failure: FailDeployment,
    }
    JobTypes "job_types" JOB_TYPES {
        summary: "Called once at start, to learn which job types there are and how their images are made.",
        components: &["lifecycle", "image-builder"], reach: EveryPlugin, on_failure: RefuseToStart,
    }
    MarkdownDocs "markdown_docs" MARKDOWN_DOCS {
        summary: "Called when somebody opens the documentation of the plugin.",
        components: &["lifecycle"], reach: OnePlugin, on_failure: FailRequest,
    }
    PostJobDelete "post_job_delete" POST_JOB_DELETE {
        summary: "Called after a job has been deleted.",
        components: &["lifecycle"], reach: EveryPlugin, on_failure: Warn,
    }
    PostJobDeploy "post_job_deploy" POST_JOB_DEPLOY {
        summary: "Called after a job has been deployed and answers.",
        components: &["lifecycle"], reach: EveryPlugin, on_failure: Warn,
    }
    RunAction "run_action" RUN_ACTION {
        summary: "Called when somebody runs the plugin's own action.",
        components: &["lifecycle"], reach: OnePlugin, on_failure: FailRequest,
    }
    ValidateJobManifest "validate_job_manifest" VALIDATE_JOB_MANIFEST {
        summary: "Called before a job is built, on the plugin that provides its job type.",
        components: &["image-builder"], reach: OnePlugin, on_failure: FailDeployment,
    }
}

impl Hook {
    /// Every hook with its description, sorted by name.
    ///
    /// ```
    /// let names: Vec<_> = racetrack_core::Hook::catalogue().iter().map(|hook| hook.hook.name()).collect();
    /// assert!(names.contains(&"post_job_deploy"));
    /// assert!(names.is_sorted());
    /// ```
    pub fn catalogue() -> Vec<&'static HookDescriptor> {
        let mut hooks: Vec<_> = HOOKS.iter().collect();
        hooks.sort_by_key(|descriptor| descriptor.hook.name());
        hooks
    }

    /// The hook of that name.
    pub fn named(name: &str) -> Option<Self> {
        HOOKS.iter().map(|descriptor| descriptor.hook).find(|hook| hook.name() == name)
    }

    /// What there is to know about the hook.
    pub fn descriptor(self) -> &'static HookDescriptor {
        HOOKS
            .iter()
            .find(|descriptor| descriptor.hook == self)
            .expect("`hooks!` describes every hook it declares")
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Hook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

const _: () = assert!(Hook::COUNT <= 32, "a HookSet has 32 places");

/// A set of hooks: which ones a plugin implements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookSet(u32);

impl HookSet {
    /// No hook.
    pub const EMPTY: Self = Self(0);

    /// The set with one more hook.
    #[must_use]
    pub const fn with(self, hook: Hook) -> Self {
        Self(self.0 | 1 << hook.index())
    }

    /// Whether the hook is in the set.
    pub const fn contains(self, hook: Hook) -> bool {
        self.0 & 1 << hook.index() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_holds_every_hook_once() {
        let catalogue = Hook::catalogue();
        assert_eq!(catalogue.len(), Hook::COUNT);
        for descriptor in catalogue {
            assert_eq!(Hook::named(descriptor.hook.name()), Some(descriptor.hook));
            assert_eq!(descriptor.hook.descriptor(), descriptor);
            assert!(!descriptor.components.is_empty());
        }
        assert_eq!(Hook::named("no_such_hook"), None);
    }

    #[test]
    fn the_attribute_macro_knows_the_same_hooks() {
        let known: &[&str] = &racetrack_macros::__hook_names!();
        let catalogue: Vec<_> = Hook::catalogue().iter().map(|descriptor| descriptor.hook.name()).collect();
        assert_eq!(known, catalogue);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = HookSet::EMPTY.with(Hook::RunAction).with(Hook::JobTypes);
        assert!(set.contains(Hook::RunAction) && set.contains(Hook::JobTypes));
        assert!(!set.contains(Hook::PostJobDeploy));
    }
}
