//! What a plugin says of a request that is wrong, so that nobody takes it for a failure of the plugin.

/// A request that a plugin refuses because of what its caller asks for.
///
/// A hook that a request asked for returns it like any other error, and the caller is answered with its text and a 4xx. Any other
/// error is a failure of the plugin, which is answered with 500, counted, and logged as a warning. It has to be the error itself:
/// as the source of another one it counts as a failure, because that other error says what went wrong.
///
/// ```
/// use racetrack_core::{HookResult, Refusal, RunAction};
/// use serde_json::Value;
///
/// fn wanted<'a>(event: &RunAction<'a>) -> HookResult<&'a str> {
///     let name = event.parameters.get("name").and_then(Value::as_str);
///     Ok(name.ok_or(Refusal::invalid("the parameter `name` is missing"))?)
/// }
///
/// let parameters = serde_json::Map::new();
/// let error = wanted(&RunAction::new(&parameters)).expect_err("there is no name");
/// assert!(error.is::<Refusal>());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    kind: RefusalKind,
    text: String,
}

/// What is wrong with a request that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// It is not one that the plugin understands. Answered with 400.
    Invalid,
    /// What it is about is not there. Answered with 404.
    NotFound,
    /// What it is about is in a state in which this cannot be done. Answered with 409.
    Conflict,
}

impl Refusal {
    /// The request is not one that the plugin understands, such as one without a parameter: 400. The text says what to change.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Invalid, text: text.into() }
    }

    /// What the request is about is not there: 404.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self { kind: RefusalKind::NotFound, text: text.into() }
    }

    /// What the request is about is in a state in which this cannot be done: 409.
    pub fn conflict(text: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Conflict, text: text.into() }
    }

    /// What is wrong.
    pub const fn kind(&self) -> RefusalKind {
        self.kind
    }
}
