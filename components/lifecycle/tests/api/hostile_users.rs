//! Attacks on accounts: who there is, how long an answer takes, and names that are not what they seem.

use axum::http::Method;
use racetrack_lifecycle::settings::{LifecycleSettings, Registration};
use serde_json::json;

use crate::harness::{PASSWORD, Server, settings};

/// Names that look like another one, lead somewhere else, or are more than a name.
const NAMES: [(&str, &str); 34] = [
    ("empty", ""),
    ("a space", " "),
    ("a space behind", "admin "),
    ("a space before", " admin"),
    ("a tab", "admin\t"),
    ("a line end", "admin\n"),
    ("a carriage return", "admin\r"),
    ("a zero byte", "admin\0"),
    ("wide letters", "\u{ff41}dmin"),
    ("a Cyrillic letter", "\u{430}dmin"),
    ("a Greek letter", "\u{3b1}dmin"),
    ("a combining accent", "admin\u{301}"),
    ("a space of no width", "ad\u{200b}min"),
    ("a joiner of no width", "ad\u{200d}min"),
    ("text from right to left", "\u{202e}nimda"),
    ("a soft hyphen", "ad\u{ad}min"),
    ("a dotless i", "adm\u{131}n"),
    ("a Kelvin sign", "\u{212a}ate"),
    ("a mark of byte order", "\u{feff}admin"),
    ("a private letter", "admin\u{e000}"),
    ("a path", "../admin"),
    ("an absolute path", "/etc/passwd"),
    ("a backslash", "admin\\x"),
    ("an escape", "admin%2f"),
    ("a query", "admin?x=1"),
    ("a fragment", "admin#x"),
    ("a quote", "admin' OR '1'='1"),
    ("a comment", "admin'--"),
    ("markup", "<script>alert(1)</script>"),
    ("a pattern", "adm%"),
    ("a dash before", "-rf"),
    ("a dot before", ".."),
    ("an address of the API", "login"),
    ("an address of the API in capitals", "Sessions"),
];

#[tokio::test]
async fn no_name_is_taken_that_is_not_what_it_seems() {
    let server =
        Server::start_with(LifecycleSettings { registration: Some(Registration::Open), ..settings() }).await;
    let long = "x".repeat(151);
    let names = NAMES.into_iter().chain([("151 characters", long.as_str())]);
    assert!(NAMES.len() > 12);
    for (what, name) in names {
        let body = json!({ "username": name, "password": PASSWORD });
        let answer = server.post("", "/users/register", &body).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        let login = server.login(name, PASSWORD).await;
        assert!([401, 429].contains(&login.status), "{what}: {login:?}");
    }
    for (what, name) in [("a capital", "Admin"), ("capitals", "ADMIN"), ("mixed", "aDmIn")] {
        let body = json!({ "username": name, "password": "another password" });
        assert_eq!(server.post("", "/users/register", &body).await.status, 409, "{what}");
    }
    assert_eq!(server.app.store.users().await.expect("are there").len(), 1);
}

#[tokio::test]
async fn nothing_tells_who_there_is() {
    let server = Server::start().await;
    server.user("inactive", &[]).await;
    server.app.store.set_user_flags("inactive", false, false).await.expect("is set");
    let wrong = server.login("admin", "wrong password").await;
    for (what, name, password) in [
        ("a user that there is not", "nobody", "wrong password"),
        ("one that is not let in", "inactive", "wrong password"),
        ("another case", "ADMIN", "wrong password"),
        ("no password", "admin", ""),
        ("a password of spaces", "admin", "             "),
        ("the password with a space", "admin", "correct-horse "),
        ("the password in capitals", "admin", "CORRECT-HORSE"),
        ("the password with a zero byte", "admin", "correct-horse\0"),
        ("the hash as the password", "inactive", "none"),
        ("a pattern", "adm%", PASSWORD),
    ] {
        let answer = server.login(name, password).await;
        assert_eq!(answer.error(), wrong.error(), "{what}");
        let names = |answer: &crate::harness::Answer| {
            let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&answer), names(&wrong), "{what}");
    }
    let bob = server.user("bob", &[]).await;
    for (what, method, path) in [
        ("asks for users", Method::GET, "/users"),
        ("asks for one that there is", Method::DELETE, "/users/admin"),
        ("asks for one that there is not", Method::DELETE, "/users/nobody"),
        ("asks for sessions of one that there is", Method::GET, "/users/admin/sessions"),
        ("asks for sessions of one that there is not", Method::GET, "/users/nobody/sessions"),
    ] {
        let (status, text) = server.send(&bob, method, path, &serde_json::Value::Null).await.error();
        assert_eq!(status, 401, "{what}");
        assert!(!text.contains("nobody") && !text.contains("No user"), "{what}: {text}");
    }
}

/// Whoever does not know a user takes as long to hear of it: the same work is done. The medians are compared, which a
/// busy machine moves together; without the work an answer takes a hundredth.
#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_wrong_password() {
    let server =
        Server::start_with(LifecycleSettings { free_password_attempts: Some(1000), ..settings() }).await;
    let mut times: [Vec<std::time::Duration>; 2] = Default::default();
    for _ in 0..7 {
        for (name, times) in ["admin", "nobody"].into_iter().zip(&mut times) {
            let start = std::time::Instant::now();
            assert_eq!(server.login(name, "wrong password").await.status, 401);
            times.push(start.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    assert!(unknown * 10 > known, "{unknown:?} and {known:?}");
}
