//! Which jobs may be of no use any more.

use racetrack_core::JobStatus;
use racetrack_store::{JobRecord, JobTable};
use serde::Serialize;
use utoipa::ToSchema;

use super::JobView;

const SECONDS_OF_A_DAY: i64 = 24 * 60 * 60;

/// A job that nobody called for so many days counts as unused.
const UNUSED_AFTER_DAYS: i64 = 30;

/// A job, and what speaks for deleting it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PortfolioEntry<'a> {
    #[serde(flatten)]
    job: JobView<'a>,
    /// The higher, the more speaks for deleting it; 0 means nothing does.
    purge_score: u32,
    /// What speaks for deleting it, a line each.
    purge_reasons: String,
    /// How many newer versions there are.
    purge_newer_versions: usize,
    update_time_days_ago: i64,
    last_call_time_days_ago: Option<i64>,
}

/// What speaks for deleting a job at a time, in seconds since 1970.
pub(crate) fn portfolio_entry<'a>(record: &'a JobRecord, table: &JobTable, now: i64) -> PortfolioEntry<'a> {
    let job = &record.job;
    let days_ago = |time: i64| (now - time).max(0) / SECONDS_OF_A_DAY;
    let update_time_days_ago = days_ago(job.update_time);
    let last_call_time_days_ago = job.last_call_time.map(days_ago);
    let versions = table.versions(&job.name).iter().rev();
    let purge_newer_versions = versions.take_while(|other| other.job.version != job.version).count();
    let idle_days = last_call_time_days_ago.unwrap_or(update_time_days_ago);
    let is_unused = idle_days >= UNUSED_AFTER_DAYS;
    let unused = match last_call_time_days_ago {
        Some(days) => format!("it was last called {days} days ago"),
        None => format!("it was never called in the {update_time_days_ago} days since it was deployed"),
    };
    let reasons = [
        (job.status == JobStatus::Lost, 40, "its infrastructure target has lost it".to_owned()),
        (job.status == JobStatus::Error, 30, "it does not answer".to_owned()),
        (is_unused, 30, unused),
        (purge_newer_versions > 0, 20, format!("it has {purge_newer_versions} newer versions")),
    ];
    let reasons: Vec<_> = reasons.into_iter().filter(|(holds, ..)| *holds).collect();
    PortfolioEntry {
        job: JobView::from(record),
        purge_score: reasons.iter().map(|(_, score, _)| score).sum(),
        purge_reasons: reasons.into_iter().map(|(.., reason)| reason).collect::<Vec<_>>().join("\n"),
        purge_newer_versions,
        update_time_days_ago,
        last_call_time_days_ago,
    }
}
