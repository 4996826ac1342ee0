//! Who is let in where: every route against every kind of caller. Routes that are added are covered as they are listed.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use racetrack_core::{Job, JobStatus};
use racetrack_lifecycle::auth::Access;
use racetrack_lifecycle::router::route_list;
use racetrack_lifecycle::routes::{ANY_METHOD, Route};
use racetrack_store::{
    AuditEventType, DeploymentOutcome, NewAuditEvent, NewDeployment, Permission, Scope, StoreError, Subject,
};
use serde_json::Value;

use crate::harness::{Answer, KEY, Server, for_calls, internal_token, send, signed};

/// How a router matches what no route matches.
const FALLBACK: [&str; 2] = ["/", "/{*__private__axum_fallback}"];

/// What a caller shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    NoToken,
    WrongSignature,
    Expired,
    Revoked,
    OfInactiveUser,
    OfAnotherSubject,
    ForCallsOnly,
    OfDeletedJobs,
    UserWithoutPermission,
    UserWithOtherScopes,
    UserWithScopeForJob,
    UserWithScopeForOtherVersion,
    UserWithScopeForOtherJob,
    UserWithScopeEverywhere,
    UserWithFullAccess,
    AdministratorWithoutPermission,
    AdministratorWithFullAccess,
    EscWithoutPermission,
    EscWithScopeForJob,
    EscWithScopeEverywhere,
    JobFamilyWithScopeForJob,
    PartOfRacetrack,
    PartOfRacetrackWithScope,
}

use Shown::{
    AdministratorWithFullAccess, AdministratorWithoutPermission, EscWithScopeEverywhere, EscWithScopeForJob,
    EscWithoutPermission, Expired, ForCallsOnly, JobFamilyWithScopeForJob, NoToken, Nothing,
    OfAnotherSubject, OfDeletedJobs, OfInactiveUser, PartOfRacetrack, PartOfRacetrackWithScope, Revoked,
    UserWithFullAccess, UserWithOtherScopes, UserWithScopeEverywhere, UserWithScopeForJob,
    UserWithScopeForOtherJob, UserWithScopeForOtherVersion, UserWithoutPermission, WrongSignature,
};

/// Whoever is not known.
const UNKNOWN: [Shown; 8] =
    [Nothing, NoToken, WrongSignature, Expired, Revoked, OfInactiveUser, OfAnotherSubject, OfDeletedJobs];

const USERS: [Shown; 9] = [
    UserWithoutPermission,
    UserWithOtherScopes,
    UserWithScopeForJob,
    UserWithScopeForOtherVersion,
    UserWithScopeForOtherJob,
    UserWithScopeEverywhere,
    UserWithFullAccess,
    AdministratorWithoutPermission,
    AdministratorWithFullAccess,
];

const PROGRAMS: [Shown; 6] = [
    EscWithoutPermission,
    EscWithScopeForJob,
    EscWithScopeEverywhere,
    JobFamilyWithScopeForJob,
    PartOfRacetrack,
    PartOfRacetrackWithScope,
];

impl Shown {
    /// Whether this lets a caller in.
    fn opens(self, access: Access) -> bool {
        let has_scope_everywhere = [
            UserWithScopeEverywhere,
            UserWithFullAccess,
            AdministratorWithFullAccess,
            EscWithScopeEverywhere,
            PartOfRacetrackWithScope,
        ]
        .contains(&self);
        let has_scope_for_job = has_scope_everywhere
            || [UserWithScopeForJob, EscWithScopeForJob, JobFamilyWithScopeForJob].contains(&self);
        let has_scope_for_other_job =
            [UserWithScopeForOtherVersion, UserWithScopeForOtherJob].contains(&self);
        match access {
            // A log is not asked for by a mere request.
            Access::Open | Access::Follow => true,
            Access::Call if self == ForCallsOnly => true,
            _ if self == ForCallsOnly => false,
            _ if UNKNOWN.contains(&self) => false,
            Access::Authenticated | Access::Filtered(_) | Access::Listen => true,
            // One of the other scopes is that for the first job of a family.
            Access::Manifest => has_scope_for_job || has_scope_for_other_job || self == UserWithOtherScopes,
            Access::User | Access::FilteredForUsers(_) => USERS.contains(&self),
            Access::Staff => [AdministratorWithoutPermission, AdministratorWithFullAccess].contains(&self),
            Access::StaffWith(_) => self == AdministratorWithFullAccess,
            Access::Internal => [PartOfRacetrack, PartOfRacetrackWithScope].contains(&self),
            Access::Anywhere(_) => has_scope_for_job || has_scope_for_other_job,
            Access::Everywhere(_) => has_scope_everywhere,
            Access::Job(_) | Access::Build(_) | Access::Handler | Access::Call => has_scope_for_job,
        }
    }

