//! Jobs from git repositories.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use racetrack_service::setting_value::Size;
use racetrack_service::settings::Span;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{ImageBuilderUnderTest, environment, names, request};

const MANIFEST: &str =
    "name: adder\nowner_email: a@example.com\njobtype: writes:1.0.0\nbuild_env: {COLOR: red}\n";

/// A repository with a job in `jobs/adder`, and its address.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().expect("can be made"));
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.write("jobs/adder/main.py", "print(42)\n");
        let manifest =
            format!("{MANIFEST}git: {{remote: '{}', directory: jobs/adder}}\n", repository.address());
        repository.write("jobs/adder/job.yaml", &manifest);
        repository.commit();
        repository
    }

    fn address(&self) -> String {
        format!("file://{}", self.path().display())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("can be made");
        std::fs::write(path, text).expect("can be written");
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "commit",
            "--quiet",
            "--message=x",
        ]);
    }

    fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(self.path()).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(git.status().expect("runs").success(), "{args:?}");
    }

    fn describe(&self) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.path()).args(["describe", "--long", "--tags", "--dirty", "--always"]);
        let output = git.output().expect("runs");
        String::from_utf8(output.stdout).expect("is text").trim_end().to_owned()
    }

    fn request(&self) -> Value {
        let mut body = request("writes:1.0.0");
        body["build_context"] = Value::Null;
        body["manifest"]["git"] = json!({"remote": self.address(), "directory": "jobs/adder"});
        body
    }
}

/// Method and path, secret header, and body of each request.
type Seen = Arc<Mutex<Vec<(String, Option<String>, String)>>>;

/// A server that notes the requests it gets, and gives all of them the same answer.
struct Server {
    address: String,
    seen: Seen,
}

impl Server {
    async fn start(status: StatusCode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = format!("http://{}", listener.local_addr().expect("has one"));
        let seen = Seen::default();
        let noted = Arc::clone(&seen);
        let router =
            Router::new().fallback(move |request: Request| answer(Arc::clone(&noted), status, request));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen }
    }
}

async fn answer(noted: Seen, status: StatusCode, request: Request) -> impl axum::response::IntoResponse {
    let secret = {
        let headers = request.headers();
        let header = headers.get("x-racetrack-auth").or_else(|| headers.get(AUTHORIZATION));
        header.map(|value| value.to_str().expect("is text").to_owned())
    };
    let path = format!("{} {}", request.method(), request.uri().path());
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.expect("a body");
    let body = String::from_utf8(body.into()).expect("is text");
    noted.lock().expect("is not poisoned").push((path, secret, body));
    (status, [(WWW_AUTHENTICATE, "Basic realm=\"jobs\"")], "null")
}

#[tokio::test]
async fn a_folder_of_a_repository_becomes_a_bundle() {
    let repository = Repository::new();
    repository.git(&["tag", "v1.2.3"]);
    repository.git(&["checkout", "--quiet", "-b", "feature/x"]);
    repository.write("jobs/adder/feature.py", "");
    repository.commit();
    repository.git(&["checkout", "--quiet", "main"]);
    let builder = ImageBuilderUnderTest::start().await;

    let (bundle, log) = builder.built(&repository.request()).await;
    assert_eq!(names(&bundle.join("job")), ["job.yaml", "main.py"]);
    assert!(log.contains("The revision of the source is v1.2.3-0-g"), "{log}");
    assert!(!log.contains("warning:"), "{log}");
    let version = repository.describe();
    assert!(version.starts_with("v1.2.3-0-g"), "{version}");
    assert_eq!(environment(&bundle)["GIT_VERSION"], version);

    let mut of_branch = repository.request();
    of_branch["manifest"]["git"]["branch"] = json!("feature/x");
    let (bundle, log) = builder.built(&of_branch).await;
    assert_eq!(names(&bundle.join("job")), ["feature.py", "job.yaml", "main.py"]);
    assert!(log.contains("warning: The submitted job manifest is not the one in the repository"), "{log}");

    let mut whole = repository.request();
    whole["manifest"]["git"]["directory"] = json!(".");
    let (bundle, _) = builder.built(&whole).await;
    assert_eq!(names(&bundle.join("job")), ["job.yaml", "jobs"], "and no .git");
    builder.assert_clean();
}

