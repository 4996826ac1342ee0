//! What the job answers to which request.

use std::time::Instant;

use serde_json::{Value, json};

use super::function::{CallError, Function};
use super::http::{Request, Response};
use super::identity::Identity;
use super::log;
use super::metrics::Metrics;
use super::pages;

/// The job.
pub(crate) struct Job {
    function: Function,
    identity: Identity,
    metrics: Metrics,
}

impl Job {
    /// A job that has not been called yet.
    pub(crate) fn new(function: Function, identity: Identity) -> Self {
        Self { function, identity, metrics: Metrics::default() }
    }

    /// Answers a request.
    pub(crate) fn respond(&self, request: &Request) -> Response {
        let path = without_prefix(request.path());
        if path == "/api/v1/perform" {
            return match request.method.as_str() {
                "POST" => self.perform(&request.body),
                _ => method_not_allowed("POST"),
            };
        }
        let Some(page) = self.page(path) else {
            return Response::error(404, "NotFound", &format!("there is no `{path}`"));
        };
        if matches!(request.method.as_str(), "GET" | "HEAD") { page } else { method_not_allowed("GET, HEAD") }
    }

    fn page(&self, path: &str) -> Option<Response> {
        let Self { function, identity, metrics } = self;
        Some(match path {
            "/live" => Response::json(200, &identity.live()),
            "/ready" => Response::json(200, &json!({ "ready": true })),
            "/health" => Response::json(200, &identity.health()),
            "/metrics" => Response::text("text/plain; version=0.0.4; charset=utf-8", metrics.render()),
            "/api/v1/parameters" => {
                let names = function.parameters.iter();
                let names: Vec<_> = names.map(|name| json!({ "name": name, "type": null })).collect();
                Response::json(200, &Value::from(names))
            }
            "/openapi.json" => Response::json(200, &pages::openapi(identity, function.parameters)),
            "/docs" => Response::text("text/html; charset=utf-8", pages::docs(identity, function.parameters)),
            "" | "/" => Response::redirect(&format!("{}/docs", identity.base_path())),
            _ => return None,
        })
    }

    fn perform(&self, body: &[u8]) -> Response {
        let started = Instant::now();
        self.metrics.call_started();
        let outcome = match serde_json::from_slice(body) {
            Ok(arguments @ Value::Object(_)) => self.function.call(arguments),
            Ok(_) => Err(CallError::Arguments("the arguments must be a JSON object".to_owned())),
            Err(error) => Err(CallError::Arguments(format!("the body is not JSON: {error}"))),
        };
        let (response, failure) = match outcome {
            Ok(answer) => (Response::json(200, &answer), None),
            Err(CallError::Arguments(message)) => (
                Response::error(400, "ValueError", &format!("failed to call a function: {message}")),
                Some(message),
            ),
            Err(CallError::Failed(message)) => (Response::error(500, "JobError", &message), Some(message)),
            Err(CallError::Panicked(message)) => (Response::error(500, "Panic", &message), Some(message)),
        };
        let duration = started.elapsed();
        self.metrics.call_done(duration, response.status >= 500);
        let failure = failure.map(|message| format!(": {message}")).unwrap_or_default();
        log::line(&format!("POST /api/v1/perform {} in {duration:.1?}{failure}", response.status));
        response
    }
}

fn method_not_allowed(allowed: &'static str) -> Response {
    Response::error(405, "MethodNotAllowed", &format!("allowed here: {allowed}"))
        .with_header("allow", allowed)
}

