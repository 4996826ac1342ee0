//! What is counted of builds, under the names that dashboards of the original platform know. Without their labels with the names of
//! jobs: everybody may read this, and every new name would add to what is kept.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const IMAGES_BUILT: &str = "images_built_total";
const BUILDING_ERRORS: &str = "images_building_errors_total";
const REQUESTS: &str = "image_building_requests_total";
const DONE_REQUESTS: &str = "image_building_done_requests_total";
const DURATION: &str = "image_building_request_duration_seconds";
const ACTIVE: &str = "active_building_tasks";

/// A build that is counted as active until it is dropped.
pub(crate) struct ActiveBuild(());

/// Says what is counted, and shows what has not happened yet as zero.
pub(crate) fn describe() {
    describe_counter!(IMAGES_BUILT, "Job images built successfully.");
    describe_counter!(BUILDING_ERRORS, "Failures when building job images.");
    describe_counter!(REQUESTS, "Jobs requested to be built.");
    describe_counter!(DONE_REQUESTS, "Requests to build a job that are done, with images or with an error.");
    describe_histogram!(DURATION, "Time that building a job took, with the time in line.");
    describe_gauge!(ACTIVE, "Builds under way, without those in line.");
    counter!(IMAGES_BUILT).increment(0);
    counter!(BUILDING_ERRORS).increment(0);
    gauge!(ACTIVE).increment(0);
}

/// Counts a request.
pub(crate) fn requested() {
    counter!(REQUESTS).increment(1);
}

/// Counts a request that is done.
pub(crate) fn done(images: usize, has_failed: bool, duration: Duration) {
    counter!(DONE_REQUESTS).increment(1);
    counter!(IMAGES_BUILT).increment(images as u64);
    counter!(BUILDING_ERRORS).increment(u64::from(has_failed));
    histogram!(DURATION).record(duration);
}

impl ActiveBuild {
    pub(crate) fn begin() -> Self {
        gauge!(ACTIVE).increment(1);
        Self(())
    }
}

impl Drop for ActiveBuild {
    fn drop(&mut self) {
        gauge!(ACTIVE).decrement(1);
    }
}
