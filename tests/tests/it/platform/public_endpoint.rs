//! Endpoints that ask for no token.

use serde_json::json;

use super::distribution::{administrator, platform};

#[test]
fn an_endpoint_is_public_once_an_administrator_agrees() {
    let platform = platform("public-endpoint");
    let client = administrator(&platform);
    let folder = "samples/python-public-endpoint";
    let _ = client.run(&["deploy", folder, "--build-context", "local"]).succeeded();
    let job = "python-public-endpoint/0.0.1";
    let call =
        |path: &str, token| platform.call(&format!("{job}/api/v1/{path}"), token, &json!({"name": "Ada"}));
    let set = |endpoint: &str, active: bool| {
        platform
            .put(&format!("/job/{job}/public-endpoints"), &json!({"endpoint": endpoint, "active": active}))
    };

    assert_eq!(call("greet", Some(platform.token())), (200, json!("Hello, Ada!")));
    assert_eq!(call("greet", None).0, 401);
    assert_eq!(set("/api/v1/greet", true), (200, json!(null)));
    assert_eq!(call("greet", None), (200, json!("Hello, Ada!")));
    assert_eq!(call("perform", None).0, 401, "only what was agreed to is public");
    assert_eq!(call("perform", Some(platform.token())), (200, json!("Welcome back, Ada!")));
    assert_eq!(set("/api/v1/perform", true).0, 404, "the manifest does not ask for it");
    assert_eq!(set("/api/v1/greet", false), (200, json!(null)));
    assert_eq!(call("greet", None).0, 401);
    platform.end();
}
