//! Deployments that an earlier lifecycle was torn from.

use std::sync::Arc;

use racetrack_core::{Job, JobStatus};
use racetrack_store::{DatabaseUrl, Deployment, DeploymentOutcome, NewDeployment, Store};
use serde_json::{Value, json};

use super::fake_target::instance;
use super::harness::{Server, Setup, forced, manifest};
use super::switches::Behaviour::Fail;

/// What an earlier lifecycle left.
struct Left {
    setup: Setup,
    store: Store,
    deployment: Deployment,
}

/// When the former job was deployed.
const EARLIER: i64 = 1_700_000_000;

/// What the former job was deployed from.
const FORMER_IMAGES: [&str; 2] = ["former:1", "former:2"];

impl Left {
    /// A deployment of `adder` 1.0.0 on `target`, just claimed.
    async fn new(target: &str) -> Self {
        Self::claimed(target, None).await
    }

    /// A reprovision of `adder` 1.0.0, or its move from `north` to `target`. It has come to its last step.
    async fn again(target: &str) -> Self {
        let left = Self::claimed(target, Some(FORMER_IMAGES[0].to_owned())).await;
        left.with_former().await.in_phase("initializing Job entrypoint").await
    }

    async fn claimed(target: &str, image_name: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("can be made");
        let url = DatabaseUrl::file(&folder.path().join("lifecycle.sqlite"));
        let store = Store::open(&url).await.expect("opens");
        let new = NewDeployment {
            job_name: "adder".to_owned(),
            job_version: "1.0.0".to_owned(),
            manifest_yaml: yaml(),
            infrastructure_target: Some(target.to_owned()),
            deployed_by: Some("admin".to_owned()),
            image_name,
        };
        let target = Some("north".to_owned());
        let earlier = NewDeployment { infrastructure_target: target, image_name: None, ..new.clone() };
        let earlier = store.claim_deployment(&earlier).await.expect("is claimed");
        store.finish_deployment(&earlier.id, &DeploymentOutcome::Done).await.expect("is ended");
        let deployment = store.claim_deployment(&new).await.expect("is claimed");
        store.ensure_job_family("adder").await.expect("is made");
        let mut setup = Setup::new(&["north", "south"]);
        setup.settings.database_url = Some(url);
        setup.folder = Some(Arc::new(folder));
        Self { setup, store, deployment }
    }

    /// The job was there, on `north`.
    async fn with_former(self) -> Self {
        let mut job = job("north", EARLIER);
        job.status = JobStatus::Running;
        job.image_tag = Some("former".to_owned());
        self.store.save_job(&job, &FORMER_IMAGES.map(str::to_owned)).await.expect("is saved");
        self.setup.world.target("north").put(job);
        self
    }

    async fn built(self) -> Self {
        self.store.save_build(&self.deployment.id, Some("image:1"), "built\n").await.expect("is saved");
        self
    }

    async fn in_phase(self, phase: &str) -> Self {
        self.store.set_deployment_phase(&self.deployment.id, phase).await.expect("is set");
        self
    }

    /// The job is kept as this deployment's.
    async fn with_row(self, target: &str, status: JobStatus) -> Self {
        let mut job = job(target, self.deployment.create_time);
        job.status = status;
        let images = ["image:1".to_owned()];
        self.store.save_deployed_job(&job, &images, &self.deployment.id).await.expect("is saved");
        self
    }

    /// The target has started the job.
    fn started(self, target: &str) -> Self {
        let job = job(target, self.deployment.create_time);
        self.setup.world.target(target).put_pending(job);
        self
    }

    /// The target has found that the job answers.
    fn promoted(self, target: &str) -> Self {
        let mut job = job(target, self.deployment.create_time);
        job.status = JobStatus::Running;
        self.setup.world.target(target).put(job);
        self
    }

    async fn start(self) -> Server {
        let Self { setup, store, .. } = self;
        store.close().await;
        setup.start().await
    }

    /// The record when a new lifecycle has taken the deployment up.
    async fn recovered(self) -> (Server, Value) {
        let id = self.deployment.id.clone();
        let server = self.start().await;
        let record = server.ended(&id).await;
        (server, record)
    }
}

