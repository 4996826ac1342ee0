//! What is counted of removals.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use super::removals::Removals;

const REMOVED: &str = "racetrack_retention_removed_total";
const REMOVED_BYTES: &str = "racetrack_retention_removed_bytes_total";
const FAILURES: &str = "racetrack_retention_failures_total";
const KEPT: &str = "racetrack_retention_images";
const KEPT_BYTES: &str = "racetrack_retention_images_bytes";

/// Says what is counted.
pub(crate) fn describe() {
    describe_counter!(REMOVED, "What was removed because no job needs it, by its kind.");
    describe_counter!(REMOVED_BYTES, "The bytes of what was removed because no job needs it, by its kind.");
    describe_counter!(FAILURES, "What could not be removed and is tried again, by its kind.");
    describe_gauge!(KEPT, "The images that were left when lifecycle last said what it needs no longer.");
    describe_gauge!(KEPT_BYTES, "The bytes of the images that were left then.");
}

/// Counts what was removed.
pub(crate) fn record(removals: &Removals) {
    for (kind, removed) in removals.parts() {
        counter!(REMOVED, "kind" => kind).increment(removed.count);
        counter!(REMOVED_BYTES, "kind" => kind).increment(removed.bytes);
        counter!(FAILURES, "kind" => kind).increment(removed.failures);
    }
    // Exact up to 2⁵³.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    let (images, bytes) = (removals.kept.images as f64, removals.kept.bytes as f64);
    gauge!(KEPT).set(images);
    gauge!(KEPT_BYTES).set(bytes);
}
