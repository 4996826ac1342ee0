//! The name and version of a job, safe to be folders.

use std::fmt;

/// A job on a target. Both parts are usable as the name of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobKey {
    name: String,
    version: String,
}

/// A name or a version that no job can have.
#[derive(Debug, thiserror::Error)]
#[error("{name:?} {version:?} cannot be the name and version of a job")]
pub(crate) struct InvalidJobKey {
    name: String,
    version: String,
}

impl JobKey {
    /// The key, if no part could lead out of the folder it is put in.
    pub(crate) fn new(name: &str, version: &str) -> Result<Self, InvalidJobKey> {
        let (name, version) = (name.to_owned(), version.to_owned());
        let is_folder_name = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.len() <= 128
                && part.chars().all(allowed)
        };
        if is_folder_name(&name) && is_folder_name(&version) {
            Ok(Self { name, version })
        } else {
            Err(InvalidJobKey { name, version })
        }
    }

    /// The name of the job.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its exact version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_out_of_its_folder() {
        for (name, version) in [("adder", "0.0.1"), ("a-b", "1.0.0-rc.1+x")] {
            assert!(JobKey::new(name, version).is_ok());
        }
        for bad in ["", ".", "..", "../x", "a/b", ".hidden", "a\0", "a\n", &"a".repeat(129)] {
            assert!(JobKey::new(bad, "1.0.0").is_err() && JobKey::new("a", bad).is_err(), "{bad:?}");
        }
    }
}
