//! Asks every infrastructure target how its jobs do, and keeps that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::join_all;
use racetrack_core::{Job, JobStatus};
use racetrack_store::{JobRecord, JobTable, StoreError};

use crate::App;
use crate::turns::Turns;

/// What is noted of a job whose type is gone.
const OBSOLETE: &str = "This version of the job type is obsolete and no longer available.";

/// What targets told: by target, the jobs by name and version; nothing for a target that cannot be asked.
type Told = BTreeMap<String, Option<HashMap<(String, String), Job>>>;

/// What the rounds have in common.
#[derive(Debug, Default)]
pub(super) struct Listings {
    turns: Turns,
    /// The jobs that lifecycle does not know, by target, which were told of already.
    orphans: BTreeSet<(String, String, String)>,
}

/// Asks every target, and keeps what differs. A target that cannot be asked has lost nothing: its jobs keep their status,
/// as a stale one.
pub(super) async fn sync(app: &App, listings: &mut Listings) -> Result<(), StoreError> {
    // What came up after the targets were asked is not known to them. Told by what it is, for clocks are set back.
    let known = app.store.jobs().await?;
    // What is being deployed changes hands; the deployment itself keeps how it does. Looked up before the targets are
    // asked and after: one that ends meanwhile may not be in what they tell, and of one that begins meanwhile they may
    // tell the instance that does not answer yet.
    let mut under_way = under_way(app).await?;
    let told = ask(app, listings).await;
    under_way.append(&mut self::under_way(app).await?);
    let job_types: BTreeSet<_> = app.offers().job_types.iter().map(|(name, _)| name.to_owned()).collect();
    let changed = app.store.update_jobs(|record| {
        let key = (record.job.name.clone(), record.job.version.clone());
        if !under_way.contains(&key) && is_same_instance(&known, record) {
            keep(record, &told, &key);
        }
        note_job_type(&mut record.job, &job_types);
    });
    if changed.await? > 0 {
        tracing::debug!("jobs changed");
    }
    warn_of_orphans(app, &told, &under_way, &mut listings.orphans).await
}

/// The names and versions of what is being deployed.
async fn under_way(app: &App) -> Result<BTreeSet<(String, String)>, StoreError> {
    let deployments = app.store.deployments_in_progress().await?.into_iter();
    Ok(deployments.map(|deployment| (deployment.job_name, deployment.job_version)).collect())
}

/// Whether the job that is there now is the one that was there before.
fn is_same_instance(before: &JobTable, now: &JobRecord) -> bool {
    let identity =
        |record: &JobRecord| (record.id.clone(), record.deployment_id.clone(), record.job.update_time);
    let before = before.get(&now.job.name, &now.job.version);
    before.is_ok_and(|before| identity(before) == identity(now))
}

async fn ask(app: &App, listings: &mut Listings) -> Told {
    let offers = app.offers();
    let names: Vec<_> = offers.targets.iter().map(|(name, _)| name.to_owned()).collect();
    let turns: Vec<_> = names.into_iter().map(|name| (listings.turns.next(&name), name)).collect();
    let asked = turns.into_iter().map(|(turn, name)| async move {
        let jobs = match (app.target(&name), turn) {
            (Ok(target), Some(turn)) => target.list_jobs(turn).await.ok(),
            _ => None,
        };
        let by_version = |job: Job| ((job.name.clone(), job.version.clone()), job);
        (name, jobs.map(|jobs| jobs.into_iter().map(by_version).collect()))
    });
    join_all(asked).await.into_iter().collect()
}

/// Keeps what the job's target told of it.
fn keep(record: &mut JobRecord, told: &Told, key: &(String, String)) {
    let Some(of_target) = told.get(record.job.infrastructure_target.as_deref().unwrap_or_default()) else {
        // Its plugin is not in this binary any more.
        record.is_stale = true;
        return;
    };
    record.is_stale = of_target.is_none();
    let Some(of_target) = of_target else { return };
    let Some(found) = of_target.get(key) else {
        record.job.status = JobStatus::Lost;
        // Another job may get its addresses, and must not be called in its place.
        record.job.internal_name = None;
        record.job.replica_internal_names.clear();
        record.job.error = Some("the infrastructure target does not have the job".to_owned());
        return;
    };
    // Told of an older instance, before the one that serves now came up.
    if found.update_time < record.job.update_time {
        return;
    }
    let job = &mut record.job;
    job.status = match found.status {
        // Nobody waits for it any more; the next listing tells whether it came up.
        JobStatus::Starting => job.status,
        status => status,
    };
    job.error.clone_from(&found.error);
    job.notice.clone_from(&found.notice);
    job.internal_name.clone_from(&found.internal_name);
    job.replica_internal_names.clone_from(&found.replica_internal_names);
    job.infrastructure_stats.clone_from(&found.infrastructure_stats);
    job.last_call_time = job.last_call_time.max(found.last_call_time);
}

/// Says of a job that its type is gone: it runs, and cannot be built again.
fn note_job_type(job: &mut Job, offered: &BTreeSet<String>) {
    // A target that does not tell the exact version leaves the one of the manifest, which may be a pattern.
    let is_gone = |own: &String| !own.ends_with(":latest") && !own.contains('*') && !offered.contains(own);
    let is_obsolete = !offered.is_empty() && job.job_type_version.as_ref().is_some_and(is_gone);
    let notices = job.notice.as_deref().unwrap_or_default().split("; ");
    let others = notices.filter(|notice| !notice.is_empty() && *notice != OBSOLETE);
    let notices: Vec<_> = others.chain(is_obsolete.then_some(OBSOLETE)).collect();
    let notice = (!notices.is_empty()).then(|| notices.join("; "));
    if job.notice != notice {
        job.notice = notice;
    }
}

/// Says in the log which jobs the targets have that lifecycle knows nothing of. They are left alone.
async fn warn_of_orphans(
    app: &App,
    told: &Told,
    under_way: &BTreeSet<(String, String)>,
    known_orphans: &mut BTreeSet<(String, String, String)>,
) -> Result<(), StoreError> {
    let jobs = app.store.jobs().await?;
    let of_targets = told
        .iter()
        .flat_map(|(target, jobs)| jobs.iter().flat_map(HashMap::keys).map(move |key| (target, key)));
    let mut orphans = BTreeSet::new();
    for (target, key) in of_targets {
        let (name, version) = key;
        let is_known = jobs
            .get(name, version)
            .is_ok_and(|record| record.job.infrastructure_target.as_ref() == Some(target));
        if is_known || under_way.contains(key) {
            continue;
        }
        let orphan = (target.clone(), name.clone(), version.clone());
        if !known_orphans.contains(&orphan) {
            tracing::warn!(
                job = name,
                version,
                target,
                "this job is on its target, and lifecycle does not know it"
            );
        }
        orphans.insert(orphan);
    }
    *known_orphans = orphans;
    Ok(())
}
