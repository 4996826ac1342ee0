//! Which variables a job may set: of its build, and of its running instances.

use std::collections::BTreeMap;

/// Names that only the platform sets in the environment of a running job. By the one that counts replicas, targets find the
/// processes of a job.
pub const RESERVED: [&str; 10] = [
    "AUTH_TOKEN",
    "JOB_DEPLOYMENT_TIMESTAMP",
    "JOB_MANIFEST_YAML",
    "JOB_NAME",
    "JOB_USER_MODULE_HOSTNAME",
    "JOB_VERSION",
    "OPENTELEMETRY_ENDPOINT",
    "PUB_URL",
    "RACETRACK_REPLICA",
    "REQUEST_TRACING_HEADER",
];

/// The longest `NAME=value` that Linux hands to a program, in bytes.
pub const MAX_LENGTH: usize = 128 * 1024 - 1;

/// How much of a name is shown, in characters.
const SHOWN_LENGTH: usize = 64;

/// What variables are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The build: images take ASCII letters, digits and underscores alone.
    Build,
    /// The running job.
    Runtime,
}

/// Every rule that variables break. `place` is where they stand, such as `runtime_env`. Values are never repeated, because
/// some are secrets.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use racetrack_core::job_environment::{Purpose, broken_rules};
///
/// let variables = BTreeMap::from([("PUB_URL".to_owned(), "http://x".to_owned())]);
/// let broken = broken_rules("runtime_env", &variables, Purpose::Runtime);
/// assert_eq!(broken, ["runtime_env: `PUB_URL` is a name that the platform sets itself; choose another name"]);
/// ```
pub fn broken_rules(place: &str, variables: &BTreeMap<String, String>, purpose: Purpose) -> Vec<String> {
    let broken =
        variables.iter().filter_map(|(name, value)| Some((name, broken_rule(name, value, purpose)?)));
    broken
        .map(|(name, rule)| {
            let name: String = name.chars().take(SHOWN_LENGTH).collect();
            format!("{place}: `{}` {rule}", name.escape_debug())
        })
        .collect()
}

fn broken_rule(name: &str, value: &str, purpose: Purpose) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = match purpose {
        Purpose::Build => !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_plain),
        Purpose::Runtime => !name.contains(|c: char| c == '=' || c.is_control()),
    };
    if name.is_empty() || !is_name {
        Some(match purpose {
            Purpose::Build => {
                "is not a name of a variable of the build; write ASCII letters, digits and `_`, without a \
                               digit at the start"
                    .to_owned()
            }
            Purpose::Runtime => {
                "is not a name of an environment variable; leave out `=` and control characters".to_owned()
            }
        })
    } else if purpose == Purpose::Runtime && RESERVED.contains(&name) {
        Some("is a name that the platform sets itself; choose another name".to_owned())
    } else if value.contains('\0') {
        Some("has a zero byte in its value; remove it, or encode the value, for example by base64".to_owned())
    } else if name.len() + 1 + value.len() > MAX_LENGTH {
        Some(format!(
            "is longer than {MAX_LENGTH} bytes with its value; put the value into a file of the job"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(name: &str, value: &str, purpose: Purpose) -> String {
        let variables =
            BTreeMap::from([(name.to_owned(), value.to_owned()), ("FINE".to_owned(), "x=y\n".to_owned())]);
        broken_rules("env", &variables, purpose).join("; ")
    }

    #[test]
    fn names_that_no_program_gets_are_refused() {
        for name in ["", "A=B", "=", "A\0", "A\n"] {
            assert!(
                broken(name, "", Purpose::Runtime).contains("is not a name of an environment variable"),
                "{name:?}"
            );
            assert!(
                broken(name, "", Purpose::Build).contains("is not a name of a variable of the build"),
                "{name:?}"
            );
        }
        for name in ["a.b", "a-b", "1A", "ä"] {
            assert_eq!(broken(name, "", Purpose::Runtime), "", "{name}");
            assert!(
                broken(name, "", Purpose::Build).contains("is not a name of a variable of the build"),
                "{name}"
            );
        }
        assert!(broken(&"=".repeat(1000), "", Purpose::Runtime).len() < 200);
    }

    #[test]
    fn names_of_the_platform_are_its_own_at_run_time() {
        for name in RESERVED {
            assert!(broken(name, "", Purpose::Runtime).contains("that the platform sets itself"), "{name}");
            assert_eq!(broken(name, "", Purpose::Build), "", "{name}");
        }
        for name in ["auth_token", "AUTH_TOKEN_", "PATH", "RACETRACK_URL"] {
            assert_eq!(broken(name, "", Purpose::Runtime), "", "{name}");
        }
    }

    #[test]
    fn values_that_no_program_gets_are_refused_and_not_repeated() {
        for purpose in [Purpose::Build, Purpose::Runtime] {
            let zero = broken("A", "hunter2\0", purpose);
            assert!(
                zero.starts_with("env: `A` has a zero byte in its value") && !zero.contains("hunter2"),
                "{zero}"
            );
            assert!(
                broken("A", &"x".repeat(MAX_LENGTH - 1), purpose).contains("is longer than 131071 bytes")
            );
            assert_eq!(broken("A", &"x".repeat(MAX_LENGTH - 2), purpose), "");
        }
    }
}
