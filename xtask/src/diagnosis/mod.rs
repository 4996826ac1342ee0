//! What `doctor` looks at: each check says what it found, why that matters and what to do about it. Nothing is changed.

mod configuration;
mod distribution;
mod machine;
mod storage;

use serde::Serialize;

pub(crate) use configuration::configuration;
pub(crate) use distribution::{distribution, rejected};
pub(crate) use machine::{machine, registry};
pub(crate) use storage::storage;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Builds fail, or give something else than was declared.
    Wrong,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: &'static str,
    /// How bad it is.
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) what: String,
    /// Why it matters; nothing where all is fine.
    pub(crate) why: Option<String>,
    /// What to do about it; nothing where all is fine.
    pub(crate) help: Option<String>,
}

impl Finding {
    fn fine(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fine, what: what.into(), why: None, help: None }
    }

    fn note(
        check: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (why, help) = (Some(why.into()), Some(help.into()));
        Self { check, verdict: Verdict::Note, what: what.into(), why, help }
    }

    fn wrong(
        check: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Wrong, ..Self::note(check, what, why, help) }
    }
}
