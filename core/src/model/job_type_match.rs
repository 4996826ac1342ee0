//! Which job type a job manifest means: an exact one, the latest, or the latest that fits a pattern.
//!
//! ```
//! use racetrack_core::job_type_match;
//!
//! let available = ["python3:2.5.9", "python3:2.6.1", "python3:2.6.12", "python3:3.0.0", "rust:1.0.0"];
//! let resolve = |wanted| job_type_match::resolve(wanted, available);
//! assert_eq!(resolve("python3:2.6.1")?, "python3:2.6.1");
//! assert_eq!(resolve("python3:2.6.*")?, "python3:2.6.12");
//! assert_eq!(resolve("python3:latest")?, "python3:3.0.0");
//! assert!(resolve("go:latest").is_err());
//! # Ok::<(), job_type_match::JobTypeError>(())
//! ```

use crate::model::version::Version;

/// Why no job type is meant. The texts list the job types there are.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobTypeError {
    /// The text has no colon, or several.
    #[error("job type should be specified as \"name:version\", got \"{0}\"")]
    Form(String),
    /// No plugin offers any job type.
    #[error("language {0} is not supported here. No job type plugins are currently installed to Racetrack")]
    NoJobTypes(String),
    /// `latest` of a job type that nobody offers.
    #[error("there is no version matching \"{wanted}\", supported are: {}", list(.supported))]
    NoLatest {
        /// What was asked for.
        wanted: String,
        /// The job types there are.
        supported: Vec<String>,
    },
    /// No version fits the pattern.
    #[error("language pattern \"{pattern}\" doesn't match any of the supported versions: {}", list(.supported))]
    NoMatch {
        /// What was asked for.
        pattern: String,
        /// The job types there are.
        supported: Vec<String>,
    },
    /// Nobody offers exactly this.
    #[error("language {wanted} is not supported, supported are: {}", list(.supported))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// The job types there are.
        supported: Vec<String>,
    },
}

/// The job type that `wanted` means, of those there are: `python3:2.4.0`, `python3:latest` or `python3:2.*`.
///
/// A `*` stands for one or more characters; a pattern may have a label, as in `python3:2.*-slim`. Labelled versions count;
/// a version of another form than `X.Y.Z[label]` is found by its exact name only.
///
/// ```
/// use racetrack_core::job_type_match::{JobTypeError, resolve};
///
/// assert_eq!(resolve("go:latest", ["go:1.9.0", "go:1.10.0"]), Ok("go:1.10.0"));
/// assert!(matches!(resolve("go", ["go:1.9.0"]), Err(JobTypeError::Form(_))));
/// ```
///
/// # Errors
/// [`JobTypeError`], with the texts that the original platform's users know.
pub fn resolve<'a>(
    wanted: &str,
    available: impl IntoIterator<Item = &'a str>,
) -> Result<&'a str, JobTypeError> {
    let available: Vec<_> = available.into_iter().collect();
    let Some((name, version)) = wanted.split_once(':').filter(|(_, version)| !version.contains(':')) else {
        return Err(JobTypeError::Form(wanted.to_owned()));
    };
    if available.is_empty() {
        return Err(JobTypeError::NoJobTypes(wanted.to_owned()));
    }
    let (wanted, supported) =
        (wanted.to_owned(), || available.iter().map(|&known| known.to_owned()).collect());
    if version == "latest" {
        let latest = highest(&available, name, |_| true);
        return latest.ok_or_else(|| JobTypeError::NoLatest { wanted, supported: supported() });
    }
    if is_pattern(version) {
        let highest = highest(&available, name, |known| fits(version, known));
        return highest.ok_or_else(|| JobTypeError::NoMatch { pattern: wanted, supported: supported() });
    }
    let exact = available.iter().find(|known| **known == wanted).copied();
    exact.ok_or_else(|| JobTypeError::Unknown { wanted, supported: supported() })
}

fn highest<'a>(available: &[&'a str], name: &str, is_wanted: impl Fn(&str) -> bool) -> Option<&'a str> {
    let of_that_name = available.iter().filter_map(|&known| {
        let (known_name, version) = known.split_once(':')?;
        let version = Some(version).filter(|version| known_name == name && is_wanted(version))?;
        Some((version.parse::<Version>().ok()?, known))
    });
    of_that_name.max_by(|(left, _), (right, _)| left.cmp(right)).map(|(_, known)| known)
}

