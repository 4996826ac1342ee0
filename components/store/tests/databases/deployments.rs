//! Deployments, from claim to outcome.

use racetrack_store::{
    Conflict, Deployment, DeploymentOutcome, DeploymentStatus, NewDeployment, NotFound, OwnDoings,
    Permission, ReadableJobs, Scope, Store, StoreError, Visibility,
};

pub(crate) fn new_deployment(name: &str, version: &str) -> NewDeployment {
    NewDeployment {
        job_name: name.to_owned(),
        job_version: version.to_owned(),
        manifest_yaml: format!("name: {name}\n"),
        infrastructure_target: Some("process".to_owned()),
        deployed_by: Some("bob".to_owned()),
        image_name: None,
    }
}

/// Whether a claim won; anything but a deployment or the conflict is a failure of the test.
pub(crate) fn has_won(claim: Result<Deployment, StoreError>) -> bool {
    match claim {
        Ok(deployment) => deployment.status == DeploymentStatus::InProgress,
        Err(StoreError::Conflict(Conflict::DeploymentInProgress { job_name, job_version, update_time })) => {
            assert_eq!((job_name.as_str(), job_version.as_str()), ("adder", "1.0.0"));
            assert!(update_time.is_some_and(|time| time > 1_700_000_000));
            false
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn failed(error: &str) -> DeploymentOutcome {
    DeploymentOutcome::Failed { error: error.to_owned() }
}

pub(crate) async fn a_deployment_goes_its_way(store: Store) {
    let claimed = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
    assert_eq!((claimed.status, claimed.phase.as_deref()), (DeploymentStatus::InProgress, None));
    assert_eq!((claimed.job_name.as_str(), claimed.job_version.as_str()), ("adder", "1.0.0"));
    assert_eq!(claimed.infrastructure_target.as_deref(), Some("process"));
    assert_eq!(
        (claimed.deployed_by.as_deref(), claimed.manifest_yaml.as_str()),
        (Some("bob"), "name: adder\n")
    );
    assert_eq!(claimed.image_name, None);
    let again =
        NewDeployment { image_name: Some("job/primer".to_owned()), ..new_deployment("primer", "1.0.0") };
    let again = store.claim_deployment(&again).await.unwrap();
    assert_eq!(again.image_name.as_deref(), Some("job/primer"));
    store.finish_deployment(&again.id, &DeploymentOutcome::Done).await.unwrap();
    assert!(claimed.create_time > 1_700_000_000 && claimed.update_time >= claimed.create_time);
    let id = claimed.id.as_str();
    store.set_deployment_phase(id, "building image").await.unwrap();
    store.add_deployment_warnings(id, "one").await.unwrap();
    store.add_deployment_warnings(id, "two\nthree").await.unwrap();
    store.save_build(id, Some("job/adder"), "#1\0done").await.unwrap();
    assert_eq!(store.deployments_in_progress().await.unwrap(), [store.deployment(id).await.unwrap()]);
    assert_eq!(store.deployment(id).await.unwrap().phase.as_deref(), Some("building image"));
    store.finish_deployment(id, &DeploymentOutcome::Done).await.unwrap();
    let done = store.deployment(id).await.unwrap();
    assert_eq!(
        (done.status, done.phase.as_deref(), done.error.as_deref()),
        (DeploymentStatus::Done, None, None)
    );
    assert_eq!(done.warnings.as_deref(), Some("one\ntwo\nthree"));
    assert_eq!(done.image_name.as_deref(), Some("job/adder"));
    assert_eq!(store.build_logs(id).await.unwrap().as_deref(), Some("#1\u{fffd}done"));
    assert!(store.deployments_in_progress().await.unwrap().is_empty());
    let shown = serde_json::to_value(&done).unwrap();
    assert_eq!((&shown["status"], &shown["phase"]), (&"done".into(), &serde_json::Value::Null));
}

pub(crate) async fn texts_of_any_length_are_kept_in_part(store: Store) {
    let long = format!("begin{}end", "é\0".repeat(3_000_000));
    let claimed = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
    let id = claimed.id.as_str();
    store.set_deployment_phase(id, &long).await.unwrap();
    for _ in 0..200 {
        store.add_deployment_warnings(id, &"w".repeat(1000)).await.unwrap();
    }
    store.add_deployment_warnings(id, &long).await.unwrap();
    store.save_build(id, None, &long.repeat(3)).await.unwrap();
    store.finish_deployment(id, &failed(&long)).await.unwrap();
    let kept = store.deployments(10).await.unwrap().remove(0);
    let error = kept.error.unwrap();
    assert!(error.starts_with("begin") && error.ends_with("end") && error.len() <= 32 * 1024);
    assert!(error.contains(" bytes left out …]"));
    assert!(kept.phase.unwrap().len() <= 1024);
    let warnings = kept.warnings.unwrap();
    assert!(warnings.starts_with("www") && warnings.ends_with(" more warnings left out …]"), "{warnings}");
    assert!(warnings.len() <= 32 * 1024);
    let logs = store.build_logs(id).await.unwrap().unwrap();
    assert!(logs.len() <= 16 << 20 && logs.starts_with("begin") && logs.ends_with("end"));
}

pub(crate) async fn a_finished_deployment_frees_its_version(store: Store) {
    for outcome in [failed("boom"), DeploymentOutcome::Done] {
        let first = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
        assert!(!has_won(store.claim_deployment(&new_deployment("adder", "1.0.0")).await));
        store.claim_deployment(&new_deployment("adder", &format!("2.0.0-{}", first.id))).await.unwrap();
        store.finish_deployment(&first.id, &outcome).await.unwrap();
    }
    store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
}

pub(crate) async fn fifty_claims_have_one_winner(store: Store) {
    let claims = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { has_won(store.claim_deployment(&new_deployment("adder", "1.0.0")).await) })
    });
    let mut winners = 0;
    for claim in claims.collect::<Vec<_>>() {
        winners += u32::from(claim.await.unwrap());
    }
    assert_eq!((winners, store.deployments(100).await.unwrap().len()), (1, 1));
}