/// The path without `/pub/job/NAME/VERSION`: the proxy passes on whatever version it resolved.
fn without_prefix(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/pub/job/") else { return path };
    let mut parts = rest.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(version), rest) if !name.is_empty() && !version.is_empty() => {
            rest.map_or("/", |rest| &path[path.len() - rest.len() - 1..])
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let function = Function::new(|input: Value| match input["want"].as_str() {
            Some("panic") => panic!("no {}", "way"),
            Some("error") => Err("not today"),
            _ => Ok(input),
        });
        let variable = |name: &str| match name {
            "JOB_NAME" => Some("echo".to_owned()),
            "JOB_VERSION" => Some("1.0.0".to_owned()),
            "JOB_DEPLOYMENT_TIMESTAMP" => Some("1700000000".to_owned()),
            _ => None,
        };
        Job::new(function, Identity::read(variable))
    }

    fn ask(job: &Job, method: &str, target: &str, body: &str) -> (u16, Value) {
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            keep_alive: true,
            body: body.as_bytes().to_vec(),
        };
        let response = job.respond(&request);
        let text = String::from_utf8(response.body).expect("answers are text");
        (response.status, serde_json::from_str(&text).unwrap_or(Value::from(text)))
    }

    #[test]
    fn everything_is_served_with_and_without_the_prefix_of_the_proxy() {
        for prefix in ["", "/pub/job/echo/1.0.0", "/pub/job/echo/latest", "/pub/job/other/2.x"] {
            let get = |path: &str| ask(&job(), "GET", &format!("{prefix}{path}"), "");
            assert_eq!(get("/live"), (200, json!({"live": true, "deployment_timestamp": 1_700_000_000})));
            assert_eq!(get("/ready?x=1"), (200, json!({"ready": true})));
            assert_eq!(get("/health").1["status"], "pass");
            assert_eq!(get("/api/v1/parameters"), (200, json!([])));
            assert_eq!(get("/").0, 307);
            assert_eq!(get("/api/v1/nothing").0, 404);
            let (status, answer) = ask(&job(), "POST", &format!("{prefix}/api/v1/perform"), r#"{"a": 1}"#);
            assert_eq!((status, answer), (200, json!({"a": 1})));
        }
        assert_eq!(without_prefix("/pub/job/echo/latest"), "/");
        assert_eq!(without_prefix("/pub/job/echo"), "/pub/job/echo");
        assert_eq!(without_prefix("/pub/job//1/live"), "/pub/job//1/live");
    }

    #[test]
    fn methods_are_checked() {
        assert_eq!(ask(&job(), "GET", "/api/v1/perform", "").0, 405);
        assert_eq!(ask(&job(), "DELETE", "/live", "").0, 405);
    }

    #[test]
    fn failures_have_the_shape_of_all_jobs_and_are_counted() {
        let job = job();
        let perform = |body: &str| ask(&job, "POST", "/api/v1/perform", body);
        assert_eq!(perform(r#"{"want": "panic"}"#), (500, json!({"error": "no way", "type": "Panic"})));
        assert_eq!(perform(r#"{"want": "error"}"#), (500, json!({"error": "not today", "type": "JobError"})));
        let message = "failed to call a function: the arguments must be a JSON object";
        assert_eq!(perform("[1]"), (400, json!({"error": message, "type": "ValueError"})));
        assert_eq!(perform("{").0, 400);
        assert_eq!(perform("{}").0, 200);
        let metrics = job.metrics.render();
        for line in [
            "requests_started_total 5\n",
            "requests_done_total 5\n",
            "request_internal_errors_total{endpoint=\"/perform\"} 2\n",
            "request_duration_bucket{endpoint=\"/perform\",le=\"+Inf\"} 5\n",
            "request_duration_count{endpoint=\"/perform\"} 5\n",
            "# TYPE last_call_timestamp gauge\n",
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
        assert!(!metrics.contains("last_call_timestamp 0.0"), "{metrics}");
    }

    #[test]
    fn the_pages_escape_what_they_are_told() {
        let identity = Identity::read(|_| Some("<b>".to_owned()));
        let page = pages::docs(&identity, &["numbers"]);
        assert!(page.contains("<title>Job - &lt;b&gt;</title>") && !page.contains("<b>"), "{page}");
        assert!(page.contains("{&quot;numbers&quot;:null}"), "{page}");
        assert_eq!(
            pages::openapi(&identity, &["numbers"])["paths"]["/api/v1/perform"]["post"]["requestBody"]["content"]
                ["application/json"]["schema"]["properties"],
            json!({"numbers": {}})
        );
    }
}
