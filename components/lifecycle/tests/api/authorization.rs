//! Who is let in where: every route against every kind of caller. Routes that are added are covered as they are listed.

use std::collections::BTreeSet;

use axum::http::Method;
use racetrack_lifecycle::auth::Access;
use racetrack_lifecycle::router::route_list;
use racetrack_lifecycle::routes::Route;
use racetrack_store::{Permission, Scope, StoreError, Subject};
use serde_json::Value;

use crate::harness::{Answer, KEY, Server, internal_token, signed};

/// The routes that are not of the API. They ask for no token, and show nothing that needs one.
const BESIDE_THE_API: [&str; 9] = [
    "/docs",
    "/health",
    "/live",
    "/metrics",
    "/openapi.json",
    "/ready",
    "/socket.io",
    "/socket.io/",
    "/websocket/events",
];

/// Calls of jobs, which ask for what `may_call` says.
const CALLS: [&str; 3] =
    ["/pub/job/{name}/{version}", "/pub/job/{name}/{version}/", "/pub/job/{name}/{version}/{*path}"];

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
    EscWithoutPermission, Expired, JobFamilyWithScopeForJob, NoToken, Nothing, OfAnotherSubject,
    OfInactiveUser, PartOfRacetrack, PartOfRacetrackWithScope, Revoked, UserWithFullAccess,
    UserWithOtherScopes, UserWithScopeEverywhere, UserWithScopeForJob, UserWithScopeForOtherJob,
    UserWithScopeForOtherVersion, UserWithoutPermission, WrongSignature,
};

/// Whoever is not known.
const UNKNOWN: [Shown; 7] =
    [Nothing, NoToken, WrongSignature, Expired, Revoked, OfInactiveUser, OfAnotherSubject];

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
            Access::Open => true,
            _ if UNKNOWN.contains(&self) => false,
            Access::Authenticated => true,
            Access::User => USERS.contains(&self),
            Access::Staff => [AdministratorWithoutPermission, AdministratorWithFullAccess].contains(&self),
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
    assert!(routes.len() > 70, "{}", routes.len());
    for route in &routes {
        for shown in UNKNOWN.into_iter().chain(USERS).chain(PROGRAMS) {
            let answer = ask(&server, route, shown).await;
            check(route, shown, &answer);
        }
    }
}

#[tokio::test]
async fn calls_of_jobs_let_in_whom_they_say_and_nobody_else() {
    let server = Server::start().await;
    for path in CALLS.map(call_path) {
        for shown in UNKNOWN.into_iter().chain(USERS).chain(PROGRAMS) {
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
    for route in &route_list(&server.app) {
        let answer = ask(&server, route, AdministratorWithFullAccess).await;
        let is_closed = route.is_closed_in_maintenance || route.access == Access::Call;
        assert_eq!(answer.status == 503, is_closed, "{route:?}: {answer:?}");
    }
    let token = server.admin().await;
    for path in CALLS.map(call_path) {
        assert_eq!(server.call(&token, Method::GET, &path).await.status, 503, "{path}");
    }
}

#[tokio::test]
async fn no_route_is_outside_the_list() {
    let server = Server::start().await;
    let listed: BTreeSet<_> =
        route_list(&server.app).into_iter().map(|route| (route.method, route.path)).collect();
    let document = server.get_from_root("/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("are there");
    let documented: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("is an object").keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    assert_eq!(listed, documented);

    let paths_below = |prefix: &str| {
        let api = listed.iter().map(|(_, path)| format!("/api/v1{}", path.replace("/{path}", "/{*path}")));
        let paths = api.chain(BESIDE_THE_API.map(str::to_owned));
        paths.map(|path| format!("{prefix}{path}")).collect::<BTreeSet<_>>()
    };
    // A router lists its paths in its debug form, and nowhere else.
    let debug = format!("{:?}", server.router);
    let matched = debug.split('"').filter(|text| text.starts_with('/')).map(str::to_owned);
    let matched: BTreeSet<_> = matched.collect();
    let expected = &paths_below("") | &paths_below("/lifecycle");
    let beside = FALLBACK.into_iter().chain(CALLS).map(str::to_owned);
    assert_eq!(&matched ^ &expected, beside.collect());
}

async fn ask(server: &Server, route: &Route, shown: Shown) -> Answer {
    server.save_jobs().await;
    let scope = match route.access {
        Access::Anywhere(scope) | Access::Everywhere(scope) | Access::Job(scope) | Access::Build(scope) => {
            scope
        }
        Access::Handler | Access::Call => Scope::CallJob,
        _ => Scope::ReadJob,
    };
    let token = shown.token(server, scope).await;
    let method: Method = route.method.parse().expect("is a method");
    let answer = server.send(&token, method, &path_of(route), &Value::Null).await;
    forget_caller(server).await;
    answer
}

fn check(route: &Route, shown: Shown, answer: &Answer) {
    let Route { method, path, access, .. } = route;
    let error = if answer.status < 400 { Value::Null } else { answer.json() };
    let context = format!("{method} {path} asks for {access:?}, and is shown {shown:?}: {answer:?}");
    if shown.opens(*access) {
        assert!(![401, 405].contains(&answer.status), "{context}");
        assert_ne!(error["type"], "InternalError", "{context}");
        assert!(!error["error"].as_str().unwrap_or_default().starts_with("no such endpoint"), "{context}");
    } else {
        assert_eq!((answer.status, &error["type"]), (401, &"UnauthorizedError".into()), "{context}");
    }
}

/// The path with the first job for its parameters. The rest of them means nothing that is there.
fn path_of(route: &Route) -> String {
    filled_in(&route.path)
}

/// The path of a call of the first job.
fn call_path(path: &str) -> String {
    filled_in(&path.replace("{*path}", "{path}"))
}

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
