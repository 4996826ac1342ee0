//! Requests that are wrong in themselves, and what is around building.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use racetrack_image_builder::router::{Access, Route, route_list};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{ImageBuilderUnderTest, bytes, names, post, request};

async fn get(builder: &ImageBuilderUnderTest, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = builder.router.clone().oneshot(request).await.expect("answers");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, String::from_utf8(body.into()).expect("is text"))
}

#[tokio::test]
async fn wrong_requests_are_refused_before_anything_is_made() {
    let builder = ImageBuilderUnderTest::start().await;
    for (pointer, key, value, text) in [
        ("", "deployment_id", json!("../../x"), "is not a UUID"),
        ("", "color", json!("red"), "unknown field `color`"),
        ("", "build_flags", json!(["--secret"]), "`--secret` is not allowed"),
        ("", "build_context", json!("%%%"), "extracting build context: it is not base64"),
        ("/manifest", "name", json!("a\"b\nc"), "is no job name"),
        ("/manifest", "color", json!("red"), "unknown field `color`"),
        ("/manifest", "build_env", json!({"A B": "x"}), "is not a name of a variable"),
    ] {
        let mut wrong = request("writes:1.0.0");
        wrong.pointer_mut(pointer).expect("is there")[key] = value;
        for path in ["/api/v1/build", "/api/v1/build/sse"] {
            let response = builder.router.clone().oneshot(post(path, &wrong)).await.expect("answers");
            assert_eq!(response.status().as_u16(), 400);
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
            let envelope: Value = serde_json::from_slice(&body).expect("is JSON");
            let error = envelope["error"].as_str().expect("is text");
            assert!(error.contains(text) && envelope["type"] == "ValueError", "{error}");
        }
    }
    assert_eq!(names(&builder.folder.path().join("build-logs")), Vec::<String>::new());
    builder.assert_clean();
}

#[tokio::test]
async fn builds_are_for_who_shows_the_token() {
    let token = |token: &str| {
        let token = token.parse().expect("valid");
        ImageBuilderUnderTest::with(|settings| settings.component_auth_token = Some(token))
    };
    let wrong = json!({"color": "red"});
    for (token, status) in [(token("t0ken").await, 400), (token("0ther").await, 401)] {
        for path in ["/api/v1/build", "/api/v1/build/sse"] {
            let response = token.router.clone().oneshot(post(path, &wrong)).await.expect("answers");
            assert_eq!(response.status().as_u16(), status, "{path}");
        }
        assert_eq!(get(&token, "/health").await.0, 200);
    }
}

/// Strangers learn that image-builder is there and how it does, and nothing of jobs and plugins.
#[tokio::test]
async fn every_route_but_the_probes_asks_for_the_token() {
    let token = "t0ken".parse().expect("valid");
    let builder = ImageBuilderUnderTest::with(|settings| settings.component_auth_token = Some(token)).await;
    let mut open = Vec::new();
    for Route { method, path, access } in route_list() {
        let status = async |token: &str| {
            let request = Request::builder().method(method).uri(path).header("x-racetrack-auth", token);
            let request = request.body(Body::from("{}")).expect("a request");
            builder.router.clone().oneshot(request).await.expect("answers").status().as_u16()
        };
        assert_ne!(status("t0ken").await, 401, "{path}");
        assert_eq!(status("0ther").await == 401, access == Access::Components, "{path}");
        assert_eq!(path.starts_with("/api/"), access == Access::Components, "{path}");
        if access == Access::Open {
            open.push(path);
        }
    }
    assert_eq!(open, ["/health", "/live", "/metrics", "/ready"]);
}

#[tokio::test]
async fn addresses_that_git_must_not_see_are_refused() {
    let builder = ImageBuilderUnderTest::start().await;
    for (key, value) in [
        ("remote", "ext::sh -c 'touch /tmp/x'"),
        ("remote", "ext::sh"),
        ("remote", "--upload-pack=sh"),
        ("remote", "ssh://example.com/x"),
        ("remote", "https://bob:hunter2@example.com/x"),
        ("branch", "--upload-pack=sh"),
        ("directory", "../.."),
    ] {
        let mut wrong = request("writes:1.0.0");
        wrong["build_context"] = Value::Null;
        wrong["manifest"]["git"]["remote"] = json!("http://example.com/x");
        wrong["manifest"]["git"][key] = json!(value);
        let (status, envelope) = builder.build(&wrong).await;
        assert_eq!(status, 400, "{envelope}");
        let error = envelope["error"].as_str().expect("is text");
        assert!(error.contains(&format!("git.{key}: ")) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn requests_that_are_too_large_are_refused() {
    let builder =
        ImageBuilderUnderTest::with(|settings| settings.max_request_size = Some(bytes("2Ki"))).await;
    let mut large = request("writes:1.0.0");
    large["build_context"] = json!("A".repeat(4096));
    let (status, envelope) = builder.build(&large).await;
    assert_eq!((status, &envelope["type"]), (413, &json!("ValueError")), "{envelope}");
    builder.built(&request("writes:1.0.0")).await;
}

#[tokio::test]
async fn health_tells_whether_jobs_can_be_built() {
    let builder = ImageBuilderUnderTest::start().await;
    assert_eq!(get(&builder, "/health").await.0, 200);
    std::fs::remove_dir_all(builder.folder.path().join("cache")).expect("is there");
    let (status, health) = loop {
        // An answer is good for a second.
        let (status, health) = get(&builder, "/health").await;
        if status != 200 {
            break (status, health);
        }
    };
    let health: Value = serde_json::from_str(&health).expect("is JSON");
    assert_eq!((status, &health["status"]), (500, &json!("fail")));
    assert!(health["details"].is_string(), "{health}");
}

#[tokio::test]
async fn builds_are_counted() {
    let builder = ImageBuilderUnderTest::start().await;
    builder.built(&request("writes:1.0.0")).await;
    builder.failed(&request("fails:1.0.0")).await;
    let (_, metrics) = get(&builder, "/metrics").await;
    for name in ["images_built_total", "images_building_errors_total"] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        assert!(value.trim().parse::<u64>().expect("is a number") >= 1, "{name} {value}");
    }
    for name in ["image_building_requests_total", "image_building_done_requests_total"] {
        assert!(metrics.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
    assert!(!metrics.contains("adder"), "whoever reads this may not know the jobs");
    assert!(
        metrics.contains("active_building_tasks")
            && metrics.contains("image_building_request_duration_seconds")
    );
}