fn job(target: &str, timestamp: i64) -> Job {
    let mut job = instance(target, "adder", "1.0.0", timestamp);
    job.manifest_yaml = Some(yaml());
    job.job_type_version = Some("python3:1.0.0".to_owned());
    job
}

fn yaml() -> String {
    let mut manifest = manifest("adder", "1.0.0");
    manifest["infrastructure_target"] = json!("north");
    serde_yaml::to_string(&manifest).expect("is YAML")
}

#[tokio::test]
async fn what_was_being_built_has_failed() {
    let (server, record) = Left::new("north").await.in_phase("building image").await.recovered().await;
    assert_eq!(
        (&record["status"], &record["error"]),
        (&json!("failed"), &json!("halted due to server restart"))
    );
    assert_eq!(record["phase"], "building image");
    assert_eq!(server.jobs().await, [""; 0]);
    assert_eq!(server.audit_types().await, ["deployment_failed"]);
    server.deployed(&json!({ "manifest": serde_yaml::from_str::<Value>(&yaml()).expect("is YAML") })).await;
}

#[tokio::test]
async fn a_build_over_a_job_leaves_it() {
    let left = Left::new("north").await.with_former().await.in_phase("building image").await;
    let (server, record) = left.recovered().await;
    assert_eq!(record["error"], "halted due to server restart");
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
    assert_eq!(server.target("north").instances(), [format!("adder 1.0.0 at north:{EARLIER}")]);
    assert_eq!(server.world.journal.take(&["delete"]), [""; 0]);
}

#[tokio::test]
async fn a_job_that_did_not_reach_its_target_has_failed_and_is_cleaned_up() {
    let left = Left::new("north").await.built().await.in_phase("creating cluster resources").await;
    let (server, record) = left.with_row("north", JobStatus::Starting).await.recovered().await;
    assert_eq!(
        record["error"],
        "halted due to server restart, and the job did not come up: `check_job_condition` of infrastructure target \
         `north` (plugin `offers` 1.0.0) failed: there is no such instance"
    );
    assert_eq!(server.jobs().await, [""; 0]);
    assert_eq!(server.world.journal.take(&["delete"]), ["north delete_job adder 1.0.0"]);
    assert_eq!(server.audit_types().await, ["deployment_failed"]);
}

#[tokio::test]
async fn a_job_that_reached_its_target_comes_up() {
    let left = Left::new("north").await.built().await.in_phase("starting Job server").await;
    let left = left.with_row("north", JobStatus::Starting).await.started("north");
    let timestamp = left.deployment.create_time;
    let (server, record) = left.recovered().await;
    assert_eq!((&record["status"], &record["error"]), (&json!("done"), &Value::Null), "{record}");
    let job = server.job("1.0.0").await;
    assert_eq!((&job["status"], &job["update_time"]), (&json!("running"), &json!(timestamp)));
    assert_eq!(job["internal_name"], format!("north:{timestamp}"));
    assert_eq!(job["pub_url"], "https://example.com/pub/job/adder/1.0.0");
    let told = server.world.journal.take(&["deploy_job", "post_job_deploy"]);
    assert_eq!(told.len(), 3, "nothing is deployed once more, and every plugin is told: {told:?}");
    assert_eq!(told[0], "first post_job_deploy adder 1.0.0 on north from image:1 by admin");
    assert_eq!(server.audit_types().await, ["job_deployed"]);
}

#[tokio::test]
async fn a_job_that_does_not_answer_has_failed_and_is_cleaned_up() {
    let left = Left::new("north").await.built().await.in_phase("starting Job server").await;
    let left = left.with_row("north", JobStatus::Starting).await.started("north");
    left.setup.world.target("north").switches.set("check_job_condition", Fail("no answer"));
    let (server, record) = left.recovered().await;
    let error = record["error"].as_str().expect("is a text");
    assert!(error.starts_with("halted due to server restart, and the job did not come up: "), "{error}");
    assert_eq!(server.jobs().await, [""; 0]);
    assert_eq!(server.target("north").instances(), [""; 0]);
}

