//! What is needed of images and build logs, and what is not.

use std::collections::HashSet;

use racetrack_store::{DeploymentOutcome, Store};

use crate::deployments::new_deployment;
use crate::jobs::job;

/// A deployment with a build log that is over.
async fn ended(store: &Store, name: &str, outcome: DeploymentOutcome) -> String {
    let deployment = store.claim_deployment(&new_deployment(name, "1.0.0")).await.unwrap();
    store.save_build(&deployment.id, Some("image"), name).await.unwrap();
    store.finish_deployment(&deployment.id, &outcome).await.unwrap();
    deployment.id
}

fn failed() -> DeploymentOutcome {
    DeploymentOutcome::Failed { error: "no".to_owned() }
}

pub(crate) async fn build_logs_go_that_nobody_is_shown(store: Store) {
    let gone = ended(&store, "gone", DeploymentOutcome::Done).await;
    let former = ended(&store, "adder", DeploymentOutcome::Done).await;
    let current = ended(&store, "adder", DeploymentOutcome::Done).await;
    let shown = ended(&store, "adder", failed()).await;
    for name in ["adder", "moved-from-elsewhere"] {
        store.save_deployed_job(&job(name, "1.0.0"), &[], &current).await.unwrap();
    }
    // Without a build, and so without a log.
    let unbuilt = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap().id;
    store.finish_deployment(&unbuilt, &failed()).await.unwrap();
    let under_way = store.claim_deployment(&new_deployment("slow", "1.0.0")).await.unwrap().id;
    store.save_build(&under_way, None, "slow").await.unwrap();

    let needed = store.deployments_with_needed_logs(0).await.unwrap();
    let ids = |ids: &[&String]| ids.iter().map(|id| (*id).clone()).collect::<HashSet<_>>();
    assert_eq!(needed, ids(&[&current, &shown, &under_way]));
    let latest = ended(&store, "latest", failed()).await;
    assert!(store.deployments_with_needed_logs(1).await.unwrap().contains(&latest));

    assert_eq!(store.remove_build_logs(u32::MAX).await.unwrap(), 0);
    assert_eq!(store.remove_build_logs(1).await.unwrap(), 2);
    for (id, is_kept) in [
        (&gone, false),
        (&former, false),
        (&current, true),
        (&shown, true),
        (&under_way, true),
        (&latest, true),
    ] {
        assert_eq!(store.build_logs(id).await.unwrap().is_some(), is_kept);
        store.deployment(id).await.unwrap();
    }
    assert_eq!(store.latest_build_logs("adder", "1.0.0").await.unwrap().as_deref(), Some("adder"));
    assert_eq!(store.remove_build_logs(1).await.unwrap(), 0);
}

pub(crate) async fn deployments_that_are_over_are_told_from_others(store: Store) {
    let done = ended(&store, "done", DeploymentOutcome::Done).await;
    let failed = ended(&store, "failed", failed()).await;
    ended(&store, "unasked", DeploymentOutcome::Done).await;
    let under_way = store.claim_deployment(&new_deployment("slow", "1.0.0")).await.unwrap().id;
    let among = HashSet::from([done.as_str(), &failed, &under_way, "of-another-database"]);
    let ended = store.ended_deployments(&among).await.unwrap();
    assert_eq!(ended, HashSet::from([done, failed]));
}

pub(crate) async fn a_platform_keeps_its_id(store: Store) {
    let (id, same) = tokio::join!(store.platform_id(), store.platform_id());
    let id = id.unwrap();
    assert_eq!((id.len(), &same.unwrap()), (36, &id));
    let again = Store::open(store.url()).await.unwrap();
    assert_eq!(again.platform_id().await.unwrap(), id);
    again.close().await;
    store.close().await;
}
