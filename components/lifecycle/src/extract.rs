//! Bodies of requests that are JSON objects.

use std::fmt;
use std::marker::PhantomData;

use axum::extract::{FromRequest, Request};
use racetrack_service::ApiError;
use racetrack_service::json_body::JsonText;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

/// A body that is a JSON object. Its content type does not matter: clients in use send others.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A body that is a JSON object, and may be left out or `null`.
#[derive(Debug)]
pub(crate) struct JsonBodyOrDefault<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = JsonText::read(request).await?;
        parsed(body.bytes()?).map(|FromObject(body)| Self(body))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for JsonBodyOrDefault<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = JsonText::read(request).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        let given: Option<FromObject<T>> = parsed(body.bytes()?)?;
        Ok(Self(given.map(|given| given.0).unwrap_or_default()))
    }
}

/// Something that is read from an object alone. Else a list would be read as well, as the fields in their order.
struct FromObject<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FromObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// Reads a part of a body from an object alone.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    FromObject::deserialize(deserializer).map(|FromObject(part)| part)
}

/// Reads a part of a body, that may be `null`, from an object alone.
pub(crate) fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let part: Option<FromObject<T>> = Option::deserialize(deserializer)?;
    Ok(part.map(|FromObject(part)| part))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| ApiError::invalid(format!("the body of the request is wrong: {error}")))?;
    json.end().map_err(|error| ApiError::invalid(format!("the body of the request is not JSON: {error}")))?;
    Ok(value)
}
