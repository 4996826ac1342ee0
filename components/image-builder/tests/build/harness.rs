//! An image-builder with a plugin whose recipes do what a test wants, and the requests that tests send it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use racetrack_core::hook::HookSet;
use racetrack_core::job_bundle::CACHE_ENTRY_FILE;
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{
    BundleRecipe, Hook, HookResult, ImageDefinition, JobBundle, JobType, JobTypes, MakeBundle, Plugin,
    ValidateJobManifest, async_trait,
};
use racetrack_image_builder::settings::ImageBuilderSettings;
use racetrack_image_builder::{App, ImageBuilder, router};
use racetrack_service::health::Readiness;
use racetrack_service::metrics::Metrics;
use racetrack_service::setting_value::Size;
use racetrack_service::settings::{NoSettings, Span};
use racetrack_service::{Component, HookRuntime, Identity, Service, config};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::ServiceExt;

/// What recipes tell the test whose image-builder they run in, found by its cache folder.
static WATCHERS: LazyLock<Mutex<HashMap<PathBuf, Watcher>>> = LazyLock::new(Mutex::default);

#[derive(Clone)]
struct Watcher {
    events: UnboundedSender<&'static str>,
    go_on: std::sync::Arc<Notify>,
}

/// An image-builder with folders of its own.
pub(crate) struct ImageBuilderUnderTest {
    pub(crate) router: Router,
    pub(crate) folder: tempfile::TempDir,
    /// What its recipes tell.
    pub(crate) events: UnboundedReceiver<&'static str>,
    /// Lets a recipe that waits go on.
    pub(crate) go_on: std::sync::Arc<Notify>,
}

/// The job types: each has the name of what its recipe does.
struct Recipes;

