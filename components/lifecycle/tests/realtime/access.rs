//! Who is told what lifecycle tells of its own accord, and for how long.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::Method;
use racetrack_core::{Job, JobStatus};
use racetrack_lifecycle::auth::LiveLogs;
use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_store::Scope::{CallJob, ReadJob};
use racetrack_store::{Permission, Subject};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::guarded_server::{GuardedServer, signed};
use crate::polling_client::PollingClient;
use crate::soon;
use crate::websocket_client::WebSocketClient;

const AUTH: &str = "x-racetrack-auth";

const NO_TOKEN: &str = "Unauthenticated: no token is shown in the header X-Racetrack-Auth";

/// Another address of this machine.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A client that shows these headers, and asks for the log of a version.
async fn subscribed(
    server: &GuardedServer,
    from: Option<IpAddr>,
    headers: &[(&str, &str)],
    auth: &str,
    version: &str,
) -> PollingClient {
    let mut client = PollingClient::open_from(from, server.address, "/lifecycle/socket.io/", headers).await;
    client.enter(auth).await;
    client.subscribe("adder", version).await;
    client
}

/// Takes what a client hears that is let in.
async fn follows(client: &mut PollingClient, version: &str) {
    let id = format!("{}_adder_{version}", client.id);
    let number = client.subscribed(&id, &format!("hello from adder {version}")).await;
    client.acknowledge(&number).await;
}

/// Takes what a client hears that is refused.
async fn is_refused(client: &mut PollingClient, reason: &str) {
    assert_eq!(client.next().await, "431[null]", "{reason}");
    client.line(&format!("The logs cannot be followed: {reason}")).await;
}

/// Asks for a job as the client of the command line does.
async fn ask_for_job(
    server: &GuardedServer,
    from: Option<IpAddr>,
    token: &str,
    more: &[(&str, &str)],
) -> u16 {
    let headers = [&[(AUTH, token)], more].concat();
    server.send(from, Method::GET, "/lifecycle/api/v1/job/adder/2.0.0", &headers).await.0
}

fn settings(live_logs: LiveLogs) -> LifecycleSettings {
    LifecycleSettings { live_logs: Some(live_logs), ..LifecycleSettings::default() }
}

#[tokio::test]
async fn logs_are_followed_with_a_token_that_may_read_the_job() {
    let server = GuardedServer::start_with(settings(LiveLogs::Token)).await;
    let reader = server.user("reader", &[Permission::for_job(ReadJob, "adder", "2.0.0")]).await;
    let caller = server.user("caller", &[Permission::everywhere(CallJob)]).await;
    let in_auth = |token: &str| json!({ "token": token }).to_string();
    follows(&mut subscribed(&server, None, &[(AUTH, &reader)], "{}", "2.0.0").await, "2.0.0").await;
    follows(&mut subscribed(&server, None, &[], &in_auth(&reader), "latest").await, "2.0.0").await;

    for (token, version) in [(&caller, "2.0.0"), (&reader, "1.0.0"), (&"no.token.0".to_owned(), "2.0.0")] {
        let path = format!("/api/v1/job/adder/{version}/logs");
        let (status, _, body) = server.send(None, Method::GET, &path, &[(AUTH, token)]).await;
        assert_eq!(status, 401);
        let reason = body["error"].as_str().expect("is a text");
        is_refused(&mut subscribed(&server, None, &[(AUTH, token)], "{}", version).await, reason).await;
        is_refused(&mut subscribed(&server, None, &[], &in_auth(token), version).await, reason).await;
    }
    for version in ["2.0.0", "9.9.9"] {
        is_refused(&mut subscribed(&server, None, &[], "{}", version).await, NO_TOKEN).await;
    }
    assert_eq!(ask_for_job(&server, None, &reader, &[]).await, 200);
    is_refused(&mut subscribed(&server, None, &[], "{}", "2.0.0").await, NO_TOKEN).await;
}