#[tokio::test]
async fn a_job_that_takes_the_place_of_another_comes_up() {
    let left = Left::new("north").await.with_former().await.built().await;
    let left = left.in_phase("initializing Job entrypoint").await.started("north");
    let timestamp = left.deployment.create_time;
    let (server, record) = left.recovered().await;
    assert_eq!(record["status"], "done", "{record}");
    assert_eq!(server.job("1.0.0").await["update_time"], timestamp);
    assert_eq!(server.target("north").instances(), [format!("adder 1.0.0 at north:{timestamp}")]);
    assert_eq!(server.audit_types().await, ["job_redeployed"]);
}

#[tokio::test]
async fn a_job_that_does_not_take_the_place_of_another_leaves_it() {
    let left = Left::new("north").await.with_former().await.built().await;
    let (server, record) = left.in_phase("creating cluster resources").await.recovered().await;
    assert_eq!(record["status"], "failed");
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
    assert_eq!(server.target("north").instances(), [format!("adder 1.0.0 at north:{EARLIER}")]);
    assert_eq!(server.world.journal.take(&["delete"]), [""; 0]);
}

#[tokio::test]
async fn what_follows_when_a_job_is_up_is_done_once_more() {
    let left = Left::new("north").await.built().await.in_phase("post-deploy hooks").await;
    let left = left.with_row("north", JobStatus::Running).await;
    let (server, record) = left.recovered().await;
    assert_eq!((&record["status"], &record["phase"]), (&json!("done"), &Value::Null));
    assert_eq!(record["job"]["status"], "running");
    let told = server.world.journal.take(&["check", "post_job_deploy"]);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(server.audit_types().await, ["job_deployed"]);
}

#[tokio::test]
async fn a_move_that_was_torn_off_before_the_job_answered_leaves_it_where_it_was() {
    let left = Left::new("south").await.with_former().await.in_phase("starting Job server").await;
    let (server, record) = left.started("south").recovered().await;
    assert_eq!(record["error"], "halted due to server restart");
    assert_eq!(server.job("1.0.0").await["infrastructure_target"], "north");
    assert_eq!(server.target("north").instances().len(), 1);
    assert_eq!(server.target("south").instances(), [""; 0]);
}

#[tokio::test]
async fn a_move_that_was_torn_off_when_the_job_answered_takes_it_away_where_it_was() {
    let left = Left::new("south").await.with_former().await;
    let left = left.in_phase("deleting job from a former infrastructure").await;
    let left = left.with_row("south", JobStatus::Running).await;
    let (server, record) = left.recovered().await;
    assert_eq!((&record["status"], &record["warnings"]), (&json!("done"), &Value::Null), "{record}");
    assert_eq!(server.job("1.0.0").await["infrastructure_target"], "south");
    assert_eq!(server.target("north").instances(), [""; 0]);
    let told = server.world.journal.take(&["delete_job", "first post_job"]);
    let told: Vec<_> = told.iter().map(|line| line.split(" from ").next().unwrap_or_default()).collect();
    let expected = [
        "north delete_job adder 1.0.0",
        "first post_job_delete adder 1.0.0 on north by admin",
        "first post_job_deploy adder 1.0.0 on south",
    ];
    assert_eq!(told, expected);
    let events = server.audit().await;
    assert_eq!((events.len(), &events[0]["event_type"]), (1, &json!("job_moved")));
    assert_eq!(events[0]["properties"], json!({ "from": "north", "to": "south" }));
}

#[tokio::test]
async fn a_reprovision_that_was_torn_off_when_the_job_answered_is_done() {
    let left = Left::again("north").await.promoted("north");
    let timestamp = left.deployment.create_time;
    let (server, record) = left.recovered().await;
    assert_eq!((&record["status"], &record["error"]), (&json!("done"), &Value::Null), "{record}");
    let job = server.job("1.0.0").await;
    assert_eq!((&job["update_time"], &job["image_tag"]), (&json!(timestamp), &json!("former")));
    let kept = server.app.store.job("adder", "1.0.0").await.expect("is there");
    assert_eq!(kept.image_names, FORMER_IMAGES);
    assert_eq!(server.target("north").instances(), [format!("adder 1.0.0 at north:{timestamp}")]);
    assert_eq!(server.audit_types().await, ["job_redeployed"]);
}

