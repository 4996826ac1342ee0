//! What goes when lifecycle says that it may, and what stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use racetrack_core::job_bundle::{CACHE_ENTRY_FILE, SUPERSEDED_ENTRY_FILE};
use racetrack_image_builder::settings::ImageBuilderSettings;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{ImageBuilderUnderTest, cache_entry, names, post, request};

const PLATFORM: &str = "0b0a1d9e-7a40-4a8e-9d7c-000000000001";
const OTHER_PLATFORM: &str = "0b0a1d9e-7a40-4a8e-9d7c-000000000002";

/// A request to build a job of that name for a platform.
fn request_of(platform: &str, name: &str) -> Value {
    request_of_type("writes:1.0.0", platform, name)
}

fn request_of_type(job_type: &str, platform: &str, name: &str) -> Value {
    let mut request = request(job_type);
    request["platform_id"] = platform.into();
    request["manifest"]["name"] = name.into();
    request
}

impl ImageBuilderUnderTest {
    /// The same folders, as a later process finds them.
    async fn again(self) -> Self {
        let Self { router, folder, .. } = self;
        drop(router);
        let mut next = Self::with(|settings| in_folder(settings, folder.path())).await;
        next.folder = folder;
        next
    }

    async fn answer(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.expect("answers");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("is JSON"))
    }

    async fn holdings(&self, platform: &str) -> Value {
        let path = format!("/api/v1/holdings?platform_id={platform}");
        let (status, holdings) = self.answer(Request::get(path).body(Body::empty()).expect("valid")).await;
        assert_eq!(status, 200, "{holdings}");
        holdings
    }

    /// Releases images and build logs of the holdings.
    async fn release(&self, platform: &str, mark: &Value, images: &[&Path], build_logs: &[&Value]) -> Value {
        let body = json!({"platform_id": platform, "mark": mark, "images": images, "build_logs": build_logs});
        let (status, removals) = self.answer(post("/api/v1/holdings/release", &body)).await;
        assert_eq!(status, 200, "{removals}");
        removals
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }
}

fn in_folder(settings: &mut ImageBuilderSettings, folder: &Path) {
    let inside = |name| Some(folder.join(name));
    settings.workspaces_folder = inside("workspaces");
    settings.bundles_folder = inside("bundles");
    settings.bundle_cache_folder = inside("cache");
    settings.build_logs_folder = inside("build-logs");
}

fn was_used_long_ago(entry: &Path) {
    let marker = fs::File::open(entry.join(CACHE_ENTRY_FILE)).expect("is there");
    marker.set_modified(SystemTime::UNIX_EPOCH).expect("is ours");
}

