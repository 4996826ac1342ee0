//! What image-builder holds for this platform, and what of that may go.

use std::collections::HashSet;
use std::time::Duration;

use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::needs::Needs;
use crate::deployment::{ExchangeError, ImageBuilder};

/// How long image-builder may take to say what it holds.
const LISTING_LIMIT: Duration = Duration::from_mins(1);

/// How long it may take to remove things. It goes on with it when nobody waits any more.
const REMOVAL_LIMIT: Duration = Duration::from_mins(30);

/// The most images, and as many build logs, that go at once: the list is read into memory there. The others go with the next
/// look.
const MAX_AT_ONCE: usize = 10_000;

/// What image-builder holds.
#[derive(Debug, Deserialize)]
pub(super) struct Holdings {
    mark: String,
    images: Vec<HeldImage>,
    build_logs: Vec<String>,
}

/// An image that was built for this platform.
#[derive(Debug, Deserialize)]
struct HeldImage {
    name: String,
    /// The last deployment that it was built for.
    deployment_id: String,
}

/// What may go.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Release {
    platform_id: String,
    mark: String,
    images: Vec<String>,
    build_logs: Vec<String>,
}

impl Holdings {
    /// Asks what is held for the platform.
    pub(super) async fn of(image_builder: &ImageBuilder, platform: &str) -> Result<Self, ExchangeError> {
        let path = format!("/api/v1/holdings?platform_id={platform}");
        image_builder.exchange(Method::GET, &path, Vec::new(), LISTING_LIMIT).await
    }

    /// Every deployment that something is held of; some may be of other platforms.
    pub(super) fn deployments(&self) -> HashSet<&str> {
        let of_images = self.images.iter().map(|image| image.deployment_id.as_str());
        of_images.chain(self.build_logs.iter().map(String::as_str)).collect()
    }
}

impl Release {
    /// What is not needed, as far as it is of deployments of this platform that are over. Of others, for example of those
    /// that are not in a database that was restored, it is not known what needs them.
    pub(super) fn of(
        platform_id: String,
        holdings: Holdings,
        needs: &Needs,
        ended: &HashSet<String>,
    ) -> Self {
        let may_go = |image: &HeldImage| {
            ended.contains(&image.deployment_id)
                && !needs.deployments.contains(&image.deployment_id)
                && !needs.has_image(&image.name)
        };
        let images = holdings.images.into_iter().filter(may_go).map(|image| image.name).take(MAX_AT_ONCE);
        let is_unneeded = |id: &String| ended.contains(id) && !needs.build_logs.contains(id);
        let build_logs = holdings.build_logs.into_iter().filter(is_unneeded).take(MAX_AT_ONCE);
        Self { platform_id, mark: holdings.mark, images: images.collect(), build_logs: build_logs.collect() }
    }

    /// Has it removed; gives what image-builder says of that. It is told also when nothing may go: it looks through its
    /// cache then.
    pub(super) async fn send(&self, image_builder: &ImageBuilder) -> Result<Value, ExchangeError> {
        let body = serde_json::to_vec(self).map_err(ExchangeError::Json)?;
        image_builder.exchange(Method::POST, "/api/v1/holdings/release", body, REMOVAL_LIMIT).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> HashSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_needed_or_not_known_stays() {
        let image = |name: &str, deployment: &str| HeldImage {
            name: format!("/bundles/{name}"),
            deployment_id: deployment.to_owned(),
        };
        let holdings = Holdings {
            mark: "1-1".to_owned(),
            images: vec![
                image("a", "over"),
                image("b", "over"),
                image("c", "latest"),
                image("d", "under-way"),
                image("e", "unknown"),
            ],
            build_logs: ["over", "shown", "under-way", "unknown"].map(str::to_owned).to_vec(),
        };
        assert_eq!(holdings.deployments().len(), 5);
        let needs = Needs {
            images: set(&["b"]),
            deployments: set(&["latest", "under-way"]),
            build_logs: set(&["shown", "under-way"]),
        };
        let release = Release::of("p".to_owned(), holdings, &needs, &set(&["over", "shown", "latest"]));
        let expected = Release {
            platform_id: "p".to_owned(),
            mark: "1-1".to_owned(),
            images: vec!["/bundles/a".to_owned()],
            build_logs: vec!["over".to_owned()],
        };
        assert_eq!(release, expected);
        let empty = Holdings { mark: String::new(), images: Vec::new(), build_logs: Vec::new() };
        let release = Release::of(String::new(), empty, &Needs::default(), &HashSet::new());
        assert!(release.images.is_empty() && release.build_logs.is_empty());
    }
}