pub(crate) async fn what_comes_late_changes_nothing(store: Store) {
    let claimed = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
    store.set_deployment_phase(&claimed.id, "building image").await.unwrap();
    store.finish_deployment(&claimed.id, &failed("boom")).await.unwrap();
    let over = store.deployment(&claimed.id).await.unwrap();
    let (status, phase, error) = (over.status, over.phase.as_deref(), over.error.as_deref());
    assert_eq!((status, phase, error), (DeploymentStatus::Failed, Some("building image"), Some("boom")));
    store.set_deployment_phase(&claimed.id, "finalizing the build").await.unwrap();
    let refused = store.finish_deployment(&claimed.id, &DeploymentOutcome::Done).await.unwrap_err();
    let StoreError::Conflict(Conflict::DeploymentOver { id }) = refused else { panic!("{refused:?}") };
    assert_eq!(id, claimed.id);
    assert_eq!(store.deployment(&claimed.id).await.unwrap(), over);
}

pub(crate) async fn lists_show_the_latest_progress_first(store: Store) {
    let mut ids = Vec::new();
    for number in 0..5 {
        let new = new_deployment("adder", &format!("{number}.0.0"));
        ids.push(store.claim_deployment(&new).await.unwrap().id);
    }
    store.set_deployment_phase(&ids[1], "building image").await.unwrap();
    let listed: Vec<String> = store.deployments(3).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(listed, [ids[1].as_str(), &ids[4], &ids[3]]);
    store.finish_deployment(&ids[2], &failed("boom")).await.unwrap();
    let again = store.claim_deployment(&new_deployment("adder", "2.0.0")).await.unwrap();
    for (version, expected) in [("2.0.0", Some(&again.id)), ("1.0.0", Some(&ids[1])), ("2.x", None)] {
        let latest = store.latest_deployment("adder", version).await.unwrap();
        assert_eq!(latest.as_ref().map(|row| &row.id), expected, "{version}");
    }
    ids[2] = again.id;
    ids[2..].rotate_left(1);
    let begun: Vec<String> =
        store.deployments_in_progress().await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(begun, ids);
}