    /// The token of this caller where the scope is asked for.
    async fn token(self, server: &Server, scope: Scope) -> String {
        let permissions = match self {
            UserWithOtherScopes => {
                let others = Scope::ALL.into_iter().filter(|other| !other.implies(scope));
                others.map(Permission::everywhere).collect()
            }
            UserWithScopeForJob | EscWithScopeForJob | JobFamilyWithScopeForJob => {
                vec![Permission::for_job(scope, "adder", "1.0.0")]
            }
            UserWithScopeForOtherVersion => vec![Permission::for_job(scope, "adder", "2.0.0")],
            UserWithScopeForOtherJob => vec![Permission::for_family(scope, "primer")],
            UserWithScopeEverywhere | EscWithScopeEverywhere => vec![Permission::everywhere(scope)],
            UserWithoutPermission | AdministratorWithoutPermission | EscWithoutPermission => Vec::new(),
            // Whoever is unknown could do everything.
            _ => vec![Permission::everywhere(Scope::FullAccess)],
        };
        let store = &server.app.store;
        match self {
            Nothing => String::new(),
            NoToken => "let me in".to_owned(),
            PartOfRacetrack => internal_token(&[]),
            PartOfRacetrackWithScope => internal_token(&[scope]),
            EscWithoutPermission | EscWithScopeForJob | EscWithScopeEverywhere => {
                server.esc("caller", &permissions).await
            }
            OfDeletedJobs => {
                let family = Subject::job_family("gone");
                let job = Job::new("gone", "1.0.0", JobStatus::Running, 0);
                store.save_job(&job, &[]).await.expect("is saved");
                store.grant(&family, &permissions).await.expect("is granted");
                let token = server.token_of(&family).await;
                store.delete_job("gone", "1.0.0", None, 0).await.expect("is deleted");
                token
            }
            JobFamilyWithScopeForJob => {
                let family = Subject::job_family("primer");
                store.grant(&family, &permissions).await.expect("is granted");
                server.token_of(&family).await
            }
            _ => {
                let user = Subject::user("caller");
                let good = server.user("caller", &permissions).await;
                let is_staff = !USERS.contains(&self)
                    || [AdministratorWithoutPermission, AdministratorWithFullAccess].contains(&self);
                store.set_user_flags("caller", self != OfInactiveUser, is_staff).await.expect("is set");
                let seed = store.token_for(&user).await.expect("is there").seed;
                match self {
                    WrongSignature => signed(&user, &seed, "another key that is as long as it gets"),
                    Expired => {
                        let expired = store.create_token(&user, Some(1)).await.expect("is made");
                        signed(&user, &expired.seed, KEY)
                    }
                    Revoked => {
                        let token = store.tokens_of(&user).await.expect("are there").remove(0);
                        store.revoke_token(&user, &token.id).await.expect("is revoked");
                        good
                    }
                    ForCallsOnly => for_calls(&user, &seed),
                    OfAnotherSubject => signed(&Subject::user("admin"), &seed, KEY),
                    _ => good,
                }
            }
        }
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_says_and_nobody_else() {
    let server = Server::start().await;
    let routes = route_list(&server.app);
    assert!(routes.len() > 90, "{}", routes.len());
    for route in routes.iter().filter(|route| route.method != ANY_METHOD) {
        for shown in callers() {
            let answer = ask(&server, route, shown).await;
            check(route, shown, &answer);
        }
    }
}

#[tokio::test]
async fn calls_of_jobs_let_in_whom_they_say_and_nobody_else() {
    let server = Server::start().await;
    for path in calls(&server) {
        for shown in callers() {
            let token = shown.token(&server, Scope::CallJob).await;
            for method in [Method::GET, Method::POST] {
                let answer = server.call(&token, method.clone(), &path).await;
                let context = format!("{method} {path} is shown {shown:?}: {answer:?}");
                let error = answer.json()["error"].as_str().expect("is a text").to_owned();
                // The job has no replica: a call that is let in goes no further than the proxy.
                let (status, text) = if shown.opens(Access::Call) {
                    (502, "Reverse proxy error: the job has no replica")
                } else {
                    (401, "Proxy request error: Unauth")
                };
                assert!(answer.status == status && error.starts_with(text), "{context}");
            }
            forget_caller(&server).await;
        }
    }
}

#[tokio::test]
async fn what_changes_something_is_closed_in_maintenance() {
    let server = Server::start().await;
    server.app.store.set_maintenance(true).await.expect("is set");
    for route in route_list(&server.app).iter().filter(|route| route.method != ANY_METHOD) {
        let answer = ask(&server, route, AdministratorWithFullAccess).await;
        let is_closed = route.is_closed_in_maintenance || route.access == Access::Call;
        // This lifecycle never began to serve.
        let is_unready = route.path == "/ready";
        assert_eq!(answer.status == 503, is_closed || is_unready, "{route:?}: {answer:?}");
    }
    let token = server.admin().await;
    for path in calls(&server) {
        assert_eq!(server.call(&token, Method::GET, &path).await.status, 503, "{path}");
    }
}

#[tokio::test]
async fn no_route_is_outside_the_list() {
    let server = Server::start().await;
    let routes = route_list(&server.app);
    let of_api = routes
        .iter()
        .filter_map(|route| Some((route.method.clone(), route.path.strip_prefix("/api/v1")?.to_owned())));
    let of_api: BTreeSet<_> = of_api.collect();
    let document = server.get_from_root("/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("are there");
    let documented: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("is an object").keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    assert_eq!(of_api, documented);

    // A router lists its paths in its debug form, and nowhere else.
    let debug = format!("{:?}", server.router);
    let matched = debug.split('"').filter(|text| text.starts_with('/')).map(str::to_owned);
    let mut matched: BTreeSet<_> = matched.collect();
    for path in FALLBACK {
        assert!(matched.remove(path), "{path}");
    }
    let listed = routes.iter().flat_map(|route| {
        let path = route.path.replace("/{path}", "/{*path}");
        let below = route.is_below_lifecycle.then(|| format!("/lifecycle{path}"));
        [Some(path), below].into_iter().flatten()
    });
    assert_eq!(matched, listed.collect());
    for (method, path, access) in [
        ("GET", "/docs", Access::Open),
        ("GET", "/health", Access::Open),
        ("GET", "/metrics", Access::Open),
        ("GET", "/openapi.json", Access::Open),
        ("GET", "/websocket/events", Access::Listen),
        ("GET", "/socket.io/", Access::Follow),
        ("POST", "/socket.io/", Access::Follow),
        (ANY_METHOD, "/pub/job/{name}/{version}/{*path}", Access::Call),
    ] {
        let found =
            routes.iter().find(|route| (route.method.as_str(), route.path.as_str()) == (method, path));
        assert_eq!(found.map(|route| route.access), Some(access), "{method} {path}");
    }
}

#[tokio::test]
async fn to_be_known_is_not_enough_for_what_is_about_jobs() {
    let server = Server::start().await;
    let routes = route_list(&server.app);
    let about_jobs: Vec<_> = routes.iter().filter(|route| route.is_about_jobs()).collect();
    for path in ["/api/v1/deploy", "/api/v1/audit/events", "/api/v1/job/{name}/{version}", "/socket.io/"] {
        assert!(about_jobs.iter().any(|route| route.path == path), "{path}");
    }
    for route in about_jobs {
        let is_enough =
            matches!(route.access, Access::Open | Access::Authenticated | Access::User | Access::Staff);
        assert!(!is_enough, "{route:?}");
    }
}

#[tokio::test]
async fn lists_show_what_the_caller_may_read_or_did_and_nothing_else() {
    let server = Server::start().await;
    let store = &server.app.store;
    let mut ids = Vec::new();
    for (version, by) in [("1.0.0", "somebody"), ("2.0.0", "caller")] {
        let deployment = NewDeployment {
            job_name: "adder".to_owned(),
            job_version: version.to_owned(),
            manifest_yaml: format!("name: adder\nruntime_env: {{COLOR: red-{version}}}\n"),
            infrastructure_target: None,
            deployed_by: Some(by.to_owned()),
            image_name: None,
        };
        let id = store.claim_deployment(&deployment).await.expect("is claimed").id;
        store.finish_deployment(&id, &DeploymentOutcome::Done).await.expect("ends");
        ids.push(id);
        let mut event = NewAuditEvent::new(AuditEventType::JobDeployed);
        event.username_executor = Some(by.to_owned());
        (event.job_name, event.job_version) = (Some("adder".to_owned()), Some(version.to_owned()));
        store.add_audit_event(&event).await.expect("is added");
    }
    let is_filtered =
        |route: &&Route| matches!(route.access, Access::Filtered(_) | Access::FilteredForUsers(_));
    let routes = route_list(&server.app);
    assert_eq!(routes.iter().filter(is_filtered).count(), 9);
    for route in routes.iter().filter(is_filtered) {
        for shown in callers().filter(|shown| shown.opens(route.access)) {
            for (version, id) in [("1.0.0", &ids[0]), ("2.0.0", &ids[1])] {
                let token = shown.token(&server, Scope::ReadJob).await;
                let path = filled_in(&route.path.replace("{id}", id).replace("{version}", version));
                let answer = server.send_to_root(&token, Method::GET, &path, Body::empty()).await;
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                forget_caller(&server).await;
                let may_read = shown.opens(Access::Job(Scope::ReadJob));
                let may_read_other = shown == UserWithScopeForOtherVersion;
                let is_readable = if version == "1.0.0" {
                    may_read
                } else {
                    may_read && shown.opens(Access::Everywhere(Scope::ReadJob)) || may_read_other
                };
                let is_own = version == "2.0.0" && USERS.contains(&shown);
                let is_shown = text.contains(&format!("\"job_version\":\"{version}\""));
                let is_asked_for = answer.status == 200;
                let context = format!("{route:?} is shown {shown:?} for {version}: {answer:?}");
                if is_readable && !route.path.contains("/user_events") || is_own {
                    assert!(is_shown && is_asked_for, "{context}");
                } else {
                    assert!(!is_shown && !text.contains(&format!("red-{version}")), "{context}");
                }
            }
        }
    }
}

/// Every kind of caller.
fn callers() -> impl Iterator<Item = Shown> {
    UNKNOWN.into_iter().chain([ForCallsOnly]).chain(USERS).chain(PROGRAMS)
}

/// The paths of calls of the first job.
fn calls(server: &Server) -> Vec<String> {
    let routes = route_list(&server.app);
    let calls = routes.iter().filter(|route| route.method == ANY_METHOD);
    calls.map(|route| filled_in(&route.path.replace("{*path}", "{path}"))).collect()
}

async fn ask(server: &Server, route: &Route, shown: Shown) -> Answer {
    server.save_jobs().await;
    let scope = match route.access {
        Access::Anywhere(scope)
        | Access::Everywhere(scope)
        | Access::StaffWith(scope)
        | Access::Filtered(scope)
        | Access::FilteredForUsers(scope)
        | Access::Job(scope)
        | Access::Build(scope) => scope,
        Access::Handler | Access::Call => Scope::CallJob,
        Access::Manifest => Scope::DeployJob,
        _ => Scope::ReadJob,
    };
    let token = shown.token(server, scope).await;
    let method: Method = route.method.parse().expect("is a method");
    let answer = if route.access == Access::Listen {
        listen(server, &route.path, &token).await
    } else {
        // What a caller gives away has to be the caller's.
        let path = filled_in(&route.path.replace("{scope}", scope.as_str()));
        server.send_to_root(&token, method, &path, Body::empty()).await
    };
    forget_caller(server).await;
    answer
}

fn check(route: &Route, shown: Shown, answer: &Answer) {
    let Route { method, path, access, .. } = route;
    // What answers for Socket.IO has errors of its own.
    let has_envelope = answer.status >= 400 && *access != Access::Follow;
    let error = if has_envelope { answer.json() } else { Value::Null };
    let context = format!("{method} {path} asks for {access:?}, and is shown {shown:?}: {answer:?}");
    if shown.opens(*access) {
        assert!(![401, 405].contains(&answer.status), "{context}");
        assert_ne!(error["type"], "InternalError", "{context}");
        assert!(!error["error"].as_str().unwrap_or_default().starts_with("no such endpoint"), "{context}");
    } else {
        assert_eq!((answer.status, &error["type"]), (401, &"UnauthorizedError".into()), "{context}");
    }
}

/// Asks for a WebSocket. In this process there is no connection to make one of.
async fn listen(server: &Server, path: &str, token: &str) -> Answer {
    let request = Request::get(path).header("X-Racetrack-Auth", token);
    send(&server.router, request.body(Body::empty()).expect("a request")).await
}

/// The path with the first job for its parameters. The rest of them means nothing that is there.
fn filled_in(path: &str) -> String {
    let value = |segment: &str| match segment {
        "{name}" => "adder".to_owned(),
        "{version}" => "1.0.0".to_owned(),
        "{scope}" => Scope::CallJob.to_string(),
        _ if segment.starts_with('{') => "nothing-there".to_owned(),
        _ => segment.to_owned(),
    };
    path.split('/').map(value).collect::<Vec<_>>().join("/")
}

async fn forget_caller(server: &Server) {
    let store = &server.app.store;
    let family = Subject::job_family("primer");
    for scope in Scope::ALL {
        let permission = Permission::for_job(scope, "adder", "1.0.0");
        match store.revoke(&family, &permission).await {
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    for outcome in [store.delete_user("caller").await, store.delete_esc("caller").await] {
        assert!(matches!(outcome, Ok(()) | Err(StoreError::NotFound(_))), "{outcome:?}");
    }
}