#[tokio::test]
async fn what_is_released_goes_and_everything_else_stays() {
    let builder = ImageBuilderUnderTest::start().await;
    let (needed_order, order) = (request_of(PLATFORM, "needed"), request_of(PLATFORM, "adder"));
    let (needed, _) = builder.built(&needed_order).await;
    let (bundle, _) = builder.built(&order).await;
    let (of_another, _) = builder.built(&request_of(OTHER_PLATFORM, "other")).await;
    let mut order_of_nobody = request_of(PLATFORM, "nobody");
    order_of_nobody["platform_id"] = Value::Null;
    let (of_nobody, _) = builder.built(&order_of_nobody).await;

    let holdings = builder.holdings(PLATFORM).await;
    let mut held: Vec<_> = holdings["images"].as_array().expect("a list").clone();
    held.sort_by_key(|image| image["deployment_id"].to_string());
    let image = |path: &Path, order: &Value| json!({"name": path, "deployment_id": order["deployment_id"]});
    assert_eq!(held, [image(&needed, &needed_order), image(&bundle, &order)]);
    assert_eq!(holdings["build_logs"].as_array().expect("a list").len(), 4);

    let mark = &holdings["mark"];
    let nothing = builder.release(PLATFORM, mark, &[], &[]).await;
    let none = json!({"count": 0, "bytes": 0, "failures": 0});
    assert_eq!((&nothing["images"], &nothing["build_logs"]), (&none, &none), "{nothing}");
    assert_eq!((&nothing["kept"]["images"], &nothing["kept"]["images_of_nobody"]), (&json!(4), &json!(1)));

    // What is no bundle of the platform, whatever it says.
    let precious = builder.folder.path().join("precious");
    fs::create_dir(&precious).expect("can be made");
    let elsewhere = precious.join(bundle.file_name().expect("has a name"));
    let images = [&*bundle, &of_another, &of_nobody, &elsewhere, &precious];
    let removals = builder.release(PLATFORM, mark, &images, &[&order["deployment_id"]]).await;
    assert_eq!((&removals["images"]["count"], &removals["build_logs"]["count"]), (&json!(1), &json!(1)));
    assert!(removals["images"]["bytes"].as_u64().expect("a number") > 100, "{removals}");
    assert_eq!(removals["kept"]["images"], 3, "{removals}");
    assert!(!bundle.exists() && precious.exists());
    assert!(needed.exists() && of_another.exists() && of_nobody.exists());
    let logs = names(&builder.folder.path().join("build-logs"));
    assert_eq!(logs.len(), 3, "{logs:?}");
    assert!(!logs.contains(&format!("{}.log", order["deployment_id"].as_str().expect("is text"))));
    fs::remove_dir(&precious).expect("is there");
    builder.assert_clean();

    let (again, _) = builder.built(&request_of(PLATFORM, "adder")).await;
    assert_eq!(again, bundle, "it is made anew");
}

#[tokio::test]
async fn a_bundle_of_two_platforms_goes_with_the_second() {
    let builder = ImageBuilderUnderTest::start().await;
    let (bundle, _) = builder.built(&request_of(PLATFORM, "adder")).await;
    let (same, log) = builder.built(&request_of(OTHER_PLATFORM, "adder")).await;
    assert_eq!(same, bundle);
    assert!(log.contains("reused the job bundle"), "{log}");
    for (platform, is_last) in [(PLATFORM, false), (PLATFORM, false), (OTHER_PLATFORM, true)] {
        let holdings = builder.holdings(platform).await;
        builder.release(platform, &holdings["mark"], &[&bundle], &[]).await;
        assert_eq!(bundle.exists(), !is_last);
    }
}

#[tokio::test]
async fn what_is_used_again_after_lifecycle_asked_stays() {
    let mut builder = ImageBuilderUnderTest::start().await;
    let (bundle, _) = builder.built(&request_of(PLATFORM, "adder")).await;
    let holdings = builder.holdings(PLATFORM).await;
    // The next deployment of the same job, of which lifecycle did not know yet when it looked what is needed.
    builder.built(&request_of(PLATFORM, "adder")).await;
    builder.release(PLATFORM, &holdings["mark"], &[&bundle], &[]).await;
    assert!(bundle.exists());

    let order = request_of_type("waits:1.0.0", PLATFORM, "slow");
    let building = tokio::spawn({
        let (router, order) = (builder.router.clone(), order.clone());
        async move { router.oneshot(post("/api/v1/build", &order)).await.expect("answers") }
    });
    while builder.events.recv().await != Some("started") {}
    while builder.holdings(PLATFORM).await["build_logs"].as_array().expect("a list").len() < 3 {}
    let mark = builder.holdings(PLATFORM).await["mark"].clone();
    let removals = builder.release(PLATFORM, &mark, &[&bundle], &[&order["deployment_id"]]).await;
    assert_eq!(removals["build_logs"]["count"], 0, "the log is being written");
    assert!(!bundle.exists(), "others are no reason to keep it");
    builder.go_on.notify_one();
    assert_eq!(building.await.expect("ends").status(), 200);
    assert!(builder.kept_log(&order).contains("made the job bundle"));
}