pub(crate) async fn build_logs_are_kept_also_of_failures(store: Store) {
    assert_eq!(store.latest_build_logs("adder", "1.0.0").await.unwrap(), None);
    for (logs, outcome) in [("first", DeploymentOutcome::Done), ("second", failed("boom"))] {
        let claimed = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
        assert_eq!(store.build_logs(&claimed.id).await.unwrap(), None);
        store.save_build(&claimed.id, None, "to be replaced").await.unwrap();
        store.save_build(&claimed.id, None, logs).await.unwrap();
        store.finish_deployment(&claimed.id, &outcome).await.unwrap();
        assert_eq!(store.latest_build_logs("adder", "1.0.0").await.unwrap().as_deref(), Some(logs));
    }
    let torn = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
    store.finish_deployment(&torn.id, &failed("no builder")).await.unwrap();
    assert_eq!(store.latest_build_logs("adder", "1.0.0").await.unwrap().as_deref(), Some("second"));
    assert_eq!(store.latest_build_logs("adder", "2.0.0").await.unwrap(), None);
}

pub(crate) async fn unknown_deployments_are_not_found(store: Store) {
    for id in ["", "1", "a\0b", "' OR 1=1 --"] {
        let refusals = [
            store.deployment(id).await.map(drop),
            store.set_deployment_phase(id, "x").await,
            store.add_deployment_warnings(id, "x").await,
            store.save_build(id, None, "x").await,
            store.finish_deployment(id, &DeploymentOutcome::Done).await,
        ];
        for refusal in refusals {
            let Err(StoreError::NotFound(what)) = refusal else { panic!("{refusal:?}") };
            assert_eq!(what, NotFound::Deployment { id: id.to_owned() });
        }
    }
}

pub(crate) async fn deployments_are_shown_to_those_who_may_read_the_job_or_asked_for_it(store: Store) {
    let mut ids = Vec::new();
    for (name, version, by) in
        [("adder", "1.0.0", "bob"), ("adder", "2.0.0", "alice"), ("primer", "1.0.0", "alice")]
    {
        let new = NewDeployment { deployed_by: Some(by.to_owned()), ..new_deployment(name, version) };
        ids.push(store.claim_deployment(&new).await.unwrap().id);
    }
    let shown = async |permissions: &[Permission], own: Option<(&str, i64)>| {
        let own = own.map(|(name, since)| OwnDoings { name: name.to_owned(), since });
        let visibility = Visibility { jobs: ReadableJobs::of(permissions), own };
        let found = store.visible_deployments(&visibility, 2).await.unwrap();
        for id in &found {
            let deployment = store.deployment(id).await.unwrap();
            let Deployment { job_name, job_version, deployed_by, create_time, .. } = &deployment;
            assert!(visibility.shows(job_name, job_version, deployed_by.as_deref(), *create_time));
        }
        let number = |found: &String| ids.iter().position(|id| id == found).unwrap();
        found.iter().map(number).collect::<Vec<_>>()
    };
    let none: [usize; 0] = [];
    assert_eq!(shown(&[Permission::everywhere(Scope::FullAccess)], None).await, [2, 1], "the latest");
    assert_eq!(shown(&[Permission::everywhere(Scope::DeployJob)], None).await, none);
    assert_eq!(shown(&[Permission::for_family(Scope::ReadJob, "adder")], None).await, [1, 0]);
    assert_eq!(shown(&[], Some(("bob", 0))).await, [0]);
    assert_eq!(shown(&[], Some(("bob", 32_503_680_000))).await, none, "somebody else had the name");
}