/// Whether the version has a `*`, and the form `major[.minor[.patch]][-label]` with digits or `*` as its parts.
fn is_pattern(version: &str) -> bool {
    let (numbers, label) = version.split_once('-').unwrap_or((version, "x"));
    let is_part =
        |part: &str| part == "*" || !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<_> = numbers.split('.').collect();
    version.contains('*') && parts.len() <= 3 && parts.into_iter().all(is_part) && !label.is_empty()
}

/// Whether the text fits the pattern, in which each `*` stands for one or more characters.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        let mut characters = rest.chars();
        if characters.next().is_none() {
            return false;
        }
        rest = characters.as_str();
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        // The leftmost place leaves the most for the parts that follow, so no other one needs to be tried.
        let Some(start) = rest.find(part) else {
            return false;
        };
        rest = &rest[start + part.len()..];
    }
    true
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &str, available: &[&str], expected: &str) {
        assert_eq!(resolve(wanted, available.iter().copied()), Ok(expected));
    }

    #[track_caller]
    fn refused(wanted: &str, available: &[&str], text: &str) {
        let error = resolve(wanted, available.iter().copied()).expect_err(wanted);
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn the_exact_one() {
        check("python3:2.6.1", &["python3:2.6.1", "python3:2.6.12"], "python3:2.6.1");
        check("odd:1.0", &["odd:1.0"], "odd:1.0");
    }

    #[test]
    fn a_pattern_takes_the_highest_by_number() {
        check(
            "python3:2.6.*",
            &["python3:2.6.1", "python3:2.6.12", "python3:2.6.2", "python3:2.7.0"],
            "python3:2.6.12",
        );
        check("python3:*", &["python3:2.6.1", "python3:10.0.0"], "python3:10.0.0");
    }

    #[test]
    fn a_pattern_may_have_a_label() {
        let available = [
            "python3:1.30.0-3.9-bullseye",
            "python3:1.30.1-3.9-bullseye",
            "python3:1.30.2-3.8-bullseye",
            "python3:1.30.5",
        ];
        check("python3:1.30.*-3.9-bullseye", &available, "python3:1.30.1-3.9-bullseye");
    }

    #[test]
    fn patterns_and_latest_keep_to_the_name() {
        let available = ["go:3.0.0", "python3:1.0.0", "python3-class:2.0.0"];
        check("python3:latest", &available, "python3:1.0.0");
        check("python3:*", &available, "python3:1.0.0");
    }

    #[test]
    fn latest_counts_labels() {
        check("go:latest", &["go:0.9.0", "go:1.0.0-dev"], "go:1.0.0-dev");
        check("go:latest", &["go:1.0.0", "go:1.0.0-dev"], "go:1.0.0");
        check("go:latest", &["go:1.9.0", "go:1.10.0"], "go:1.10.0");
    }

    #[test]
    fn a_version_of_another_form_does_no_harm() {
        check("go:latest", &["go:1.0", "go:0.9.0"], "go:0.9.0");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let available = ["go:1.0.0", "python3:1.0.0"];
        refused("python3", &available, "job type should be specified as \"name:version\", got \"python3\"");
        refused("a:b:c", &available, "job type should be specified as \"name:version\", got \"a:b:c\"");
        refused(
            "python3:9.9.9",
            &available,
            "language python3:9.9.9 is not supported, supported are: [go:1.0.0, python3:1.0.0]",
        );
        refused(
            "rust:latest",
            &["go:1.0.0"],
            "there is no version matching \"rust:latest\", supported are: [go:1.0.0]",
        );
        refused(
            "go:2.*",
            &["go:1.0.0"],
            "language pattern \"go:2.*\" doesn't match any of the supported versions: [go:1.0.0]",
        );
        refused(
            "go:1.0.0",
            &[],
            "language go:1.0.0 is not supported here. No job type plugins are currently installed to Racetrack",
        );
        assert!(matches!(resolve("go:1.x", ["go:1.0.0"]), Err(JobTypeError::Unknown { .. })));
    }

    #[test]
    fn a_star_stands_for_something_and_a_dot_for_itself() {
        assert!(!fits("2.*", "2.") && !fits("2.*", "20.1") && fits("*.*", "1.2.3"));
        assert!(fits("1-*a*b", "1-xaxab") && fits("**", "ab") && !fits("**", "a") && !fits("a*b", "ab"));
        assert!(is_pattern("*") && is_pattern("1.*") && is_pattern("1.2.3-*"));
        assert!(!is_pattern("1.x*") && !is_pattern("1.2.3.*") && !is_pattern("1.2.3"));
    }
}