#[tokio::test]
async fn a_reprovision_that_did_not_reach_its_target_leaves_the_job() {
    let (server, record) = Left::again("north").await.recovered().await;
    let error = record["error"].as_str().expect("is a text");
    assert!(error.starts_with("halted due to server restart, and the job did not come up: "), "{error}");
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
    assert_eq!(server.target("north").instances(), [format!("adder 1.0.0 at north:{EARLIER}")]);
    assert_eq!(server.world.journal.take(&["delete"]), [""; 0]);
}

#[tokio::test]
async fn a_move_that_was_torn_off_when_its_new_target_had_the_job_up_is_done() {
    let left = Left::again("south").await.promoted("south");
    let timestamp = left.deployment.create_time;
    let (server, record) = left.recovered().await;
    assert_eq!((&record["status"], &record["error"]), (&json!("done"), &Value::Null), "{record}");
    assert_eq!(server.job("1.0.0").await["infrastructure_target"], "south");
    assert_eq!(server.target("north").instances(), [""; 0]);
    assert_eq!(server.target("south").instances(), [format!("adder 1.0.0 at south:{timestamp}")]);
    assert_eq!(server.audit_types().await, ["job_moved"]);
}

#[tokio::test]
async fn a_move_that_does_not_come_up_leaves_the_job_where_it_was() {
    let left = Left::again("south").await.started("south");
    left.setup.world.target("south").switches.set("check_job_condition", Fail("no answer"));
    let (server, record) = left.recovered().await;
    assert_eq!(record["status"], "failed");
    assert_eq!(server.job("1.0.0").await["infrastructure_target"], "north");
    assert_eq!(server.target("north").instances(), [format!("adder 1.0.0 at north:{EARLIER}")]);
    assert_eq!(server.target("south").instances(), [""; 0]);
}

#[tokio::test]
async fn a_deployment_to_a_target_that_is_gone_has_failed() {
    let (server, record) = Left::new("west").await.built().await.recovered().await;
    assert_eq!(
        record["error"],
        "Selected infrastructure target \"west\" is unavailable. Available are north, south."
    );
    assert_eq!(server.jobs().await, [""; 0]);
}

#[tokio::test]
async fn a_starting_job_of_a_target_that_is_gone_is_not_left_starting() {
    let left = Left::new("west").await.built().await.with_row("west", JobStatus::Starting).await;
    let (server, record) = left.recovered().await;
    assert_eq!(record["status"], "failed");
    assert_eq!(server.jobs().await, [""; 0]);
}

#[tokio::test]
async fn a_version_stays_claimed_until_its_deployment_is_taken_up() {
    let left = Left::new("north").await.with_former().await.built().await.started("north");
    let gate = left.setup.world.target("north").switches.gate("check_job_condition");
    let id = left.deployment.id.clone();
    let server = left.start().await;
    gate.reached().await;
    let request = forced(json!({ "manifest": serde_yaml::from_str::<Value>(&yaml()).expect("is YAML") }));
    let error = server.post("/deploy", &request).await.error(409);
    assert_eq!(error, "There's already ongoing deployment of job adder 1.0.0");
    gate.open();
    server.ended(&id).await;
    server.target("north").switches.clear();
    server.deployed(&request).await;
}

#[tokio::test]
async fn what_was_over_stays_as_it_was() {
    let left = Left::new("north").await.built().await;
    let failed = DeploymentOutcome::Failed { error: "no".to_owned() };
    left.store.finish_deployment(&left.deployment.id, &failed).await.expect("is ended");
    let before = left.store.deployment(&left.deployment.id).await.expect("is there");
    let server = left.start().await;
    assert_eq!(server.app.store.deployment(&before.id).await.expect("is there"), before);
    assert_eq!(server.audit_types().await, [""; 0]);
}
