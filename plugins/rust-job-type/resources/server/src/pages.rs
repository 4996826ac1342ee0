//! The pages for people: a description of the interface, and a form to try it.

use serde_json::{Map, Value, json};

use super::identity::Identity;

/// What `/openapi.json` answers.
pub(crate) fn openapi(identity: &Identity, parameters: &[&str]) -> Value {
    let properties: Map<String, Value> =
        parameters.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    let answer = |description: &str| json!({ "description": description });
    let get = |summary: &str| json!({ "get": { "summary": summary, "responses": { "200": answer("OK") } } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": format!("Job - {}", identity.job_name), "version": identity.job_version },
        "servers": [{ "url": identity.base_path() }],
        "paths": {
            "/api/v1/perform": { "post": {
                "summary": "Call main action",
                "requestBody": { "required": true, "content": { "application/json": {
                    "schema": { "type": "object", "properties": properties },
                } } },
                "responses": {
                    "200": answer("What the job answers"),
                    "400": answer("The arguments do not fit"),
                    "500": answer("The job failed"),
                },
            } },
            "/api/v1/parameters": get("Names of the parameters"),
            "/health": get("Health of the job"),
            "/live": get("Whether the job has started"),
            "/ready": get("Whether the job can be called"),
            "/metrics": get("Figures for Prometheus"),
        },
    })
}

/// What `/docs` answers.
pub(crate) fn docs(identity: &Identity, parameters: &[&str]) -> String {
    let example: Map<String, Value> =
        parameters.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    include_str!("docs.html")
        .replace("{name}", &escaped(&identity.job_name))
        .replace("{version}", &escaped(&identity.job_version))
        .replace("{example}", &escaped(&Value::from(example).to_string()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
