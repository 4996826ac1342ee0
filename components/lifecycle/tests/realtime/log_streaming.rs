//! Live logs over Socket.IO.

use std::time::Duration;

use futures_util::future::join_all;
use racetrack_lifecycle::realtime::log_streaming::Limits;

use crate::polling_client::PollingClient;
use crate::recording_streamer::Asked;
use crate::server::Server;
use crate::soon;
use crate::websocket_client::WebSocketClient;

/// A client that follows the job `adder`, has taken the line that came with the session, and that session's id.
async fn following(server: &mut Server) -> (PollingClient, String) {
    let mut client = PollingClient::connect(server.address).await;
    client.subscribe("adder", "latest").await;
    let id = server.created().await.id;
    let number = client.subscribed(&id, "hello from adder 0.0.2").await;
    client.acknowledge(&number).await;
    (client, id)
}

#[tokio::test]
async fn a_client_that_polls_gets_line_after_line() {
    let mut server = Server::start().await;
    let mut client = PollingClient::connect(server.address).await;
    client.subscribe("adder", "latest").await;
    let session = server.created().await;
    assert_eq!(session.id, format!("{}_adder_0.0.2", client.id));
    assert_eq!((session.job_name.as_str(), session.job_version.as_str()), ("adder", "0.0.2"));
    assert_eq!(session.tail, Some(20));
    // Neither of the two waits for the other.
    let mut packets = [client.next().await, client.next().await];
    packets.sort();
    assert_eq!(packets[0], r#"421["logs_nextline",{"line":"hello from adder 0.0.2\n"}]"#);
    assert_eq!(packets[1], format!(r#"431["{}"]"#, session.id));
    client.send("431[true]").await;

    let on_line = server.streamer.on_line(&session.id);
    soon(on_line("a \"quoted\" line".to_owned())).await;
    assert_eq!(client.next().await, r#"422["logs_nextline",{"line":"a \"quoted\" line\n"}]"#);
    client.send("432[true]").await;
    soon(on_line("with its end\n".to_owned())).await;
    assert_eq!(client.next().await, r#"423["logs_nextline",{"line":"with its end\n"}]"#);

    client.send("41").await;
    assert_eq!(server.asked().await, Asked::Close(session.id));
}

#[tokio::test]
async fn a_client_with_a_websocket_gets_line_after_line() {
    let mut server = Server::start().await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut client = WebSocketClient::connect(server.address, path).await;
    assert!(client.text().await.starts_with("0{"));
    client.send("40{}").await;
    let mut texts = vec![client.text().await, client.text().await];
    texts.retain(|text| text != "2");
    assert!(texts[0].starts_with("40{"), "{texts:?}");
    let job = r#"{"job_name":"adder","job_version":"0.0.1","tail":null}"#;
    client.send(format!(r#"427["subscribe_for_logs",{{"resource_properties":{job}}}]"#)).await;
    let session = server.created().await;
    assert_eq!((session.job_version.as_str(), session.tail), ("0.0.1", None));
    let mut texts = [client.text().await, client.text().await];
    texts.sort();
    assert_eq!(texts[0], r#"421["logs_nextline",{"line":"hello from adder 0.0.1\n"}]"#);
    assert_eq!(texts[1], format!(r#"437["{}"]"#, session.id));
    client.send("431[]").await;
    soon(server.streamer.on_line(&session.id)("more".to_owned())).await;
    assert_eq!(client.text().await, r#"422["logs_nextline",{"line":"more\n"}]"#);
    // Not even a good-bye.
    drop(client);
    assert_eq!(server.asked().await, Asked::Close(session.id));
}

#[tokio::test]
async fn a_line_that_is_too_long_for_a_message_comes_in_part() {
    let mut server = Server::start().await;
    let (mut client, id) = following(&mut server).await;
    soon(server.streamer.on_line(&id)(format!("begin{}end", "\u{1}é".repeat(1_000_000)))).await;
    let packet = client.next().await;
    assert!(packet.len() < 1_000_000 && packet.contains(r#"{"line":"begin\u0001é"#), "{}", packet.len());
    assert!(packet.contains(" bytes left out …]") && packet.ends_with("\\u0001éend\\n\"}]"));
}

#[tokio::test]
async fn a_streamer_reads_no_faster_than_the_client() {
    let mut server = Server::start().await;
    let (mut client, id) = following(&mut server).await;
    let on_line = server.streamer.on_line(&id);
    soon(on_line("one".to_owned())).await;
    let number = client.line("one").await;
    soon(on_line("two".to_owned())).await;
    let third = tokio::spawn(on_line("three".to_owned()));
    // Whatever could have happened in the meantime has happened when another client has been served.
    following(&mut server).await;
    assert!(!third.is_finished(), "the client has not acknowledged the first line");
    client.acknowledge(&number).await;
    soon(third).await.expect("does not panic");
    let number = client.line("two").await;
    client.acknowledge(&number).await;
    client.line("three").await;
}

/// Checks what a client hears whose subscription is refused.
async fn refused(server: &Server, name: &str, version: &str, reason: &str) {
    let mut client = PollingClient::connect(server.address).await;
    client.subscribe(name, version).await;
    assert_eq!(client.next().await, "431[null]", "{name}");
    let number = client.line(&format!("The logs cannot be followed: {reason}")).await;
    client.acknowledge(&number).await;
    assert_eq!(client.next().await, "41", "{name}");
}

fn failed(cause: &str) -> String {
    let target = "`create_session` of infrastructure target `test` (plugin `recorder` 1.5.0)";
    format!("no session could be created: {target} failed: {cause}")
}

#[tokio::test]
async fn a_refused_client_is_told_why_and_disconnected() {
    let server = Server::start().await;
    let cases = [
        ("unknown", "1.0.0", "No job named unknown"),
        ("adder", "9.9.9", "No job named adder with version 9.9.9"),
        ("adder", "3.x", "Not found any stable version matching pattern: 3.x"),
        ("secret", "latest", "you may not read this"),
        ("nowhere", "1.0.0", "the job is on no infrastructure target"),
        ("mute", "1.0.0", "the infrastructure target `mute` of the job does not stream logs"),
        ("stranded", "1.0.0", "the infrastructure target `island` of the job is not offered by any plugin"),
        ("failing", "1.0.0", &failed("the disk is full")),
        ("panicking", "1.0.0", &failed("it panicked: out of lines")),
    ];
    for (name, version, reason) in cases {
        refused(&server, name, version, reason).await;
    }
}

#[tokio::test]
async fn a_streamer_that_takes_too_long_is_given_up() {
    let limits = Limits { streamer_call: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start_with(limits).await;
    refused(&server, "waiting", "1.0.0", &failed("it did not finish within 200 ms")).await;
    let blocked = failed("it blocked its thread for more than 200 ms, and was given up");
    refused(&server, "blocking", "1.0.0", &blocked).await;
    server.streamer.unblock();
}

#[tokio::test]
async fn a_payload_that_is_not_understood_is_refused() {
    let server = Server::start().await;
    let without_name = r#",{"resource_properties":{"job_version":"latest"}}"#;
    let odd_tail = r#",{"resource_properties":{"job_name":"adder","job_version":"latest","tail":"many"}}"#;
    let cases = [
        ("", "not found"),
        (",null", "invalid type: null"),
        (",7", "invalid type: integer `7`"),
        (",{}", "missing field `resource_properties`"),
        (without_name, "missing field `job_name`"),
        (odd_tail, r"`tail` is not a number of lines"),
    ];
    for (payload, reason) in cases {
        let mut client = PollingClient::connect(server.address).await;
        client.send(&format!(r#"421["subscribe_for_logs"{payload}]"#)).await;
        assert_eq!(client.next().await, "431[null]", "{payload}");
        let line = client.next().await;
        assert!(
            line.contains("the payload of the event is not understood: ") && line.contains(reason),
            "{line}"
        );
        client.acknowledge("1").await;
        assert_eq!(client.next().await, "41", "{payload}");
    }
}

#[tokio::test]
async fn a_client_with_the_right_headers_is_let_in() {
    let mut server = Server::start().await;
    let client = PollingClient::connect_with(server.address, &[("x-pass", "7")]).await;
    client.subscribe("secret", "1.0.0").await;
    assert_eq!(server.created().await.job_name, "secret");
}

#[tokio::test]
async fn a_client_with_the_right_word_on_the_connection_is_let_in() {
    let mut server = Server::start().await;
    for auth in [r#"{"token":"8"}"#, r#"["7"]"#, ""] {
        let mut client = PollingClient::open(server.address, "/socket.io/", &[]).await;
        client.enter(auth).await;
        client.subscribe("secret", "1.0.0").await;
        assert_eq!(client.next().await, "431[null]", "{auth}");
    }
    let mut client = PollingClient::open(server.address, "/socket.io/", &[]).await;
    client.enter(r#"{"token":"7"}"#).await;
    client.subscribe("secret", "1.0.0").await;
    assert_eq!(server.created().await.job_name, "secret");
}

#[tokio::test]
async fn what_a_failed_creation_may_have_left_is_closed() {
    let mut server = Server::start().await;
    let client = PollingClient::connect(server.address).await;
    client.subscribe("failing", "1.0.0").await;
    let id = server.created().await.id;
    assert_eq!(server.asked().await, Asked::Close(id));
}

#[tokio::test]
async fn a_session_that_is_created_too_late_is_closed_again() {
    let limits = Limits { streamer_call: Duration::from_millis(100), ..Limits::default() };
    let mut server = Server::start_with(limits).await;
    let client = PollingClient::connect(server.address).await;
    client.subscribe("blocking", "1.0.0").await;
    let id = server.created().await.id;
    assert_eq!(server.asked().await, Asked::Close(id.clone()));
    assert!(!server.streamer.has(&id), "its thread is still blocked");
    server.streamer.unblock();
    assert_eq!(server.asked().await, Asked::Close(id.clone()));
    assert!(!server.streamer.has(&id));
}

#[tokio::test]
async fn a_streamer_that_does_not_close_a_session_holds_nobody_up() {
    let mut server = Server::start().await;
    let mut client = PollingClient::connect(server.address).await;
    client.subscribe("unclosable", "1.0.0").await;
    let first = server.created().await.id;
    client.subscribed(&first, "hello from unclosable 1.0.0").await;
    client.subscribe("adder", "latest").await;
    assert_eq!(server.asked().await, Asked::Close(first));
    let second = server.created().await.id;
    client.subscribed(&second, "hello from adder 0.0.2").await;
}

#[tokio::test]
async fn a_new_subscription_replaces_the_old_one() {
    let mut server = Server::start().await;
    let (mut client, first) = following(&mut server).await;
    client.subscribe("adder", "0.0.1").await;
    assert_eq!(server.asked().await, Asked::Close(first));
    let second = server.created().await.id;
    assert_eq!(second, format!("{}_adder_0.0.1", client.id));
    client.subscribed(&second, "hello from adder 0.0.1").await;
    // By the packet that closes the transport, where the first test has the one that leaves the namespace.
    client.send("1").await;
    assert_eq!(server.asked().await, Asked::Close(second));
}

#[tokio::test]
async fn a_client_that_lets_a_line_wait_for_too_long_is_disconnected() {
    let limits = Limits { acknowledgement: Duration::from_secs(1), ..Limits::default() };
    let mut server = Server::start_with(limits).await;
    let (mut client, id) = following(&mut server).await;
    let on_line = server.streamer.on_line(&id);
    soon(on_line("too much".to_owned())).await;
    client.line("too much").await;
    assert_eq!(client.next().await, "41");
    assert_eq!(server.asked().await, Asked::Close(id));
    // The streamer is not held up either.
    soon(on_line("nobody listens".to_owned())).await;
}

/// Limits within which a client that is there comes even where the machine stands still for a while.
fn impatient() -> Limits {
    let limit = Duration::from_secs(4);
    Limits { acknowledgement: limit, idleness: limit, ..Limits::default() }
}

/// Waits until a client by WebSocket is cut off which says these words and answers pings.
async fn cut_off(server: &Server, words: &[&str]) {
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut client = WebSocketClient::connect(server.address, path).await;
    client.until_cut_off(words).await;
}

#[tokio::test]
async fn a_client_that_follows_nothing_is_cut_off() {
    let server = Server::start_with(impatient()).await;
    let refused = r#"42["subscribe_for_logs",7]"#;
    let polling = async {
        let mut client = PollingClient::connect(server.address).await;
        assert_eq!(client.next().await, "41");
        soon(client.until_refused()).await;
    };
    let upgraded = async {
        let polling = PollingClient::open(server.address, "/socket.io/", &[]).await;
        let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", polling.id);
        let mut client = WebSocketClient::connect(server.address, &path).await;
        client.send("2probe").await;
        assert_eq!(client.text().await, "3probe");
        client.until_cut_off(&["5", "40{}"]).await;
    };
    let words = [vec!["40{}"], vec!["40{}", refused], vec!["40{}", "41"]];
    let websockets = join_all(words.iter().map(|words| cut_off(&server, words)));
    tokio::join!(websockets, polling, upgraded);
}

#[tokio::test]
async fn a_client_that_follows_is_not_cut_off() {
    let mut server = Server::start_with(impatient()).await;
    let (mut client, id) = following(&mut server).await;
    cut_off(&server, &["40{}"]).await;
    soon(server.streamer.on_line(&id)("more".to_owned())).await;
    client.line("more").await;
}

#[tokio::test]
async fn a_session_ends_with_its_job() {
    let mut server = Server::start().await;
    let (mut of_deleted, deleted) = following(&mut server).await;
    server.deploy("adder", "0.0.2", Some("test")).await;
    server.deploy("adder", "0.0.2", None).await;
    server.deploy("other", "1.0.0", Some("test")).await;
    soon(server.streamer.on_line(&deleted)("deployed anew".to_owned())).await;
    let number = of_deleted.line("deployed anew").await;
    of_deleted.acknowledge(&number).await;
    server.deploy("adder", "0.0.2", Some("test")).await;
    server.store.delete_job("adder", "0.0.2", None, 0).await.expect("was there");
    assert_eq!(of_deleted.next().await, "41");
    assert_eq!(server.asked().await, Asked::Close(deleted));

    server.deploy("adder", "0.0.2", Some("test")).await;
    let (mut of_moved, moved) = following(&mut server).await;
    server.deploy("adder", "0.0.2", Some("mute")).await;
    assert_eq!(of_moved.next().await, "41");
    assert_eq!(server.asked().await, Asked::Close(moved));
}

#[tokio::test]
async fn a_streamer_that_lets_go_of_a_session_ends_it() {
    let mut server = Server::start().await;
    let mut client = PollingClient::connect(server.address).await;
    client.subscribe("ending", "1.0.0").await;
    let id = server.created().await.id;
    let number = client.subscribed(&id, "the last one").await;
    client.acknowledge(&number).await;
    assert_eq!(client.next().await, "41");
    assert_eq!(server.asked().await, Asked::Close(id));
}

#[tokio::test]
async fn a_session_ends_with_its_streamer() {
    let mut server = Server::start().await;
    let (mut of_former, _) = following(&mut server).await;
    server.replace_streamer();
    assert_eq!(of_former.next().await, "41");
    following(&mut server).await;
}

#[tokio::test]
async fn a_server_that_stops_closes_sessions_and_waits_for_no_poll() {
    let mut server = Server::start().await;
    let (client, id) = following(&mut server).await;
    // One that never entered a namespace; its first poll brings a ping.
    let other = PollingClient::open(server.address, "/socket.io", &[]).await;
    assert_eq!(other.poll().await, "2");
    let polls = [client.clone(), other].map(|client| tokio::spawn(async move { client.poll().await }));
    let websocket = WebSocketClient::connect(server.address, "/socket.io/?EIO=4&transport=websocket").await;

    server.stop();
    soon(server.streaming.close()).await;
    assert_eq!(server.asked().await, Asked::Close(id));
    let [poll, other] = polls;
    assert_eq!(soon(poll).await.expect("does not panic"), "41");
    assert_eq!(soon(other).await.expect("does not panic"), "1");
    server.stopped().await;
    drop(websocket);
}

#[tokio::test]
async fn a_server_that_is_about_to_stop_opens_no_session() {
    let mut server = Server::start().await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut client = WebSocketClient::connect(server.address, path).await;
    assert!(client.text().await.starts_with("0{"));
    soon(server.streaming.close()).await;
    client.send("40{}").await;
    let mut texts = vec![client.text().await, client.text().await];
    texts.retain(|text| text != "2");
    assert!(texts[0].starts_with("40{"), "{texts:?}");
    let job = r#"{"job_name":"adder","job_version":"0.0.1"}"#;
    client.send(format!(r#"421["subscribe_for_logs",{{"resource_properties":{job}}}]"#)).await;
    assert_eq!(client.text().await, "431[null]");
    assert!(client.text().await.contains("the server is about to stop"));
    assert!(server.asked.try_recv().is_err(), "no streamer is asked");
}

#[tokio::test]
async fn other_routes_are_left_alone() {
    let server = Server::start().await;
    let http = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    let http = http.build_http::<axum::body::Body>();
    let cases =
        [("/live", 200), ("/lifecycle/live", 200), ("/socket.io-admin", 404), ("/socket.io/more", 404)];
    for (path, status) in cases {
        let address = format!("http://{}{path}", server.address).parse().expect("an address");
        let response = soon(http.get(address)).await.expect("answers");
        assert_eq!(response.status(), status, "{path}");
        assert!(response.headers().contains_key("x-request-id"), "{path}");
    }
}
