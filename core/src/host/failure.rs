//! What goes wrong inside a hook, with the names of the hook and of the plugin.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::error::chain;
use crate::model::plugin_name::PluginName;
use crate::model::version::Version;
use crate::sdk::hook::Hook;
use crate::sdk::hook_result::PluginError;
use crate::sdk::refusal::{Refusal, RefusalKind};
use crate::text::{BoundedText, TextLimit};

/// A hook of a plugin failed. The display names hook, plugin and version; the source says why.
#[derive(Debug)]
pub struct HookFailure {
    /// The hook that was called.
    pub hook: Hook,
    /// The plugin it was called on.
    pub plugin: PluginName,
    /// The version of the plugin.
    pub version: Version,
    /// What happened.
    pub cause: HookFailureCause,
}

/// What happened in a hook that failed.
#[derive(Debug, thiserror::Error)]
pub enum HookFailureCause {
    /// The hook returned an error.
    #[error("{0}")]
    Error(ErrorText),
    /// The hook returned a [`Refusal`]: whoever asked made the mistake, not the plugin.
    #[error("{text}")]
    Refused {
        /// What is wrong with the request.
        kind: RefusalKind,
        /// The text of the refusal.
        text: ErrorText,
    },
    /// The hook panicked.
    #[error("it panicked: {message}")]
    Panic {
        /// The message of the panic.
        message: String,
    },
    /// The hook did not finish in time.
    #[error("it did not finish within {}", Limit(*limit))]
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
    /// The hook blocked its thread, so that not even its time limit could end it; its thread was given up.
    #[error("it blocked its thread for more than {}, and was given up", Limit(*limit))]
    Blocked {
        /// The time limit.
        limit: Duration,
    },
}

/// The text of the error a hook returned: that of its whole chain, so that nothing gets lost where only one line is
/// shown, cut to [`TextLimit::UNREDACTED`]: it may quote a job. Where it is shown or kept it is cut further. It is taken while the plugin is still guarded, because `Display` and `source` are the plugin's code too.
#[derive(Debug)]
pub struct ErrorText(BoundedText);

/// A duration as people write it.
struct Limit(Duration);

impl HookFailureCause {
    /// The cause for a caught panic.
    pub fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = text.unwrap_or_else(|| "(a panic without a text)".to_owned());
        Self::Panic { message: BoundedText::new(message, TextLimit::UNREDACTED).into() }
    }
}

impl From<PluginError> for HookFailureCause {
    fn from(error: PluginError) -> Self {
        let text = ErrorText(BoundedText::new(chain(&*error), TextLimit::UNREDACTED));
        match error.downcast_ref().map(Refusal::kind) {
            Some(kind) => Self::Refused { kind, text },
            None => Self::Error(text),
        }
    }
}

impl HookFailure {
    /// The failure and its cause in one line, as warnings and logs show it.
    ///
    /// ```
    /// use racetrack_core::host::failure::{HookFailure, HookFailureCause};
    /// use racetrack_core::{Hook, PluginError};
    ///
    /// let failure = HookFailure {
    ///     hook: Hook::PostJobDeploy,
    ///     plugin: "skynet-watcher".parse()?,
    ///     version: "1.2.3".parse()?,
    ///     cause: HookFailureCause::from(PluginError::from("the mail server is down")),
    /// };
    /// assert_eq!(
    ///     failure.one_line(),
    ///     "hook `post_job_deploy` of plugin `skynet-watcher` 1.2.3 failed: the mail server is down"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn one_line(&self) -> String {
        format!("{self}: {}", self.cause)
    }
}

impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hook `{}` of plugin `{}` {} failed", self.hook, self.plugin, self.version)
    }
}

impl Error for HookFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ErrorText {}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanos() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_text() {
        let limit = Duration::from_secs(30);
        assert_eq!(HookFailureCause::TimedOut { limit }.to_string(), "it did not finish within 30 s");
        let limit = Duration::from_millis(250);
        assert!(HookFailureCause::Blocked { limit }.to_string().contains("more than 250 ms"));
        assert_eq!(HookFailureCause::from_panic(&"boom").to_string(), "it panicked: boom");
        assert_eq!(HookFailureCause::from_panic(&"boom".to_owned()).to_string(), "it panicked: boom");
        assert!(HookFailureCause::from_panic(&7).to_string().contains("without a text"));
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        #[derive(Debug, thiserror::Error)]
        #[error("the mail server is down")]
        struct Outer(#[source] Refusal);
        let refused = [
            (Refusal::invalid("no name"), RefusalKind::Invalid),
            (Refusal::not_found("no name"), RefusalKind::NotFound),
            (Refusal::conflict("no name"), RefusalKind::Conflict),
        ];
        for (refusal, expected) in refused {
            let cause = HookFailureCause::from(PluginError::from(refusal));
            assert_eq!(cause.to_string(), "no name");
            assert!(matches!(cause, HookFailureCause::Refused { kind, .. } if kind == expected), "{cause:?}");
        }
        let cause = HookFailureCause::from(PluginError::from(Outer(Refusal::invalid("no name"))));
        assert!(matches!(cause, HookFailureCause::Error(_)), "{cause:?}");
    }

    #[test]
    fn a_text_of_any_length_becomes_a_short_one() {
        let text = format!("begin{}end", "é".repeat(10_000_000));
        let causes =
            [HookFailureCause::from(PluginError::from(text.clone())), HookFailureCause::from_panic(&text)];
        for cause in causes.map(|cause| cause.to_string()) {
            assert!(cause.len() < 1_050_000 && cause.contains("begin") && cause.ends_with("end"));
            assert!(cause.contains(" bytes left out "));
        }
    }

    #[test]
    fn the_whole_chain_of_an_error_is_told() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot send the mail")]
        struct Outer(#[source] fmt::Error);
        let cause = HookFailureCause::from(PluginError::from(Outer(fmt::Error)));
        assert!(cause.to_string().starts_with("cannot send the mail: "), "{cause}");
    }
}
