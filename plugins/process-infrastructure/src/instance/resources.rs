//! The resources that a manifest asks for, and the limits that come of them.

use racetrack_core::Quantity;
use racetrack_core::job_manifest::Resources;

use crate::config::TargetConfig;
use crate::system::limits::Limits;

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

/// The limits that a manifest asks for, completed by the target's own.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a quantity is not negative, and the cast saturates"
)]
pub(crate) fn limits(resources: Option<&Resources>, config: &TargetConfig) -> Result<Limits, ResourceError> {
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
    Ok(Limits {
        memory_bytes: memory.map(|quantity| quantity.value() as u64),
        cpus: cpus.map(|quantity| quantity.value()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits_of(yaml: &str, target: &str) -> Result<Limits, String> {
        let resources: Resources = serde_yaml::from_str(yaml).unwrap();
        let config: TargetConfig = serde_yaml::from_str(target).unwrap();
        super::limits(Some(&resources), &config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_manifest_sets_limits_and_the_target_completes_them() {
        let none = Limits::default();
        assert_eq!(super::limits(None, &TargetConfig::default()), Ok(none));
        assert_eq!(
            limits_of("{memory_max: 1Gi, cpu_max: 500m}", "{}"),
            Ok(Limits { memory_bytes: Some(1 << 30), cpus: Some(0.5) })
        );
        let target = "{default-memory-max: 1Mi, default-cpu-max: 1}";
        assert_eq!(limits_of("{}", target), Ok(Limits { memory_bytes: Some(1 << 20), cpus: Some(1.0) }));
        assert_eq!(
            limits_of("{memory_min: 2Mi, cpu_max: 2}", target),
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
            assert_eq!(limits_of(yaml, "{max-job-memory-limit: 8Gi}"), Err(text.to_owned()));
        }
    }
}
