//! What a client asks for, and why it does not get it.

use racetrack_core::error::chain;
use racetrack_core::text::{BoundedText, TextLimit};
use racetrack_service::ApiError;
use racetrack_service::hooks::TargetFailure;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use socketioxide::ParserError;

/// The payload of `subscribe_for_logs`.
#[derive(Debug, Deserialize)]
pub(super) struct Subscription {
    /// What to follow.
    pub(super) resource_properties: ResourceProperties,
}

/// A job, and where to begin in its log.
#[derive(Debug, Deserialize)]
pub(super) struct ResourceProperties {
    /// The name of the job.
    pub(super) job_name: String,
    /// Its version, or an alias of it.
    pub(super) job_version: String,
    /// How many of the lines already written to begin with.
    #[serde(default, deserialize_with = "number_of_lines")]
    pub(super) tail: Option<usize>,
}

/// Why a subscription is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the payload of the event is not understood")]
    Payload(#[source] ParserError),
    #[error("the server is about to stop")]
    Stopping,
    #[error("not allowed")]
    Denied(#[source] ApiError),
    #[error("the job is on no infrastructure target")]
    NoTarget,
    #[error("the infrastructure target `{target}` of the job is not offered by any plugin")]
    UnknownTarget { target: String },
    #[error("the infrastructure target `{target}` of the job does not stream logs")]
    NoStreamer { target: String },
    #[error("no session could be created")]
    Session(#[source] Box<TargetFailure>),
}

impl Refusal {
    /// Whether it is the client's doing, who may do it as often as it likes.
    pub(super) const fn is_of_the_client(&self) -> bool {
        matches!(self, Self::Payload(_) | Self::Denied(_))
    }

    /// The reason as the client may know it: nothing of the inside.
    pub(super) fn public_text(&self) -> String {
        match self {
            Self::Denied(error) => error.to_string(),
            _ => BoundedText::new(chain(self), TextLimit::FAILURE).into(),
        }
    }
}

/// Clients in use send the number as a text.
fn number_of_lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let wrong = || D::Error::custom(format_args!("`tail` is not a number of lines: {value}"));
    number.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tail(tail: &Value) -> Result<Option<usize>, String> {
        let payload = json!({
            "resource_properties": { "job_name": "adder", "job_version": "latest", "tail": tail, "more": 1 },
        });
        let subscription: Result<Subscription, _> = serde_json::from_value(payload);
        subscription.map(|it| it.resource_properties.tail).map_err(|error| error.to_string())
    }

    #[test]
    fn the_tail_is_a_number_or_a_text_or_nothing() {
        assert_eq!(tail(&json!("20")), Ok(Some(20)));
        assert_eq!(tail(&json!(20)), Ok(Some(20)));
        assert_eq!(tail(&json!(0)), Ok(Some(0)));
        assert_eq!(tail(&Value::Null), Ok(None));
        let without = json!({ "resource_properties": { "job_name": "adder", "job_version": "1.0.0" } });
        let subscription: Subscription = serde_json::from_value(without).expect("is enough");
        assert_eq!(subscription.resource_properties.tail, None);
        for wrong in [json!("many"), json!(-1), json!(1.5), json!([]), json!(true)] {
            assert_eq!(tail(&wrong), Err(format!("`tail` is not a number of lines: {wrong}")));
        }
    }

    #[test]
    fn the_inside_stays_inside() {
        let refusal = Refusal::Denied(ApiError::internal("the key is abc"));
        assert!(!refusal.public_text().contains("abc"), "{refusal}");
        let unknown = Refusal::Denied(ApiError::not_found("No job named adder"));
        assert_eq!(unknown.public_text(), "No job named adder");
    }
}
