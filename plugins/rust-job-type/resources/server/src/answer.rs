//! What functions of jobs return.

use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;

/// What a function of a job may return: a `Result`, whose error is told to the caller, or a [`Value`].
pub trait Answer {
    /// The answer as JSON, or the text of the error.
    ///
    /// # Errors
    /// The text for the caller.
    fn into_json(self) -> Result<Value, String>;
}

impl Answer for Value {
    fn into_json(self) -> Result<Value, String> {
        Ok(self)
    }
}

impl<T: Serialize, E: Display> Answer for Result<T, E> {
    fn into_json(self) -> Result<Value, String> {
        let answer = self.map_err(|error| error.to_string())?;
        serde_json::to_value(answer).map_err(|error| format!("cannot write the answer as JSON: {error}"))
    }
}
