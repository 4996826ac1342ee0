//! `GET /holdings` and `POST /holdings/release`: what image-builder holds for a platform, and what of that may go. For
//! lifecycle alone.

use axum::Json;
use axum::extract::{Request, State};
use racetrack_core::error::chain;
use racetrack_service::ApiError;
use racetrack_service::extract::Query;
use racetrack_service::json_body::JsonText;
use serde::Deserialize;

use crate::identifier::PlatformId;
use crate::pipeline::BuildPipeline;
use crate::retention::{Holdings, Release, Removals, RetentionError};

/// Whose holdings are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct HoldingsQuery {
    platform_id: PlatformId,
}

/// `GET /holdings?platform_id=UUID`: the images that were built for the platform, each with the last deployment that it was
/// built for; the ids of all deployments that there are build logs of; and a mark, to be given back.
pub(crate) async fn holdings(
    State(builds): State<BuildPipeline>,
    Query(HoldingsQuery { platform_id }): Query<HoldingsQuery>,
) -> Result<Json<Holdings>, ApiError> {
    builds.holdings(platform_id).await.map(Json).map_err(|error| answer(&error))
}

/// `POST /holdings/release`: removes the images and build logs that are named, as far as they are of the platform, nobody
/// else has them, and they were neither made nor used again after the mark. Answers how many that were. 409 when
/// image-builder was started again after it had given the mark.
pub(crate) async fn release(
    State(builds): State<BuildPipeline>,
    request: Request,
) -> Result<Json<Removals>, ApiError> {
    let body = JsonText::read(request).await?;
    let release: Release = serde_json::from_slice(body.bytes()?)
        .map_err(|error| ApiError::invalid(format!("the body does not say what may go: {error}")))?;
    builds.release(release).await.map(Json).map_err(|error| answer(&error))
}

fn answer(error: &RetentionError) -> ApiError {
    match error {
        RetentionError::OldMark => ApiError::already_exists(error.to_string()),
        RetentionError::Read(_) => ApiError::internal(chain(error)),
    }
}