#[tokio::test]
async fn a_mark_is_good_until_the_next_start() {
    let builder = ImageBuilderUnderTest::start().await;
    let (bundle, _) = builder.built(&request_of(PLATFORM, "adder")).await;
    let mark = builder.holdings(PLATFORM).await["mark"].clone();
    let builder = builder.again().await;
    let body =
        |mark: &Value| json!({"platform_id": PLATFORM, "mark": mark, "images": [bundle], "build_logs": []});
    let (status, answer) = builder.answer(post("/api/v1/holdings/release", &body(&mark))).await;
    assert_eq!(status, 409, "{answer}");
    assert!(bundle.exists());
    let mark = builder.holdings(PLATFORM).await["mark"].clone();
    assert_eq!(builder.answer(post("/api/v1/holdings/release", &body(&mark))).await.0, 200);
    assert!(!bundle.exists(), "who has it is known after the start, too");
}

#[tokio::test]
async fn interrupted_removals_are_finished_and_what_is_nobodys_stays() {
    let builder = ImageBuilderUnderTest::start().await;
    let (bundle, _) = builder.built(&request_of(PLATFORM, "adder")).await;
    let (older, _) = builder.built(&request_of(PLATFORM, "older")).await;
    let bundles = bundle.parent().expect("is in a folder").to_owned();
    let record = |bundle: &Path| {
        let name = format!("{}.json", bundle.file_name().expect("has a name").to_str().expect("is text"));
        bundles.join(".index").join(name)
    };
    // Torn off behind the renaming, and made by a version that kept no records.
    fs::rename(&bundle, bundles.join(".removed-1-1")).expect("can be moved");
    fs::create_dir_all(builder.cache().join(".removed-1-1/below")).expect("can be made");
    fs::remove_file(record(&older)).expect("is there");
    let builder = builder.again().await;
    assert_eq!(
        names(&bundles),
        [".index", older.file_name().expect("has a name").to_str().expect("is text")]
    );
    assert!(!record(&bundle).exists() && !builder.cache().join(".removed-1-1").exists());

    // It is made again for the platform, and others may have it nevertheless.
    let (again, _) = builder.built(&request_of(PLATFORM, "older")).await;
    assert_eq!(again, older);
    let mark = builder.holdings(PLATFORM).await["mark"].clone();
    let removals = builder.release(PLATFORM, &mark, &[&older], &[]).await;
    assert_eq!((&removals["images"]["count"], &removals["kept"]["images_of_nobody"]), (&json!(0), &json!(1)));
    assert!(older.exists());

    fs::write(record(&older), "{").expect("can be written");
    let mark = builder.holdings(PLATFORM).await["mark"].clone();
    builder.release(PLATFORM, &mark, &[&older], &[]).await;
    assert!(older.exists(), "who has it cannot be read");
}