#[tokio::test]
async fn a_repository_without_a_commit_is_told() {
    let repository = Repository(tempfile::tempdir().expect("can be made"));
    repository.git(&["init", "--quiet", "--initial-branch=main"]);
    let builder = ImageBuilderUnderTest::start().await;
    let (error, _) = builder.failed(&repository.request()).await;
    assert!(error.ends_with("git cannot list the files of the repository; is it empty?"), "{error}");
}

#[tokio::test]
async fn what_is_not_in_the_repository_is_said() {
    let repository = Repository::new();
    let builder = ImageBuilderUnderTest::start().await;
    let missing = format!("file://{}/missing", repository.path().display());
    for (key, value, text) in [
        ("branch", "nope", "fetching job repo: cloning git repo: git failed: fatal: "),
        ("branch", "a..b", "fetching job repo: branch: \"a..b\" is not the name of a branch"),
        ("remote", missing.as_str(), "fetching job repo: cloning git repo: git failed: fatal: "),
        (
            "directory",
            "jobs/nope",
            "fetching job repo: git.directory: `jobs/nope` is not a folder of the repository",
        ),
        ("directory", "jobs/adder/main.py", "is not a folder of the repository"),
        ("directory", ".git", "is not a folder of the repository"),
    ] {
        let mut body = repository.request();
        body["manifest"]["git"][key] = json!(value);
        let (error, _) = builder.failed(&body).await;
        assert!(error.starts_with("fetching the source code: ") && error.contains(text), "{error}");
    }
}

/// An image-builder that takes 100 kB and 20 files and folders.
async fn small_image_builder() -> ImageBuilderUnderTest {
    ImageBuilderUnderTest::with(|settings| {
        settings.max_unpacked_size = Some(Size(100_000));
        settings.max_unpacked_entries = Some(20);
    })
    .await
}

const TOO_LARGE: &str = "fetching job repo: cloning git repo: the repository is larger than 100000 bytes \
                         (max-unpacked-size of image-builder)";

const TOO_MANY: &str = "fetching job repo: cloning git repo: the repository has more than 20 files and folders \
                        (max-unpacked-entries of image-builder)";

#[tokio::test]
async fn a_repository_that_unpacks_to_more_than_uploads_may_is_refused() {
    let repository = Repository::new();
    let builder = small_image_builder().await;
    builder.built(&repository.request()).await;
    let local = |repository: &Repository| {
        let mut body = repository.request();
        body["manifest"]["git"]["remote"] = json!(repository.path());
        body
    };

    // A few kilobytes as git sends it.
    repository.write("zeros", &"\0".repeat(10_000_000));
    repository.commit();
    for body in [repository.request(), local(&repository)] {
        let (error, log) = builder.failed(&body).await;
        assert!(error.contains(TOO_LARGE), "{error}");
        assert!(!log.contains("The revision"), "nothing is checked out: {log}");
    }
    // Only what is there counts, not its history.
    std::fs::remove_file(repository.path().join("zeros")).expect("is there");
    repository.commit();
    builder.built(&repository.request()).await;
    builder.built(&local(&repository)).await;

    for number in 0..20 {
        repository.write(&number.to_string(), "");
    }
    repository.commit();
    let (error, _) = builder.failed(&repository.request()).await;
    assert!(error.contains(TOO_MANY), "{error}");
    let mut kept = names(&builder.folder.path().join("workspaces"));
    kept.retain(|name| !name.starts_with('.'));
    assert_eq!(kept, [""; 0], "nothing stays behind");
}