#[tokio::test]
async fn without_a_token_a_log_is_followed_once_by_whoever_has_just_asked_for_the_job() {
    let server = GuardedServer::start().await;
    let reader = server.user("reader", &[Permission::everywhere(ReadJob)]).await;
    let caller = server.user("caller", &[Permission::everywhere(CallJob)]).await;
    is_refused(&mut subscribed(&server, None, &[], "{}", "2.0.0").await, NO_TOKEN).await;

    // What does not count: a token that may not read it, another address, another version, a page in a browser.
    assert_eq!(ask_for_job(&server, None, &caller, &[]).await, 401);
    assert_eq!(ask_for_job(&server, Some(ELSEWHERE), &reader, &[]).await, 200);
    assert_eq!(
        ask_for_job(&server, Some(ELSEWHERE), &reader, &[("x-forwarded-for", "127.0.0.1")]).await,
        200
    );
    assert_eq!(ask_for_job(&server, None, &reader, &[("origin", "http://dashboard.example")]).await, 200);
    assert_eq!(ask_for_job(&server, None, &reader, &[("sec-fetch-site", "cross-site")]).await, 200);
    let (status, ..) = server.send(None, Method::GET, "/api/v1/job/adder/1.0.0", &[(AUTH, &reader)]).await;
    assert_eq!(status, 200);
    is_refused(&mut subscribed(&server, None, &[], "{}", "2.0.0").await, NO_TOKEN).await;

    assert_eq!(ask_for_job(&server, None, &reader, &[]).await, 200);
    is_refused(&mut subscribed(&server, None, &[], "{}", "9.9.9").await, NO_TOKEN).await;
    let odd = [(AUTH, "no.token.0")];
    let mut client = subscribed(&server, None, &odd, "{}", "2.0.0").await;
    assert_eq!(client.next().await, "431[null]", "a token that is shown has to be good");
    follows(&mut subscribed(&server, None, &[], "{}", "2.0.0").await, "2.0.0").await;
    is_refused(&mut subscribed(&server, None, &[], "{}", "2.0.0").await, NO_TOKEN).await;
    follows(&mut subscribed(&server, Some(ELSEWHERE), &[], "{}", "2.0.0").await, "2.0.0").await;
}

#[tokio::test]
async fn a_trusted_proxy_says_who_asked() {
    let proxies = "127.0.0.2".parse().expect("an address");
    let server = GuardedServer::start_behind(proxies, LifecycleSettings::default()).await;
    let reader = server.user("reader", &[Permission::everywhere(ReadJob)]).await;
    let through_proxy = [("x-forwarded-for", "192.0.2.1")];
    assert_eq!(ask_for_job(&server, Some(ELSEWHERE), &reader, &through_proxy).await, 200);
    for (from, headers) in [
        (Some(ELSEWHERE), &[("x-forwarded-for", "192.0.2.2")][..]),
        (Some(ELSEWHERE), &[]),
        (None, &through_proxy),
    ] {
        is_refused(&mut subscribed(&server, from, headers, "{}", "2.0.0").await, NO_TOKEN).await;
    }
    follows(&mut subscribed(&server, Some(ELSEWHERE), &through_proxy, "{}", "2.0.0").await, "2.0.0").await;
}

#[tokio::test]
async fn logs_are_open_where_a_setting_says_so() {
    let server = GuardedServer::start_with(settings(LiveLogs::Open)).await;
    follows(&mut subscribed(&server, None, &[], "{}", "2.0.0").await, "2.0.0").await;
    let caller = server.user("caller", &[Permission::everywhere(CallJob)]).await;
    let mut client = subscribed(&server, None, &[(AUTH, &caller)], "{}", "2.0.0").await;
    assert_eq!(client.next().await, "431[null]", "a token that is shown counts");
}

#[tokio::test]
async fn pages_of_strangers_are_told_nothing() {
    let server = GuardedServer::start().await;
    let reader = server.user("reader", &[Permission::everywhere(ReadJob)]).await;
    for path in ["/socket.io/?EIO=4&transport=polling", "/lifecycle/socket.io/?EIO=4&transport=polling"] {
        for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
            for method in [Method::GET, Method::POST, Method::OPTIONS] {
                let headers = [("origin", origin), ("access-control-request-method", "POST")];
                let (status, headers, _) = server.send(None, method.clone(), path, &headers).await;
                assert_eq!(status, 401, "{method} {path} {origin}");
                assert!(!headers.contains_key("access-control-allow-origin"), "{method} {path} {origin}");
            }
        }
        let (status, headers, _) = server.send(None, Method::GET, path, &[]).await;
        assert_eq!(status, 200);
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
    let path = "/socket.io/?EIO=4&transport=websocket";
    let stranger = [("origin", "https://evil.example"), (AUTH, reader.as_str())];
    assert_eq!(WebSocketClient::try_connect(server.address, path, &stranger).await.err(), Some(401));
    let own = format!("http://{}", server.address);
    assert!(WebSocketClient::try_connect(server.address, path, &[("origin", &own)]).await.is_ok());
    let events = "/websocket/events";
    assert_eq!(WebSocketClient::try_connect(server.address, events, &stranger).await.err(), Some(401));
}

