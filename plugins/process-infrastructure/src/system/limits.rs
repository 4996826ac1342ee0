//! How much memory and CPU a replica may use, and which means of the system holds it to that.

use std::io;

use racetrack_core::Quantity;
use racetrack_core::job_manifest::Resources;
use racetrack_core::open_files::original_limit;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde::{Deserialize, Serialize};

use crate::config::TargetConfig;
use crate::system::control_group::GroupLimits;

/// The limits of one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Memory in bytes.
    pub(crate) memory_bytes: Option<u64>,
    /// CPUs, possibly a fraction.
    pub(crate) cpus: Option<f64>,
}

/// What holds a replica to its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppliedLimits {
    /// What limits its memory: `cgroup`, `rlimit` or `none`.
    pub(crate) memory: String,
    /// What limits its CPU time: `cgroup` or `none`.
    pub(crate) cpu: String,
}

/// Resources that a manifest cannot ask for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResourceError {
    #[error("given memory limit {asked} is greater than max allowed {allowed}")]
    TooMuchMemory { asked: Quantity, allowed: Quantity },
    #[error("{0} must be greater than zero")]
    Zero(&'static str),
    #[error("{0}_min must be less than {0}_max")]
    Order(&'static str),
}

impl Limits {
    /// The limits that a manifest asks for, completed by the target's own.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a quantity is not negative, and the cast saturates"
    )]
    pub(crate) fn of(resources: Option<&Resources>, config: &TargetConfig) -> Result<Self, ResourceError> {
        let asked = resources.cloned().unwrap_or_default();
        let names = ["memory_min", "memory_max", "cpu_min", "cpu_max"];
        let values = [&asked.memory_min, &asked.memory_max, &asked.cpu_min, &asked.cpu_max];
        for (name, value) in names.into_iter().zip(values) {
            if value.as_ref().is_some_and(|quantity| quantity.value() <= 0.0) {
                return Err(ResourceError::Zero(name));
            }
        }
        for (name, min, max) in
            [("memory", &asked.memory_min, &asked.memory_max), ("cpu", &asked.cpu_min, &asked.cpu_max)]
        {
            if let (Some(min), Some(max)) = (min, max)
                && min > max
            {
                return Err(ResourceError::Order(name));
            }
        }
        // What is set aside is also granted, even where it is more than the target's default.
        let max = |max: Option<Quantity>, min: Option<Quantity>, default: &Option<Quantity>| {
            max.or_else(|| default.clone().map(|default| min.map_or(default.clone(), |min| min.max(default))))
        };
        let memory = max(asked.memory_max, asked.memory_min, &config.default_memory_max);
        let cpus = max(asked.cpu_max, asked.cpu_min, &config.default_cpu_max);
        if let (Some(asked), Some(allowed)) = (&memory, &config.max_job_memory_limit)
            && asked > allowed
        {
            return Err(ResourceError::TooMuchMemory { asked: asked.clone(), allowed: allowed.clone() });
        }
        Ok(Self {
            memory_bytes: memory.map(|quantity| quantity.value() as u64),
            cpus: cpus.map(|quantity| quantity.value()),
        })
    }

    /// Holds a process just started, and all that it starts, to the limits that its control group does not hold.
    pub(crate) fn apply(&self, pid: i32, by_group: GroupLimits) -> AppliedLimits {
        let memory = match self.memory_bytes {
            None => "none",
            Some(_) if by_group.memory => "cgroup",
            Some(bytes) => match limit_data(pid, bytes) {
                Ok(()) => "rlimit",
                Err(error) => {
                    tracing::warn!(pid, %error, "the memory of this process of a job cannot be limited");
                    "none"
                }
            },
        };
        let cpu = if by_group.cpu { "cgroup" } else { "none" };
        AppliedLimits { memory: memory.to_owned(), cpu: cpu.to_owned() }
    }
}

/// Gives a process just started the limit of open files that lifecycle was started with.
pub(crate) fn restore_open_files(pid: i32) -> io::Result<()> {
    if let Some(limit) = original_limit() {
        let limit = Rlimit { current: Some(limit), maximum: getrlimit(Resource::Nofile).maximum };
        prlimit(Pid::from_raw(pid), Resource::Nofile, limit)?;
    }
    Ok(())
}

/// Limits what the process allocates. The address space is not limited instead of it: programs with threads reserve
/// far more of that than they ever use.
fn limit_data(pid: i32, bytes: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    prlimit(Pid::from_raw(pid), Resource::Data, limit)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(yaml: &str, target: &str) -> Result<Limits, String> {
        let resources: Resources = serde_yaml::from_str(yaml).unwrap();
        let config: TargetConfig = serde_yaml::from_str(target).unwrap();
        Limits::of(Some(&resources), &config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_manifest_sets_limits_and_the_target_completes_them() {
        let none = Limits::default();
        assert_eq!(Limits::of(None, &TargetConfig::default()), Ok(none));
        assert_eq!(
            limits("{memory_max: 1Gi, cpu_max: 500m}", "{}"),
            Ok(Limits { memory_bytes: Some(1 << 30), cpus: Some(0.5) })
        );
        let target = "{default-memory-max: 1Mi, default-cpu-max: 1}";
        assert_eq!(limits("{}", target), Ok(Limits { memory_bytes: Some(1 << 20), cpus: Some(1.0) }));
        assert_eq!(
            limits("{memory_min: 2Mi, cpu_max: 2}", target),
            Ok(Limits { memory_bytes: Some(2 << 20), cpus: Some(2.0) })
        );
    }

    #[test]
    fn impossible_resources_are_refused() {
        for (yaml, text) in [
            ("{memory_max: 0}", "memory_max must be greater than zero"),
            ("{memory_min: 2Gi, memory_max: 1Gi}", "memory_min must be less than memory_max"),
            ("{cpu_min: 2, cpu_max: 500m}", "cpu_min must be less than cpu_max"),
            ("{memory_max: 9Gi}", "given memory limit 9Gi is greater than max allowed 8Gi"),
        ] {
            assert_eq!(limits(yaml, "{max-job-memory-limit: 8Gi}"), Err(text.to_owned()));
        }
    }
}