#[tokio::test]
async fn folders_that_hold_each_other_are_not_checked_out() {
    let repository = Repository::new();
    let builder = small_image_builder().await;
    // Ten levels of ten: ten thousand million files.
    let output = |args: &[&str], input: &str| {
        let mut git = Command::new("git");
        git.current_dir(repository.path()).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
        child.stdin.take().expect("is piped").write_all(input.as_bytes()).expect("is read");
        let output = child.wait_with_output().expect("ends");
        String::from_utf8(output.stdout).expect("is text").trim().to_owned()
    };
    let mut entry = format!("100644 blob {}", output(&["hash-object", "-w", "--stdin"], "x"));
    for _ in 0..10 {
        let lines: Vec<_> = (0..10).map(|number| format!("{entry}\t{number}\n")).collect();
        entry = format!("040000 tree {}", output(&["mktree"], &lines.concat()));
    }
    let tree = entry.rsplit(' ').next().expect("is an id");
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    let commit = output(&[&who[..], &["commit-tree", "-m", "x", tree]].concat(), "");
    repository.git(&["update-ref", "refs/heads/bomb", &commit]);
    let mut body = repository.request();
    body["manifest"]["git"]["branch"] = json!("bomb");
    let (error, _) = builder.failed(&body).await;
    assert!(error.contains(TOO_MANY), "{error}");
}

#[tokio::test]
async fn files_that_grow_on_the_way_out_are_counted_as_they_are() {
    let repository = Repository::new();
    let builder = small_image_builder().await;
    repository.write("jobs/adder/text", &"\n".repeat(60_000));
    repository.commit();
    builder.built(&repository.request()).await;
    repository.write(".gitattributes", "text text eol=crlf\n");
    repository.commit();
    let (error, _) = builder.failed(&repository.request()).await;
    assert!(error.contains(TOO_LARGE), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_do_not_leave_the_job() {
    let repository = Repository::new();
    let builder = ImageBuilderUnderTest::start().await;
    std::os::unix::fs::symlink("main.py", repository.path().join("jobs/adder/inside")).expect("can be made");
    repository.commit();
    let (bundle, _) = builder.built(&repository.request()).await;
    assert!(bundle.join("job/inside").is_symlink());

    let away = repository.path().join("jobs/away");
    std::os::unix::fs::symlink("/etc", &away).expect("can be made");
    repository.commit();
    let mut body = repository.request();
    body["manifest"]["git"]["directory"] = json!("jobs/away");
    let (error, _) = builder.failed(&body).await;
    assert!(
        error.ends_with("git.directory: `jobs/away` leaves the repository by a symbolic link"),
        "{error}"
    );
    std::fs::remove_file(away).expect("is there");

    let manifest = repository.path().join("jobs/adder/job.yaml");
    std::fs::remove_file(&manifest).expect("is there");
    std::os::unix::fs::symlink("/etc/hostname", manifest).expect("can be made");
    repository.commit();
    let (error, _) = builder.failed(&repository.request()).await;
    assert!(error.contains("the symbolic link `job.yaml` points to `/etc/hostname`"), "{error}");
}

#[tokio::test]
async fn credentials_reach_the_server_and_nobody_else() {
    let server = Server::start(StatusCode::UNAUTHORIZED).await;
    let builder = ImageBuilderUnderTest::start().await;
    let mut body = request("writes:1.0.0");
    body["build_context"] = Value::Null;
    body["manifest"]["git"]["remote"] = json!(format!("{}/jobs.git", server.address));
    let (error, _) = builder.failed(&body).await;
    assert!(error.contains("cloning git repo: no git credentials configured for a repo"), "{error}");

    body["deployment_id"] = json!("5c0a1d9e-7a40-4a8e-9d7c-ffffffffffff");
    body["git_credentials"] = json!({"username": "bob", "password": "p@ss 'w0rd' $HOME"});
    let (error, log) = builder.failed(&body).await;
    assert!(error.contains("cloning git repo: authentication failure"), "{error}");
    assert!(!log.contains("w0rd") && !error.contains("w0rd"), "{log}");
    let seen = server.seen.lock().expect("is not poisoned");
    let (_, shown, _) = seen.last().expect("git asked");
    let expected = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "bob:p@ss 'w0rd' $HOME");
    assert_eq!(shown.as_deref(), Some(format!("Basic {expected}").as_str()));
}

/// A job from a repository at that address.
fn request_from(remote: &str) -> Value {
    let mut body = request("writes:1.0.0");
    body["build_context"] = Value::Null;
    body["manifest"]["git"]["remote"] = json!(remote);
    body
}

#[tokio::test]
async fn an_internal_server_shows_nothing_but_whether_it_has_a_repository() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("has one");
    let greeting = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let greeting_address = greeting.local_addr().expect("has one");
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = greeting.accept().await {
            // Whoever asked may be gone.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut connection, b"SSH-2.0-OpenSSH_9.2\r\n").await;
        }
    });
    let (empty, missing) = (Server::start(StatusCode::OK).await, Server::start(StatusCode::NOT_FOUND).await);
    let builder = ImageBuilderUnderTest::start().await;
    let mut answers = Vec::new();
    for address in
        [format!("http://{closed}"), format!("http://{greeting_address}"), empty.address, missing.address]
    {
        let (error, log) = builder.failed(&request_from(&format!("{address}/jobs.git"))).await;
        assert!(
            error.contains("cloning git repo: there is no repository to fetch at that address"),
            "{error}"
        );
        answers.push((error, log.replace(&address, "ADDRESS")));
    }
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer, &answers[0], "address {index} can be told from the first");
    }
    assert!(!missing.seen.lock().expect("is not poisoned").is_empty(), "git asked");
}