#[tokio::test]
async fn entries_of_the_cache_go_when_no_bundle_needs_them() {
    let mut builder = ImageBuilderUnderTest::start().await;
    let (bundle, _) = builder.built(&request_of_type("caches:1.0.0", PLATFORM, "adder")).await;
    let cache = builder.cache();
    let [needed, unused, fresh] = ["adder", "unused", "fresh"].map(|key| cache_entry(&cache, key));
    let superseded = cache_entry(&cache, "superseded");
    fs::write(superseded.join(SUPERSEDED_ENTRY_FILE), "").expect("can be written");
    fs::write(needed.join(SUPERSEDED_ENTRY_FILE), "").expect("can be written");
    let no_entry = cache.join("packages/no-entry");
    fs::create_dir(&no_entry).expect("can be made");
    was_used_long_ago(&needed);
    was_used_long_ago(&unused);

    let building = tokio::spawn({
        let (router, order) = (builder.router.clone(), request_of_type("waits:1.0.0", PLATFORM, "slow"));
        async move { router.oneshot(post("/api/v1/build", &order)).await.expect("answers") }
    });
    while builder.events.recv().await != Some("ended") {}
    while builder.events.recv().await != Some("started") {}
    let mark = builder.holdings(PLATFORM).await["mark"].clone();
    let removals = builder.release(PLATFORM, &mark, &[], &[]).await;
    assert_eq!(
        removals["cache_entries"],
        json!({"count": 0, "bytes": 0, "failures": 0}),
        "something is built"
    );
    builder.go_on.notify_one();
    assert_eq!(building.await.expect("ends").status(), 200);

    let removals = builder.release(PLATFORM, &mark, &[], &[]).await;
    assert_eq!(removals["cache_entries"], json!({"count": 2, "bytes": 14, "failures": 0}));
    assert!(!unused.exists() && !superseded.exists());
    assert!(needed.exists() && fresh.exists() && no_entry.exists());

    let mark = builder.holdings(PLATFORM).await["mark"].clone();
    let removals = builder.release(PLATFORM, &mark, &[&bundle], &[]).await;
    assert_eq!((&removals["images"]["count"], &removals["cache_entries"]["count"]), (&json!(1), &json!(1)));
    assert!(!bundle.exists() && !needed.exists() && fresh.exists());
}

#[tokio::test]
async fn a_shared_cache_keeps_what_the_bundles_of_others_need() {
    let builder = ImageBuilderUnderTest::start().await;
    let cache = builder.cache();
    let other = ImageBuilderUnderTest::with(|settings| settings.bundle_cache_folder = Some(cache.clone()));
    let other = other.await;
    let entry = cache_entry(&cache, "adder");
    let (bundle, _) = other.built(&request_of_type("caches:1.0.0", PLATFORM, "adder")).await;
    was_used_long_ago(&entry);
    let sweep = async || {
        let mark = builder.holdings(PLATFORM).await["mark"].clone();
        builder.release(PLATFORM, &mark, &[], &[]).await["cache_entries"].clone()
    };
    assert_eq!(sweep().await, json!({"count": 0, "bytes": 0, "failures": 0}));
    assert!(entry.exists());

    // Not there, which may mean that a disk is not mounted.
    let bundles = bundle.parent().expect("is in a folder");
    let away = bundles.with_extension("away");
    fs::rename(bundles, &away).expect("can be moved");
    assert_eq!(sweep().await["failures"], 1);
    fs::create_dir(bundles).expect("can be made");
    assert_eq!(sweep().await["failures"], 1, "an empty folder is not one with bundles");
    assert!(entry.exists());
    fs::remove_dir(bundles).expect("is empty");
    fs::rename(&away, bundles).expect("can be moved");

    fs::remove_dir_all(&bundle).expect("can be removed");
    assert_eq!(sweep().await["count"], 1);
    assert!(!entry.exists());
}

#[tokio::test]
async fn holdings_are_for_lifecycle_and_what_is_wrong_is_refused() {
    let token = Some("t0ken".parse().expect("valid"));
    let builder = ImageBuilderUnderTest::with(|settings| settings.component_auth_token = token).await;
    let asked = Request::get(format!("/api/v1/holdings?platform_id={PLATFORM}"));
    assert_eq!(builder.answer(asked.body(Body::empty()).expect("valid")).await.0, 401);
    let released = Request::post("/api/v1/holdings/release").body(Body::from("{}")).expect("valid");
    assert_eq!(builder.answer(released).await.0, 401);
    let body = |platform: &str, mark: &str| json!({"platform_id": platform, "mark": mark, "images": [], "build_logs": []});
    for wrong in [json!({}), json!([]), body("x", "1-1"), body(PLATFORM, "x"), body(PLATFORM, "")] {
        let (status, answer) = builder.answer(post("/api/v1/holdings/release", &wrong)).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    let mut order = request("writes:1.0.0");
    order["platform_id"] = "../..".into();
    assert_eq!(builder.build(&order).await.0, 400);
}
