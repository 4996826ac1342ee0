//! The function of the job, free of its types.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::Answer;
use super::parameters;

/// A function that takes and gives JSON.
pub(crate) struct Function {
    /// The names of its parameters, as far as its type tells them.
    pub(crate) parameters: &'static [&'static str],
    call: Box<dyn Fn(Value) -> Result<Value, CallError> + Send + Sync>,
}

/// Why a call gave no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The arguments do not fit; the caller can change that.
    Arguments(String),
    /// The function returned an error.
    Failed(String),
    /// The function panicked.
    Panicked(String),
}

impl Function {
    /// Takes the types away.
    pub(crate) fn new<I, O, F>(function: F) -> Self
    where
        I: DeserializeOwned + 'static,
        O: Answer,
        F: Fn(I) -> O + Send + Sync + 'static,
    {
        let call = move |arguments| {
            let arguments =
                serde_json::from_value(arguments).map_err(|error| CallError::Arguments(error.to_string()))?;
            // Nothing of ours is touched by the function, and what it shares itself it must have made safe for threads.
            match catch_unwind(AssertUnwindSafe(|| function(arguments).into_json())) {
                Ok(answer) => answer.map_err(CallError::Failed),
                Err(panic) => Err(CallError::Panicked(message(&*panic))),
            }
        };
        Self { parameters: parameters::names::<I>(), call: Box::new(call) }
    }

    /// Calls the function.
    pub(crate) fn call(&self, arguments: Value) -> Result<Value, CallError> {
        (self.call)(arguments)
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("the function panicked").to_owned()
}