/// What `git http-backend` answers to a request, as CGI.
async fn by_git(root: PathBuf, request: Request) -> axum::response::Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let output = tokio::task::spawn_blocking(move || {
        let mut git = Command::new("git");
        git.arg("http-backend").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_HTTP_EXPORT_ALL", "1");
        git.env("GIT_PROJECT_ROOT", root).env("PATH_INFO", head.uri.path());
        git.env("REQUEST_METHOD", head.method.as_str())
            .env("QUERY_STRING", head.uri.query().unwrap_or_default());
        let header = |name| head.headers.get(name).map_or("", |value| value.to_str().expect("is text"));
        git.env("CONTENT_TYPE", header(CONTENT_TYPE)).env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING));
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
        child.stdin.take().expect("is piped").write_all(&body).expect("is read");
        child.wait_with_output().expect("ends").stdout
    });
    let output = output.await.expect("does not panic");
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("has a head");
    let mut response = axum::response::Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").expect("is a header");
        response = match name {
            "Status" => response.status(&value[..3]),
            _ => response.header(name, value),
        };
    }
    response.body(output[end + 4..].to_vec().into()).expect("is an answer")
}

#[tokio::test]
async fn a_repository_is_fetched_over_http() {
    let repository = Repository::new();
    let root = repository.path().to_owned();
    let router = Router::new().fallback(move |request: Request| by_git(root.clone(), request));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has one");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let builder = ImageBuilderUnderTest::start().await;
    let mut body = repository.request();
    body["manifest"]["git"]["remote"] = json!(format!("http://{address}/.git"));
    let (bundle, log) = builder.built(&body).await;
    assert_eq!(names(&bundle.join("job")), ["job.yaml", "main.py"]);
    assert!(log.contains("Cloning into 'repository'..."), "{log}");

    body["manifest"]["git"]["branch"] = json!("nope");
    body["deployment_id"] = json!("5c0a1d9e-7a40-4a8e-9d7c-ffffffffffff");
    let (error, _) = builder.failed(&body).await;
    assert!(error.contains("Remote branch nope not found"), "{error}");
}

