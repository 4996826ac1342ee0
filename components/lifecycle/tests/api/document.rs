//! The `OpenAPI` document.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Server};

/// The operations of the document, each with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("are there").iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().expect("is an object").iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

/// Every schema of the document, also those inside of others, each with where it is.
fn schemas(document: &Value) -> Vec<(String, &Value)> {
    fn collect<'a>(place: &str, value: &'a Value, is_schema: bool, found: &mut Vec<(String, &'a Value)>) {
        if is_schema && value.is_object() {
            found.push((place.to_owned(), value));
        }
        match value {
            Value::Object(parts) => {
                for (key, part) in parts {
                    // What is a name of a schema in one place is a property in another.
                    let holds_schema = match place.rsplit('/').next() {
                        Some("schemas" | "properties") => true,
                        _ => ["schema", "items", "additionalProperties"].contains(&key.as_str()),
                    };
                    collect(&format!("{place}/{key}"), part, holds_schema, found);
                }
            }
            Value::Array(parts) => {
                let is_list_of_schemas = ["oneOf", "anyOf", "allOf"].iter().any(|list| place.ends_with(list));
                for (index, part) in parts.iter().enumerate() {
                    collect(&format!("{place}/{index}"), part, is_list_of_schemas, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect("", document, false, &mut found);
    found
}

#[tokio::test]
async fn it_says_where_the_server_is() {
    let server = Server::start().await;
    for (path, here) in [("/openapi.json", "/api/v1"), ("/lifecycle/openapi.json", "/lifecycle/api/v1")] {
        let document = server.get_from_root(path).await.json();
        let urls: Vec<_> =
            document["servers"].as_array().expect("is a list").iter().map(|server| &server["url"]).collect();
        assert_eq!(urls, [here, "http://127.0.0.1:7202/lifecycle/api/v1"], "{path}");
        assert_eq!(server.get_from_root(&format!("{here}/info")).await.status, 200);
    }
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_the_schema_of_its_errors() {
    let server = Server::start().await;
    let document = server.get_from_root("/openapi.json").await.json();
    let mut names = BTreeSet::new();
    for (place, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect(&place);
        assert!(names.insert(name), "{name} is the name of two operations");
        assert!(operation["summary"].is_string(), "{place} has no title");
        let responses = operation["responses"].as_object().expect(&place);
        assert!(responses.contains_key("500") && responses.contains_key("401"), "{place}");
        let reads_body = operation.get("requestBody").is_some();
        for status in ["400", "408", "413"] {
            assert!(!reads_body || responses.contains_key(status), "{place} {status}");
        }
        for (status, response) in responses {
            assert!(response["description"].is_string(), "{place} {status}");
            let schema = &response["content"]["application/json"]["schema"];
            if status.starts_with(['4', '5']) {
                assert_eq!(*schema, json!({"$ref": "#/components/schemas/Error"}), "{place} {status}");
            } else {
                let content = response["content"].as_object().map(serde_json::Map::values);
                let is_described =
                    |mut bodies: serde_json::map::Values<'_>| bodies.all(|body| body.get("schema").is_some());
                assert!(content.is_some_and(is_described), "{place} {status}");
            }
        }
        let retry_after = responses.get("429").map(|response| &response["headers"]["Retry-After"]);
        assert!(retry_after.is_none_or(Value::is_object), "{place}");
    }
    assert_eq!(document["components"]["schemas"]["Error"]["required"], json!(["error", "type"]));
    let refusal = server.send("", Method::GET, "/job", &Value::Null).await;
    let refusal = refusal.json();
    let keys: Vec<_> = refusal.as_object().expect("is an object").keys().collect();
    assert_eq!(keys, ["error", "type"]);
}

#[tokio::test]
async fn no_schema_is_an_object_of_which_nothing_is_said() {
    let server = Server::start().await;
    let document = server.get_from_root("/openapi.json").await.json();
    let schemas = schemas(&document);
    for (place, schema) in &schemas {
        let types = &schema["type"];
        let is_object =
            types == "object" || types.as_array().is_some_and(|all| all.contains(&json!("object")));
        let is_described = schema.get("properties").is_some_and(|all| all != &json!({}))
            || schema.get("additionalProperties").is_some_and(Value::is_object);
        assert!(!is_object || is_described, "{place}: {schema}");
        if let Some(target) = schema["$ref"].as_str() {
            let target = document.pointer(target.trim_start_matches('#'));
            assert!(target.is_some(), "{place} leads nowhere: {schema}");
        }
    }
    for place in ["/components/schemas/JobManifest/properties/git", "/components/schemas/Error"] {
        assert!(schemas.iter().any(|(found, _)| found == place), "{place} is not looked at");
    }
}

#[tokio::test]
async fn a_list_is_no_object_whose_fields_come_in_order() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (login, change) = (json!(["admin", PASSWORD]), json!([PASSWORD, "another-password"]));
    let lists = [
        (Method::POST, "/users/login", login.clone()),
        (Method::POST, "/users/session", login.clone()),
        (Method::POST, "/users/register", login),
        (Method::PUT, "/users/change_password", change),
        (Method::PUT, "/users/admin", json!([true, true])),
        (Method::PUT, "/maintenance", json!([true])),
        (Method::POST, "/escs", json!(["Bob", null])),
        (Method::POST, "/escs/bob/auth_token", json!([])),
        (
            Method::POST,
            "/permissions",
            json!([{"kind": "user", "name": "admin"}, "read_job", null, null, null]),
        ),
        (Method::POST, "/permissions", json!({"subject": ["user", "admin"], "scope": "read_job"})),
        (
            Method::POST,
            "/permissions",
            json!({"subject": {"kind": "user", "name": "admin"}, "scope": "read_job", "job": ["adder", "1.0.0"]}),
        ),
        (Method::POST, "/deploy", json!([{}])),
        (Method::POST, "/deploy", json!({"manifest": {}, "git_credentials": ["bob", "hunter2"]})),
        (Method::POST, "/deploy", json!({"manifest": {}, "secret_vars": [{}, {}]})),
    ];
    for (method, path, body) in lists {
        let (status, error) = server.send(&admin, method, path, &body).await.error();
        assert_eq!(status, 400, "{path}: {body}: {error}");
        assert!(
            error.contains("invalid type") && error.contains("expected an object"),
            "{path}: {body}: {error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