#[tokio::test]
async fn events_are_for_those_who_are_known() {
    let server = GuardedServer::start().await;
    let token = server.user("bob", &[]).await;
    for path in ["/websocket/events", "/lifecycle/websocket/events"] {
        for headers in [&[][..], &[(AUTH, "no.token.0")], &[("sec-websocket-protocol", "racetrack.events")]] {
            let refused = WebSocketClient::try_connect(server.address, path, headers).await.err();
            assert_eq!(refused, Some(401), "{path} {headers:?}");
        }
        let in_protocol = format!("racetrack.events, racetrack.token.{token}");
        let in_protocol = [("sec-websocket-protocol", in_protocol.as_str())];
        let connected = WebSocketClient::try_connect(server.address, path, &in_protocol).await;
        assert_eq!(connected.ok().and_then(|(_, protocol)| protocol).as_deref(), Some("racetrack.events"));
        let connected = WebSocketClient::try_connect(server.address, path, &[(AUTH, &token)]).await;
        let (mut client, _) = connected.expect("is known");
        client.send(Message::Ping("here".into())).await;
        assert_eq!(client.next().await, Some(Message::Pong("here".into())));
        let job = Job::new("adder", "3.0.0", JobStatus::Running, 0);
        server.store.save_job(&job, &[]).await.expect("is saved");
        assert_eq!(client.text().await, r#"{"event":"job_models_changed"}"#, "no word of which job");
    }
}

#[tokio::test]
async fn what_lasts_ends_when_its_user_is_not_let_in_any_more() {
    let server = GuardedServer::start().await;
    let token = server.user("bob", &[Permission::everywhere(ReadJob)]).await;
    let mut shown = subscribed(&server, None, &[(AUTH, &token)], "{}", "2.0.0").await;
    follows(&mut shown, "2.0.0").await;
    assert_eq!(ask_for_job(&server, None, &token, &[]).await, 200);
    let mut recent = subscribed(&server, None, &[], "{}", "2.0.0").await;
    follows(&mut recent, "2.0.0").await;
    let path = "/websocket/events";
    let (mut events, _) =
        WebSocketClient::try_connect(server.address, path, &[(AUTH, &token)]).await.expect("is known");

    // Of no concern to them.
    server.user("alice", &[]).await;
    events.send(Message::Ping("here".into())).await;
    assert_eq!(events.next().await, Some(Message::Pong("here".into())));
    server.store.set_user_flags("bob", false, false).await.expect("is set");
    assert_eq!(shown.next().await, "41");
    assert_eq!(recent.next().await, "41");
    let Some(Message::Close(Some(frame))) = events.next().await else { panic!("a close frame") };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Policy, "the token is not good any more"));
}

#[tokio::test]
async fn a_log_is_followed_for_as_long_as_it_may_be_read() {
    let server = GuardedServer::start().await;
    let permission = Permission::for_family(ReadJob, "adder");
    let token = server.user("bob", std::slice::from_ref(&permission)).await;
    let mut client = subscribed(&server, None, &[(AUTH, &token)], "{}", "2.0.0").await;
    follows(&mut client, "2.0.0").await;
    server.store.revoke(&Subject::user("bob"), &permission).await.expect("is revoked");
    assert_eq!(client.next().await, "41");
}

