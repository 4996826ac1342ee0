//! Sources that git must not be sent to, and names that are options, expressions or ways out.

use serde_json::{Value, json};

use crate::harness::{ImageBuilderUnderTest, request};

/// Addresses that are refused before git is started.
const REMOTES: [(&str, &str); 36] = [
    ("empty", ""),
    ("a command", "ext::sh -c 'touch /tmp/x'"),
    ("a command without a space", "ext::sh"),
    ("a command before a good address", "ext::https://example.com/x"),
    ("an open descriptor", "fd::3"),
    ("a helper in capitals", "EXT::sh"),
    ("a helper that there is not", "evil::https://example.com/x"),
    ("an option", "--upload-pack=sh"),
    ("a short option", "-u"),
    ("an option of ssh", "ssh://-oProxyCommand=x/y"),
    ("an option of ssh behind a user", "ssh://git@-oProxyCommand=x/y"),
    ("an option of ssh in the short form", "-oProxyCommand=x:y"),
    ("ssh, which is not allowed", "ssh://example.com/x"),
    ("ssh in the short form", "git@example.com:x"),
    ("the protocol of git, which is not allowed", "git://example.com/x"),
    ("a file", "file:///etc"),
    ("a file of this host", "file://localhost/etc"),
    ("a file in capitals", "FILE:///etc"),
    ("a path", "/etc"),
    ("a path here", "./x"),
    ("a path above", "../x"),
    ("a path of a home", "~/x"),
    ("a path of Windows", "C:\\x"),
    ("ftp", "ftp://example.com/x"),
    ("rsync", "rsync://example.com/x"),
    ("javascript", "javascript:alert(1)"),
    ("data", "data:text/plain,x"),
    ("a password", "https://bob:hunter2@example.com/x"),
    ("a password without a user", "https://:hunter2@example.com/x"),
    ("no host", "https:///x"),
    ("nothing but a protocol", "https://"),
    ("a space", "https://example.com/a b"),
    ("a line end", "https://example.com/a\nb"),
    ("a carriage return", "https://example.com/a\rb"),
    ("a zero byte", "https://example.com/a\0b"),
    ("an option as the host", "https://-x/y"),
];

/// Branches that are options, expressions or no names.
const BRANCHES: [(&str, &str); 20] = [
    ("empty", ""),
    ("an option", "--upload-pack=sh"),
    ("a short option", "-c"),
    ("a space", "a b"),
    ("a range", "a..b"),
    ("a parent", "a~1"),
    ("another parent", "a^"),
    ("a path within", "a:b"),
    ("a pattern", "a*"),
    ("another pattern", "a?"),
    ("a class", "a[b"),
    ("a backslash", "a\\b"),
    ("a log of changes", "a@{1}"),
    ("the name of a lock", "a.lock"),
    ("a slash before", "/a"),
    ("a slash behind", "a/"),
    ("a path above", "../a"),
    ("a dot before", ".a"),
    ("a zero byte", "a\0b"),
    ("a line end", "a\nb"),
];

/// Folders that are not inside the repository.
const DIRECTORIES: [(&str, &str); 8] = [
    ("above", ".."),
    ("far above", "../../etc"),
    ("above behind a folder", "a/../.."),
    ("above and down again", "a/../../b"),
    ("absolute", "/etc"),
    ("absolute with two slashes", "//etc"),
    ("a zero byte", "a\0b"),
    ("above at the end", "a/b/../../.."),
];

#[tokio::test]
async fn nothing_is_git_that_is_an_option_a_command_or_a_way_out() {
    let builder = ImageBuilderUnderTest::with(|settings| {
        settings.allowed_git_protocols = Some("https,http".parse().expect("valid"));
    })
    .await;
    let attacks = [("remote", &REMOTES[..]), ("branch", &BRANCHES), ("directory", &DIRECTORIES)];
    assert!(attacks.iter().map(|(_, attacks)| attacks.len()).sum::<usize>() > 28);
    let mut passed = Vec::new();
    for (key, attacks) in attacks {
        for (name, value) in attacks {
            let mut attack = request("writes:1.0.0");
            attack["build_context"] = Value::Null;
            // Nobody listens there.
            attack["manifest"]["git"] = json!({ "remote": "http://127.0.0.1:1/x" });
            attack["manifest"]["git"][key] = json!(value);
            let (status, envelope) = builder.build(&attack).await;
            let error = envelope["error"].as_str().unwrap_or_default();
            // Which names are those of branches is asked of git, by a command that reads no repository.
            let is_refused = status == 400 && error.contains(&format!("git.{key}: "))
                || *key == *"branch" && error.ends_with("is not the name of a branch");
            if !is_refused || error.contains("hunter2") {
                passed.push(format!("{key}: {name}: {status} {envelope}"));
            }
        }
    }
    assert_eq!(passed, [""; 0]);
    builder.assert_clean();
}
