//! The API of image-builder, answered by the router in this process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use racetrack_core::hook::HookSet;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{Hook, HookResult, ImageDefinition, JobType, JobTypes, Plugin, async_trait};
use racetrack_image_builder::settings::ImageBuilderSettings;
use racetrack_image_builder::{App, ImageBuilder, router};
use racetrack_service::config;
use racetrack_service::health::Readiness;
use racetrack_service::metrics::Metrics;
use racetrack_service::settings::NoSettings;
use racetrack_service::{Component, HookRuntime, Identity, Service};
use serde_json::{Value, json};
use tower::ServiceExt;

struct Python;

#[async_trait]
impl Plugin for Python {
    async fn job_types(&self) -> HookResult<JobTypes> {
        let job_type = JobType::from(ImageDefinition::from_job_type("Dockerfile"));
        Ok(["python3:2.9.0", "python2:1.0.0"].map(|name| (name.to_owned(), job_type.clone())).into())
    }
}

static REGISTRATION: Registration = Registration {
    name: "python3",
    version: "2.9.0",
    type_name: "Python",
    hooks: HookSet::EMPTY.with(Hook::JobTypes),
    construct: |_| Ok(Box::new(Python)),
};

static PLAN: ComponentPlan = ComponentPlan {
    component: "image-builder",
    description: None,
    plugins: &[PlannedPlugin {
        name: "python3",
        version: "2.9.0",
        priority: 0,
        position: 0,
        category: Some("job-type"),
        url: None,
        build_date: None,
        components: &[],
        digest: "0",
        resources: &[],
    }],
};

/// The routes, and the folder of the pipeline, which goes when it is dropped.
async fn app() -> (Router, tempfile::TempDir) {
    let config = config::load::<NoSettings>(None, Default::default(), ImageBuilder::HTTP_ADDRESS);
    let config = config.expect("defaults").service;
    let service = Service {
        identity: Identity {
            component: PLAN.component,
            version: "0.1.0",
            git_version: "v1".to_owned(),
            docker_tag: "2.36.0".to_owned(),
        },
        hooks: HookRuntime::start(&PLAN, [&REGISTRATION], &config).expect("as planned"),
        readiness: Readiness::default(),
        http_address: ([127, 0, 0, 1], 0).into(),
        metrics: Metrics::install(),
    };
    let folder = tempfile::tempdir().expect("can be made");
    let in_folder = |name| Some(folder.path().join(name));
    let settings = ImageBuilderSettings {
        workspaces_folder: in_folder("workspaces"),
        bundles_folder: in_folder("bundles"),
        bundle_cache_folder: in_folder("cache"),
        build_logs_folder: in_folder("build-logs"),
        ..Default::default()
    };
    (router(App::open(service, settings.with_defaults()).await.expect("nothing clashes")), folder)
}

async fn get(path: &str) -> (u16, Value) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let (app, _folder) = app().await;
    let response = app.oneshot(request).await.expect("answers");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&body).expect("is JSON"))
}

#[tokio::test]
async fn health_tells_who_this_is() {
    let health = json!({
        "service": "image-builder", "git_version": "v1", "docker_tag": "2.36.0", "status": "pass",
    });
    assert_eq!(get("/health").await, (200, health));
    assert_eq!(get("/live").await, (200, json!({ "service": "image-builder", "live": true })));
    assert_eq!(get("/ready").await.0, 503);
}

#[tokio::test]
async fn plugins_and_job_types_are_listed() {
    let manifests = json!([{
        "name": "python3", "version": "2.9.0", "build_date": null, "url": null, "priority": 0,
        "category": "job-type", "components": [],
    }]);
    assert_eq!(get("/api/v1/plugin").await, (200, manifests));
    let versions = json!(["python2:1.0.0", "python3:2.9.0"]);
    assert_eq!(get("/api/v1/plugin/job_type/versions").await, (200, versions));
}

#[tokio::test]
async fn what_is_lifecycles_alone_is_not_here() {
    for path in ["/api/v1/plugin/tree", "/lifecycle/live", "/nope"] {
        let (status, envelope) = get(path).await;
        assert_eq!((status, envelope["type"].as_str()), (404, Some("EntityNotFound")), "{path}");
    }
}