/// A tunnel to a job through the proxy: the caller's side and the job's, after both have said something.
async fn tunnel(server: &GuardedServer, headers: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound").to_string();
    let job = |job: &mut racetrack_store::JobRecord| job.job.internal_name = Some(address);
    server.store.update_job("adder", "2.0.0", job).await.expect("is there");
    let mut caller = TcpStream::connect(server.address).await.expect("connects");
    let ask =
        "GET /pub/job/adder/latest/ws HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\n";
    caller.write_all(format!("{ask}{headers}\r\n\r\n").as_bytes()).await.expect("is sent");
    let (mut job, _) = soon(listener.accept()).await.expect("is called");
    read_until(&mut job, "\r\n\r\n").await;
    let agreed =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nwelcome";
    job.write_all(agreed.as_bytes()).await.expect("is sent");
    read_until(&mut caller, "welcome").await;
    (caller, job)
}

async fn read_until(stream: &mut TcpStream, end: &str) {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        text.push(soon(stream.read_u8()).await.expect("goes on"));
    }
}

async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.expect("is closed");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_tunnel_lasts_for_as_long_as_its_caller_may_call() {
    let server = GuardedServer::start().await;
    let permission = Permission::for_family(CallJob, "adder");
    let shown = |token: &str| format!("X-Racetrack-Auth: {token}");
    let bob = server.user("bob", std::slice::from_ref(&permission)).await;
    let (mut caller, mut job) = tunnel(&server, &shown(&bob)).await;
    server.user("alice", &[]).await;
    caller.write_all(b"still here").await.expect("is sent");
    read_until(&mut job, "still here").await;
    server.store.revoke(&Subject::user("bob"), &permission).await.expect("is revoked");
    is_closed(&mut caller).await;
    is_closed(&mut job).await;

    let carol = Subject::user("carol");
    let _ = server.user("carol", &[permission]).await;
    let revoked = server.store.create_token(&carol, None).await.expect("is made");
    let lasting = server.store.create_token(&carol, None).await.expect("is made");
    let (mut first, _job) = tunnel(&server, &shown(&signed(&carol, &revoked.seed))).await;
    let (mut second, mut job) = tunnel(&server, &shown(&signed(&carol, &lasting.seed))).await;
    server.store.revoke_token(&carol, &revoked.id).await.expect("is revoked");
    is_closed(&mut first).await;
    second.write_all(b"still here").await.expect("is sent");
    read_until(&mut job, "still here").await;
    server.store.set_user_flags("carol", false, false).await.expect("is set");
    is_closed(&mut second).await;
    is_closed(&mut job).await;
}

#[tokio::test]
async fn a_tunnel_ends_with_its_session() {
    let server = GuardedServer::start().await;
    let _ = server.user("bob", &[Permission::for_family(CallJob, "adder")]).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("is later");
    let soon_over = i64::try_from((now + Duration::from_secs(4)).as_secs()).expect("is small");
    let over = server.store.create_session("bob", soon_over).await.expect("is made");
    let lasting = server.store.create_session("bob", soon_over + 10_000).await.expect("is made");
    let shown = |seed: &str| format!("X-Racetrack-Auth: {}", signed(&Subject::user("bob"), seed));
    let (mut first, _job) = tunnel(&server, &shown(&over.seed)).await;
    let (mut second, mut job) = tunnel(&server, &shown(&lasting.seed)).await;
    is_closed(&mut first).await;
    second.write_all(b"still here").await.expect("is sent");
    read_until(&mut job, "still here").await;
    server.store.end_session("bob", &lasting.id).await.expect("is ended");
    is_closed(&mut second).await;
    is_closed(&mut job).await;
}

#[tokio::test]
async fn a_tunnel_to_an_endpoint_for_all_lasts_until_it_is_closed() {
    let server = GuardedServer::start().await;
    let endpoint = ["/ws".to_owned()];
    server.store.request_public_endpoints("adder", "2.0.0", &endpoint).await.expect("is requested");
    server.store.set_public_endpoint("adder", "2.0.0", "/ws", true).await.expect("is opened");
    let bob = server.user("bob", &[]).await;
    let (mut unknown, mut job) = tunnel(&server, "x-own: 1").await;
    let (mut known, _job) = tunnel(&server, &format!("X-Racetrack-Auth: {bob}")).await;
    server.store.set_user_flags("bob", false, false).await.expect("is set");
    is_closed(&mut known).await;
    unknown.write_all(b"still here").await.expect("is sent");
    read_until(&mut job, "still here").await;
    server.store.set_public_endpoint("adder", "2.0.0", "/ws", false).await.expect("is closed");
    is_closed(&mut unknown).await;
}