struct Recipe(&'static str);

const JOB_TYPES: [&str; 9] =
    ["writes", "fails", "panics", "hangs", "blocks", "waits", "leaks", "makes-nothing", "caches"];

#[async_trait]
impl Plugin for Recipes {
    async fn job_types(&self) -> HookResult<JobTypes> {
        let mut job_types: JobTypes =
            JOB_TYPES.map(|name| (format!("{name}:1.0.0"), JobType::from_recipe(Recipe(name)))).into();
        job_types.insert("writes:0.9.0".to_owned(), JobType::from_recipe(Recipe("fails")));
        job_types.insert("images:1.0.0".to_owned(), ImageDefinition::from_job_type("Dockerfile").into());
        Ok(job_types)
    }

    async fn validate_job_manifest(&self, event: ValidateJobManifest<'_>) -> HookResult {
        match event.manifest.job_type_extra() {
            Some(_) => Err(format!("{} takes no jobtype_extra", event.job_type).into()),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl BundleRecipe for Recipe {
    async fn make_bundle(&self, request: MakeBundle<'_>) -> HookResult<JobBundle> {
        let watcher = WATCHERS.lock().expect("is not poisoned").get(request.cache).cloned();
        let watcher = watcher.ok_or("nobody watches")?;
        let _dropped = Dropped(watcher.events.clone());
        watcher.events.send("started")?;
        (request.log)("the recipe runs");
        if request.no_cache {
            (request.log)("and leaves the cache alone");
        }
        match self.0 {
            "fails" => return Err("no compiler in sight".into()),
            "panics" => panic!("the recipe slipped"),
            "hangs" => std::future::pending().await,
            "blocks" => std::thread::sleep(Duration::from_secs(3)),
            "waits" => watcher.go_on.notified().await,
            "leaks" => {
                for secret in request.build_secrets.values() {
                    (request.log)(&format!("the token is {secret}"));
                }
                return Err(format!("cannot log in with {:?}", request.build_secrets.values()).into());
            }
            _ => {}
        }
        let program = request.bundle.join("run.sh");
        std::fs::write(&program, format!("#!/bin/sh\necho {:?}\n", request.build_env))?;
        let command = if self.0 == "makes-nothing" { Vec::new() } else { vec!["./run.sh".to_owned()] };
        let mut env = BTreeMap::new();
        if self.0 == "caches" {
            let entry = cache_entry(request.cache, &request.manifest.name);
            env.insert("PACKAGES".to_owned(), entry.to_str().expect("is text").to_owned());
        }
        Ok(JobBundle { job_type: request.job_type.to_owned(), command, env })
    }
}

struct Dropped(UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send("ended");
    }
}

static REGISTRATION: Registration = Registration {
    name: "recipes",
    version: "1.0.0",
    type_name: "Recipes",
    hooks: HookSet::EMPTY.with(Hook::JobTypes).with(Hook::ValidateJobManifest),
    construct: |_| Ok(Box::new(Recipes)),
};

static PLAN: ComponentPlan = ComponentPlan {
    component: "image-builder",
    description: None,
    plugins: &[PlannedPlugin {
        name: "recipes",
        version: "1.0.0",
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

impl ImageBuilderUnderTest {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ImageBuilderSettings)) -> Self {
        Self::of_platform("2.36.0", change).await
    }

    pub(crate) async fn of_platform(
        docker_tag: &str,
        change: impl FnOnce(&mut ImageBuilderSettings),
    ) -> Self {
        let folder = tempfile::tempdir().expect("can be made");
        let in_folder = |name| Some(folder.path().join(name));
        let mut settings = ImageBuilderSettings {
            lifecycle_url: Some("".parse().expect("valid")),
            allowed_git_protocols: Some("file,http".parse().expect("valid")),
            workspaces_folder: in_folder("workspaces"),
            bundles_folder: in_folder("bundles"),
            bundle_cache_folder: in_folder("cache"),
            build_logs_folder: in_folder("build-logs"),
            build_time_limit: Some(Span(Duration::from_mins(1))),
            ..Default::default()
        };
        change(&mut settings);
        let cache = settings.bundle_cache_folder.clone().expect("is set");
        let config = config::load::<NoSettings>(None, Default::default(), ImageBuilder::HTTP_ADDRESS);
        let config = config.expect("defaults").service;
        let service = Service {
            identity: Identity {
                component: PLAN.component,
                version: "0.1.0",
                git_version: "v1".to_owned(),
                docker_tag: docker_tag.to_owned(),
            },
            hooks: HookRuntime::start(&PLAN, [&REGISTRATION], &config).expect("as planned"),
            readiness: Readiness::default(),
            http_address: ([127, 0, 0, 1], 0).into(),
            metrics: Metrics::install(),
        };
        let app = App::open(service, settings.with_defaults()).await.expect("opens");
        let (sender, events) = unbounded_channel();
        let go_on = std::sync::Arc::new(Notify::new());
        let cache = cache.canonicalize().expect("is there");
        let watcher = Watcher { events: sender, go_on: go_on.clone() };
        WATCHERS.lock().expect("is not poisoned").insert(cache, watcher);
        Self { router: router(app), folder, events, go_on }
    }

    /// Builds, and gives the status and the answer.
    pub(crate) async fn build(&self, body: &Value) -> (u16, Value) {
        let response = self.router.clone().oneshot(post("/api/v1/build", body)).await.expect("answers");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("is JSON"))
    }

    /// Builds what must succeed, and gives the bundle and the log.
    pub(crate) async fn built(&self, body: &Value) -> (PathBuf, String) {
        let (status, result) = self.build(body).await;
        assert_eq!((status, &result["error"]), (200, &Value::Null), "{result}");
        let [image] = &result["image_names"].as_array().expect("is one")[..] else { panic!("{result}") };
        (PathBuf::from(image.as_str().expect("is text")), self.log(&result, body))
    }

    /// Builds what must fail, and gives the error and the log.
    pub(crate) async fn failed(&self, body: &Value) -> (String, String) {
        let (status, result) = self.build(body).await;
        assert_eq!((status, &result["image_names"]), (200, &json!([])), "{result}");
        let error = result["error"].as_str().expect("has failed").to_owned();
        self.assert_clean();
        (error, self.log(&result, body))
    }

    /// The log of a result, which is also the last one in its file.
    fn log(&self, result: &Value, body: &Value) -> String {
        let log = result["logs"].as_str().expect("is text");
        assert!(self.kept_log(body).ends_with(log), "{log}");
        log.to_owned()
    }

    pub(crate) fn kept_log(&self, body: &Value) -> String {
        let id = body["deployment_id"].as_str().expect("is text");
        let path = self.folder.path().join("build-logs").join(format!("{id}.log"));
        std::fs::read_to_string(path).expect("is kept")
    }

    /// Nothing of any build is left but bundles and logs.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(names(&self.folder.path().join("workspaces")), [".lock"]);
        let bundles = names(&self.folder.path().join("bundles"));
        let is_known = |name: &String| name == ".index" || !name.starts_with('.');
        assert!(bundles.iter().all(is_known), "{bundles:?}");
        let folders = names(self.folder.path());
        assert_eq!(folders, ["build-logs", "bundles", "cache", "workspaces"]);
    }
}

/// Makes an entry of a cache.
pub(crate) fn cache_entry(cache: &Path, key: &str) -> PathBuf {
    let entry = cache.join("packages").join(key);
    std::fs::create_dir_all(&entry).expect("can be made");
    std::fs::write(entry.join("module.py"), "1234567").expect("can be written");
    std::fs::write(entry.join(CACHE_ENTRY_FILE), "").expect("can be written");
    entry
}

/// A request as lifecycle sends it, also to builders that ask for no token.
pub(crate) fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path)
        .header("x-racetrack-auth", "t0ken")
        .body(Body::from(body.to_string()))
        .expect("a request")
}

pub(crate) fn bytes(number: &str) -> Size {
    number.parse().expect("valid")
}

/// A request to build a job of that type from an archive with one file; each call is another deployment.
pub(crate) fn request(job_type: &str) -> Value {
    static DEPLOYMENTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let number = DEPLOYMENTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    json!({
        "manifest": {
            "name": "adder",
            "owner_email": "a@example.com",
            "jobtype": job_type,
            "git": {"remote": "https://example.com/jobs.git"},
            "build_env": {"COLOR": "red"},
        },
        "git_credentials": null,
        "secret_build_env": {},
        "tag": "2021-08-12T094058",
        "build_context": BASE64_STANDARD.encode(archive(&[("main.py", "print(42)\n")])),
        "deployment_id": format!("5c0a1d9e-7a40-4a8e-9d7c-{number:012x}"),
        "build_flags": [],
    })
}

pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        // As it is: the crate's own builder refuses the hostile paths.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).expect("is in memory");
    }
    builder.into_inner().expect("is in memory").finish().expect("is in memory")
}

/// The variables that a bundle gives its job.
pub(crate) fn environment(bundle: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(bundle.join("job-bundle.json")).expect("is there");
    serde_json::from_str::<JobBundle>(&text).expect("is one").env
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("is there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("can be read").file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