#[tokio::test]
async fn nothing_is_fetched_in_a_refused_network() {
    let server = Server::start(StatusCode::NOT_FOUND).await;
    let port = server.address.rsplit(':').next().expect("has one");
    let loopback = Some("loopback, 10.0.0.0/8".parse().expect("valid"));
    let builder = ImageBuilderUnderTest::with(|settings| settings.refused_git_networks = loopback).await;
    let mapped = format!("http://[::ffff:127.0.0.1]:{port}");
    for address in
        [server.address.clone(), format!("http://localhost:{port}"), mapped, "http://10.1.2.3".to_owned()]
    {
        let (error, _) = builder.failed(&request_from(&format!("{address}/jobs.git"))).await;
        assert!(error.contains("is in a network in which none is fetched (refused-git-networks"), "{error}");
    }
    assert!(server.seen.lock().expect("is not poisoned").is_empty(), "nobody connected");

    // Where cloud providers hand out credentials, unless it is wanted.
    let builder = ImageBuilderUnderTest::start().await;
    let (error, _) = builder.failed(&request_from("http://169.254.169.254/latest")).await;
    assert!(error.contains("is in a network in which none is fetched"), "{error}");
}

#[tokio::test]
async fn a_redirect_does_not_lead_into_a_refused_network() {
    let redirecting = Router::new().fallback(async || {
        (
            StatusCode::MOVED_PERMANENTLY,
            [(LOCATION, "http://169.254.169.254/jobs.git/info/refs?service=git-upload-pack")],
        )
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has one");
    tokio::spawn(async move { axum::serve(listener, redirecting).await });
    let builder = ImageBuilderUnderTest::start().await;
    let (error, _) = builder.failed(&request_from(&format!("http://{address}/jobs.git"))).await;
    assert!(error.contains("is in a network in which none is fetched"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let short = Some(Span(Duration::from_millis(500)));
    let builder = ImageBuilderUnderTest::with(|settings| settings.git_time_limit = short).await;
    let mut body = request("writes:1.0.0");
    body["build_context"] = Value::Null;
    let address = server.local_addr().expect("has one");
    body["manifest"]["git"]["remote"] = json!(format!("http://{address}/jobs.git"));
    let (error, _) = builder.failed(&body).await;
    assert!(error.ends_with("cloning git repo: `git` did not finish within 500ms"), "{error}");
}

#[tokio::test]
async fn lifecycle_is_told_of_phases_and_warnings() {
    let lifecycle = Server::start(StatusCode::OK).await;
    let repository = Repository::new();
    let builder = ImageBuilderUnderTest::with(|settings| {
        settings.lifecycle_url = Some(lifecycle.address.parse().expect("valid"));
        settings.component_auth_token = Some("t0ken".parse().expect("valid"));
    })
    .await;
    let mut body = repository.request();
    body["manifest"]["version"] = json!("0.0.2");
    builder.built(&body).await;
    let id = body["deployment_id"].as_str().expect("is text");
    let seen = lifecycle.seen.lock().expect("is not poisoned");
    let phase = |phase: &str| (format!("PUT /api/v1/deploy/{id}/phase"), json!({"phase": phase}));
    let told: Vec<_> = seen
        .iter()
        .map(|(path, token, body)| {
            assert_eq!(token.as_deref(), Some("t0ken"));
            (path.clone(), serde_json::from_str::<Value>(body).expect("is JSON"))
        })
        .collect();
    assert_eq!(told[0], phase("fetching the source code"));
    assert_eq!(told[1].0, format!("PUT /api/v1/deploy/{id}/warnings"));
    let warning = told[1].1["warnings"].as_str().expect("is text");
    assert!(
        warning.contains("git push") && warning.contains("version: \"0.0.1\" in the repository"),
        "{warning}"
    );
    let rest = [
        "preparing job type builder",
        "building image (1/1)",
        "cleaning up the workspace",
        "finalizing the build",
    ];
    assert_eq!(told[2..], rest.map(phase));
}

#[tokio::test]
async fn a_lifecycle_that_is_not_there_keeps_nothing_from_being_built() {
    let refusing = Server::start(StatusCode::INTERNAL_SERVER_ERROR).await;
    for address in ["http://127.0.0.1:1".to_owned(), refusing.address] {
        let url = Some(address.parse().expect("valid"));
        let builder = ImageBuilderUnderTest::with(|settings| settings.lifecycle_url = url).await;
        builder.built(&request("writes:1.0.0")).await;
    }
}
