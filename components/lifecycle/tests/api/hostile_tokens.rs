//! Attacks with tokens: forms that are none, tokens for something else, and rights that somebody does not have.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_store::Scope::{
    CallAdminApi, CallJob, DeleteJob, DeployJob, DeployNewFamily, FullAccess, ReadJob,
};
use racetrack_store::{Permission, Subject};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use crate::harness::{Answer, KEY, Server, for_calls, send, settings, signed};

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A call that goes no further than the proxy when it is let in.
const CALL: &str = "/pub/job/adder/1.0.0/perform";

const COMPONENT_TOKEN: &str = "the-secret-of-components-is-long-enough";

/// A token of these texts, signed with a key.
fn forged(header: &str, claims: &str, key: &[u8]) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of HMAC have any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// The same, by HMAC-SHA512.
fn forged_longer(claims: &str) -> String {
    let signed = format!("{}.{}", BASE64.encode(r#"{"alg":"HS512"}"#), BASE64.encode(claims));
    let mut mac = Hmac::<Sha512>::new_from_slice(KEY.as_bytes()).expect("keys of HMAC have any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

async fn show(server: &Server, tokens: &[&[u8]], path: &str) -> Answer {
    let mut request = Request::get(path);
    for token in tokens {
        request = request.header("X-Racetrack-Auth", HeaderValue::from_bytes(token).expect("a value"));
    }
    send(&server.router, request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "it is a table of attacks")]
async fn no_form_of_a_token_lets_anybody_in_but_its_own() {
    let server = Server::start().await;
    let admin = Subject::user("admin");
    let seed = server.app.store.token_for(&admin).await.expect("is there").seed;
    let good = signed(&admin, &seed, KEY);
    server.user("bob", &[]).await;
    let of_bob = server.app.store.token_for(&Subject::user("bob")).await.expect("is there").seed;

    let claims = |subject: &str, kind: &str, more: &str| {
        format!(r#"{{"seed":"{seed}","subject":"{subject}","subject_type":"{kind}"{more}}}"#)
    };
    let own = claims("admin", "user", "");
    let parts: Vec<&str> = good.split('.').collect();
    let [header, body, signature] = parts[..] else { panic!("three parts: {good}") };
    let with_header = |header: &str| forged(header, &own, KEY.as_bytes());
    let unsigned = |header: &str| format!("{}.{body}.", BASE64.encode(header));
    let with_claims = |claims: &str| forged(HEADER, claims, KEY.as_bytes());
    let swapped = |claims: &str| format!("{header}.{}.{signature}", BASE64.encode(claims));
    // The last of 43 characters stands for four bits: the other two have to be zero.
    let mut last_bits = good.clone();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = last_bits.pop().and_then(|last| alphabet.find(last)).expect("is in the alphabet");
    last_bits.push(char::from(alphabet.as_bytes()[last | 1]));

    let attacks: Vec<(&str, String)> = vec![
        ("alg none without a signature", unsigned(r#"{"alg":"none"}"#)),
        ("alg None", unsigned(r#"{"alg":"None"}"#)),
        ("alg NONE", unsigned(r#"{"alg":"NONE"}"#)),
        ("alg none with a signature that is right", with_header(r#"{"alg":"none"}"#)),
        ("alg hs256 in small letters", with_header(r#"{"alg":"hs256"}"#)),
        ("alg HS384", with_header(r#"{"alg":"HS384"}"#)),
        ("alg HS512 signed by it", forged_longer(&own)),
        ("alg RS256 with the key as public key", with_header(r#"{"alg":"RS256"}"#)),
        ("alg ES256", with_header(r#"{"alg":"ES256"}"#)),
        ("alg empty", with_header(r#"{"alg":""}"#)),
        ("alg null", with_header(r#"{"alg":null}"#)),
        ("alg a list", with_header(r#"{"alg":["HS256"]}"#)),
        ("alg a number", with_header(r#"{"alg":256}"#)),
        ("alg twice", with_header(r#"{"alg":"none","alg":"HS256"}"#)),
        ("no alg", with_header("{}")),
        ("header a list", with_header(r#"["none","JWT"]"#)),
        ("header no JSON", with_header("HS256")),
        ("empty key", forged(HEADER, &own, b"")),
        ("weak key", forged(HEADER, &own, b"secret")),
        ("key of zeros", forged(HEADER, &own, &[0; 32])),
        ("half of the key", forged(HEADER, &own, &KEY.as_bytes()[..16])),
        ("key with a line end", forged(HEADER, &own, format!("{KEY}\n").as_bytes())),
        ("no signature", format!("{header}.{body}.")),
        ("signature of zeros", format!("{header}.{body}.{}", BASE64.encode([0; 32]))),
        ("half of the signature", format!("{header}.{body}.{}", &signature[..22])),
        ("signature in the other alphabet with spaces", format!("{header}.{body}. {signature}")),
        ("bits beyond the signature", last_bits),
        ("another subject", swapped(&claims("root", "user", ""))),
        ("another kind of subject", swapped(&claims("admin", "internal", ""))),
        ("scopes put in", swapped(&claims("admin", "user", r#","scopes":["full_access"]"#))),
        ("scopes of others, signed", with_claims(&claims("admin", "user", r#","scopes":["full_access"]"#))),
        ("scopes that are empty, signed", with_claims(&claims("admin", "user", r#","scopes":[]"#))),
        ("seed of another user", with_claims(&own.replace(&seed, &of_bob))),
        ("seed that is empty", with_claims(&own.replace(&seed, ""))),
        ("seed in capitals", with_claims(&own.replace(&seed, &format!("{}X", seed.to_uppercase())))),
        ("seed a list", with_claims(&own.replace(&format!("\"{seed}\""), &format!("[\"{seed}\"]")))),
        ("subject a list", with_claims(&own.replace("\"admin\"", "[\"admin\"]"))),
        ("subject in capitals", with_claims(&claims("Admin", "user", ""))),
        ("subject with a zero byte", with_claims(&claims("admin\\u0000", "user", ""))),
        ("kind in capitals", with_claims(&claims("admin", "USER", ""))),
        ("kind that there is not", with_claims(&claims("admin", "administrator", ""))),
        ("subject twice", with_claims(&claims("admin", "user", r#","subject":"admin""#))),
        ("claim that there is not", with_claims(&claims("admin", "user", r#","admin":true"#))),
        ("exp in the past", with_claims(&claims("admin", "user", r#","exp":1"#))),
        ("exp now", with_claims(&claims("admin", "user", r#","exp":0"#))),
        ("exp negative", with_claims(&claims("admin", "user", r#","exp":-1"#))),
        ("exp a text", with_claims(&claims("admin", "user", r#","exp":"9999999999""#))),
        ("exp beyond numbers", with_claims(&claims("admin", "user", r#","exp":1e300"#))),
        ("exp beyond 64 bits", with_claims(&claims("admin", "user", r#","exp":18446744073709551616"#))),
        ("claims a list", with_claims(&format!("[\"{seed}\",\"admin\",\"user\"]"))),
        ("claims null", with_claims("null")),
        ("claims with a mark before them", with_claims(&format!("\u{feff}{own}"))),
        ("claims of depth", with_claims(&format!("{}{}", "[".repeat(1000), "]".repeat(1000)))),
        ("two parts", format!("{header}.{body}")),
        ("four parts", format!("{good}.{signature}")),
        ("five parts, as if encrypted", format!("{header}.{body}.{body}.{body}.{signature}")),
        ("detached", format!("{header}..{signature}")),
        ("dots alone", "..".to_owned()),
        ("dot before", format!(".{good}")),
        ("dot behind", format!("{good}.")),
        ("Bearer", format!("Bearer {good}")),
        ("quoted", format!("\"{good}\"")),
        ("two in one, with a comma", format!("{good},{good}")),
        ("escaped", good.replace('.', "%2E")),
        ("padding in the middle", format!("{}=.{body}.{signature}", &header[..header.len() - 1])),
        (
            "header in the other alphabet",
            format!("{}.{body}.{signature}", BASE64_STANDARD.encode("\u{fe}{}")),
        ),
        ("oversize", format!("{good}{}", "=".repeat(5000))),
        ("oversize claims", with_claims(&claims(&"x".repeat(9000), "user", ""))),
        ("seed alone", seed.clone()),
        ("key alone", KEY.to_owned()),
    ];
    assert!(attacks.len() > 19, "{}", attacks.len());
    for (name, token) in &attacks {
        let token = token.as_bytes();
        for path in ["/api/v1/job", "/api/v1/users/validate_user_auth", CALL] {
            assert_eq!(show(&server, &[token], path).await.status, 401, "{name}: {path}");
        }
        let in_cookie = Request::get(CALL).header("cookie", [b"X-Racetrack-Auth=", token].concat());
        // Browsers escape what they put into a cookie, and that is taken out of it.
        if *name != "escaped" && *name != "quoted" {
            let answer = send(&server.router, in_cookie.body(Body::empty()).expect("a request")).await;
            assert_eq!(answer.status, 401, "{name}: in a cookie");
        }
    }
    for (name, tokens) in [
        ("bytes that are no text", &[&b"\xff\xfe"[..]][..]),
        ("a wrong one before the right one", &[b"x.y.z", good.as_bytes()]),
    ] {
        assert_eq!(show(&server, tokens, "/api/v1/job").await.status, 401, "{name}");
    }
    // Attacks that are none would prove nothing.
    for token in [&good, &with_claims(&own), &with_header(HEADER)] {
        assert_eq!(show(&server, &[token.as_bytes()], "/api/v1/job").await.status, 200, "{token}");
    }
}

#[tokio::test]
async fn the_token_of_components_and_cookies_open_nothing_else() {
    let server = Server::start_with(LifecycleSettings {
        component_auth_token: Some(COMPONENT_TOKEN.parse().expect("is a token")),
        ..settings()
    })
    .await;
    let body = json!({});
    let of_users = [
        (Method::GET, "/users/validate_user_auth"),
        (Method::GET, "/users/session"),
        (Method::GET, "/users"),
        (Method::PUT, "/users/admin"),
        (Method::DELETE, "/users/admin"),
        (Method::PUT, "/users/change_password"),
        (Method::GET, "/permissions"),
        (Method::POST, "/permissions"),
        (Method::GET, "/escs"),
        (Method::POST, "/escs"),
        (Method::GET, "/job"),
        (Method::GET, "/job/adder/1.0.0"),
        (Method::DELETE, "/job/adder/1.0.0"),
        (Method::GET, "/job/adder/1.0.0/logs"),
        (Method::POST, "/deploy"),
        (Method::PUT, "/maintenance"),
        (Method::GET, "/auth/token/esc/esc"),
        (Method::GET, "/audit/user_events"),
    ];
    for (method, path) in &of_users {
        let answer = server.send(COMPONENT_TOKEN, method.clone(), path, &body).await;
        assert!([401, 404, 405].contains(&answer.status), "{method} {path}: {answer:?}");
        assert_ne!((answer.status, *path), (404, "/job/adder/1.0.0"), "it is there");
    }
    let phase = "/deploy/nothing-there/phase";
    assert_eq!(
        server.put(COMPONENT_TOKEN, phase, &json!({ "phase": "building" })).await.status,
        404,
        "it is good where it should be"
    );
    for (name, token) in [
        ("cut off", &COMPONENT_TOKEN[..COMPONENT_TOKEN.len() - 1]),
        ("longer", &format!("{COMPONENT_TOKEN}x")),
        ("in capitals", &COMPONENT_TOKEN.to_uppercase()),
        ("as another scheme", &format!("Bearer {COMPONENT_TOKEN}")),
        ("the beginning", "t"),
    ] {
        assert_eq!(server.put(token, phase, &json!({ "phase": "x" })).await.status, 401, "{name}");
    }
    assert_eq!(server.call(COMPONENT_TOKEN, Method::GET, CALL).await.status, 401, "calls a job");

    let admin = Subject::user("admin");
    let seed = server.app.store.token_for(&admin).await.expect("is there").seed;
    let (good, for_calls) = (signed(&admin, &seed, KEY), for_calls(&admin, &seed));
    let internal = COMPONENT_TOKEN.to_owned();
    for (name, cookie) in [
        ("the usual one", format!("X-Racetrack-Auth={good}")),
        ("that of a browser", format!("X-Racetrack-Auth={for_calls}")),
        ("small letters", format!("x-racetrack-auth={good}")),
        ("an older name", format!("X-Racetrack-User-Auth={good}")),
        ("the oldest name", format!("X-Racetrack-Esc-Auth={good}")),
        ("quoted", format!("X-Racetrack-Auth=\"{good}\"")),
        ("escaped", format!("X-Racetrack-Auth={}", good.replace('.', "%2E"))),
        ("behind another one", format!("a=b; X-Racetrack-Auth={good}")),
        ("the token of components", format!("X-Racetrack-Auth={internal}")),
        ("twice", format!("X-Racetrack-Auth={good}; X-Racetrack-Auth={good}")),
    ] {
        for (method, path) in &of_users {
            let request = Request::builder()
                .method(method.clone())
                .uri(format!("/api/v1{path}"))
                .header("cookie", &cookie)
                .header("sec-fetch-site", "same-origin")
                .body(Body::from(body.to_string()))
                .expect("a request");
            let answer = send(&server.router, request).await;
            assert!([401, 404, 405].contains(&answer.status), "{name}: {method} {path}: {answer:?}");
        }
    }
    assert_eq!(server.get(&for_calls, "/job").await.status, 401, "a browser's token in a header");
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "it is a table of attacks")]
async fn nobody_does_more_than_their_scopes_and_roles_say() {
    let server = Server::start().await;
    server.esc("esc", &[Permission::everywhere(FullAccess)]).await;
    let family = Subject::job_family("primer");
    server.app.store.grant(&family, &[Permission::for_family(CallJob, "adder")]).await.expect("is granted");
    let of_job = |scope| Permission::for_job(scope, "adder", "1.0.0");
    let endpoint = Permission { endpoint: Some("/open".to_owned()), ..of_job(CallJob) };
    let reader = server.user("reader", &[of_job(ReadJob)]).await;
    let caller = server.user("caller", &[Permission::for_family(CallJob, "adder")]).await;
    let narrow = server.user("narrow", &[endpoint]).await;
    let deployer = server.user("deployer", &[Permission::for_family(DeployJob, "adder")]).await;
    let remover = server.user("remover", &[Permission::for_family(DeleteJob, "primer")]).await;
    let founder = server.user("founder", &[Permission::everywhere(DeployNewFamily)]).await;
    let manager = server.user("manager", &[Permission::everywhere(CallAdminApi)]).await;
    let staff = server.user("staff", &[]).await;
    server.app.store.set_user_flags("staff", true, true).await.expect("is set");
    let nobody = server.user("nobody", &[]).await;
    let job = server.token_of(&family).await;
    let program = server.esc("program", &[of_job(ReadJob)]).await;
    let grant =
        |name: &str, scope: &str| json!({ "subject": { "kind": "user", "name": name }, "scope": scope });
    let flags = json!({ "is_active": true, "is_staff": true });
    let (maintenance, esc) = (json!({ "maintenance_mode": true }), json!({ "name": "mine" }));
    let (phase, warnings) = (json!({ "phase": "x" }), json!([]));
    let open = json!({ "endpoint": "/open", "active": true });

    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let none = Value::Null;
    let attacks: Vec<(&str, &str, &Method, &str, Value)> = vec![
        ("reads another version", &reader, &get, "/job/adder/2.0.0", none.clone()),
        ("reads another version by its alias", &reader, &get, "/job/adder/latest", none.clone()),
        ("reads another family", &reader, &get, "/job/primer/1.0.0", none.clone()),
        ("reads a log of another", &reader, &get, "/job/adder/2.0.0/logs", none.clone()),
        ("reads a build of another", &reader, &get, "/job/primer/1.0.0/build-logs", none.clone()),
        ("a reader deletes", &reader, &delete, "/job/adder/1.0.0", none.clone()),
        ("a reader changes the manifest", &reader, &put, "/job/adder/1.0.0/manifest", none.clone()),
        ("a reader deploys again", &reader, &post, "/job/adder/1.0.0/redeploy", none.clone()),
        ("a reader calls", &reader, &get, "/auth/can-call-job/adder/1.0.0/perform", none.clone()),
        ("a caller reads", &caller, &get, "/job/adder/1.0.0", none.clone()),
        ("a caller reads logs", &caller, &get, "/job/adder/1.0.0/logs", none.clone()),
        (
            "a caller calls another family",
            &caller,
            &get,
            "/auth/can-call-job/primer/1.0.0/perform",
            none.clone(),
        ),
        (
            "a caller of one endpoint calls another",
            &narrow,
            &get,
            "/auth/can-call-job/adder/1.0.0/closed",
            none.clone(),
        ),
        (
            "a caller of one endpoint calls what looks like it",
            &narrow,
            &get,
            "/auth/can-call-job/adder/1.0.0/opened",
            none.clone(),
        ),
        (
            "a caller of one endpoint climbs",
            &narrow,
            &get,
            "/auth/can-call-job/adder/1.0.0/x/../open",
            none.clone(),
        ),
        ("a deployer deletes", &deployer, &delete, "/job/adder/1.0.0", none.clone()),
        ("a deployer moves another family", &deployer, &post, "/job/primer/1.0.0/move", none.clone()),
        ("a deployer opens an endpoint", &deployer, &put, "/job/adder/1.0.0/public-endpoints", open.clone()),
        ("a deployer begins maintenance", &deployer, &put, "/maintenance", maintenance.clone()),
        ("a remover removes another family", &remover, &delete, "/job/adder/1.0.0", none.clone()),
        ("a founder deploys over a family", &founder, &post, "/job/adder/1.0.0/redeploy", none.clone()),
        (
            "a manager takes the token of one who may more",
            &manager,
            &get,
            "/auth/token/esc/esc",
            none.clone(),
        ),
        (
            "a manager gives full_access away",
            &manager,
            &post,
            "/auth/allow/esc/program/job/adder/scope/full_access",
            none.clone(),
        ),
        (
            "a manager gives delete_job away",
            &manager,
            &post,
            "/auth/allow/job_family/primer/job/adder/scope/delete_job",
            none.clone(),
        ),
        ("a manager reads", &manager, &get, "/job/adder/1.0.0", none.clone()),
        ("a manager lists users without being staff", &manager, &get, "/users", none.clone()),
        ("staff without a permission reads", &staff, &get, "/job/adder/1.0.0", none.clone()),
        ("staff gives itself everything", &staff, &post, "/permissions", grant("staff", "full_access")),
        ("staff gives another what it has not", &staff, &post, "/permissions", grant("nobody", "read_job")),
        ("staff sees the token of one who may more", &staff, &get, "/escs/esc/auth_data", none.clone()),
        ("staff makes a token for one who may more", &staff, &post, "/escs/esc/auth_token", none.clone()),
        ("a user makes itself staff", &nobody, &put, "/users/nobody", flags.clone()),
        ("a user gives itself a permission", &nobody, &post, "/permissions", grant("nobody", "read_job")),
        ("a user deletes another", &nobody, &delete, "/users/admin", none.clone()),
        ("a user ends the sessions of another", &nobody, &delete, "/users/admin/sessions/x", none.clone()),
        ("a user makes an ESC", &nobody, &post, "/escs", esc.clone()),
        ("a user runs a plugin", &nobody, &post, "/plugin/x/run", none.clone()),
        ("a user configures a plugin", &nobody, &put, "/plugin/x/1.0.0/config", none.clone()),
        ("a job reads the one that it may call", &job, &get, "/job/adder/1.0.0", none.clone()),
        ("a job reads itself", &job, &get, "/job/primer/1.0.0/logs", none.clone()),
        ("a job is a user", &job, &get, "/users/validate_user_auth", none.clone()),
        ("a job changes a password", &job, &put, "/users/change_password", none.clone()),
        ("an ESC is a user", &program, &get, "/users/session", none.clone()),
        ("an ESC is a component", &program, &put, "/deploy/x/phase", phase.clone()),
        ("a user is a component", &nobody, &put, "/deploy/x/warnings", warnings.clone()),
        ("a name of another case", &reader, &get, "/job/ADDER/1.0.0", none.clone()),
        ("a name that is a pattern", &reader, &get, "/job/%25/1.0.0", none.clone()),
        ("a version that is a pattern", &reader, &get, "/job/adder/%2A", none.clone()),
    ];
    assert!(attacks.len() > 12, "{}", attacks.len());
    for (name, token, method, path, body) in &attacks {
        let answer = server.send(token, (*method).clone(), path, body).await;
        assert!([401, 404, 405].contains(&answer.status), "{name}: {answer:?}");
    }
    for list in ["/deploy", "/audit/events", "/audit/user_events"] {
        let shown = server.get(&nobody, list).await.ok();
        assert_eq!(shown, json!([]), "{list} shows something to nobody in particular");
    }
}
