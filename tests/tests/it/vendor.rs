//! What was vendored builds without a network, to the same bytes.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use racetrack_tests::checkout_copy::copy_tree;
use racetrack_tests::{DocsPlugin, Finished, Sandbox, checkout};

/// A plugin that brings a crate of its own.
const PLUGIN: [(&str, &str); 3] = [
    ("plugin-manifest.yaml", "name: midnight\nversion: 1.0.0\n"),
    (
        "Cargo.toml",
        "[package]\nname = \"midnight\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nbs58 = \"0.5\"\nracetrack-core = \"0.1\"\n",
    ),
    (
        "src/lib.rs",
        "use racetrack_core::{HookResult, Plugin};\n\n#[derive(Default)]\nstruct Midnight;\n\n\
         #[racetrack_core::plugin]\nimpl Plugin for Midnight {\n    \
         async fn markdown_docs(&self) -> HookResult<Option<String>> {\n        \
         Ok(Some(String::from_utf8(bs58::decode(\"midnight\").into_vec()?)?))\n    }\n}\n",
    ),
];

/// One test, because one build with a network serves all of it.
#[test]
fn a_vendor_folder_builds_the_same_bytes_without_a_network() {
    let network = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let connect = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}",
        network.local_addr().expect("a listener has an address").port()
    );
    let isolated = isolated();
    let _ = Finished::run(Command::new("bash").args(["-c", &connect])).succeeded();
    let refused = Finished::run(isolated("bash").args(["-c", &connect]));
    assert_ne!(refused.code, Some(0), "there is a network where there should be none");
    let devices = Finished::run(isolated("cat").arg("/proc/self/net/dev")).succeeded();
    let devices: Vec<_> = devices.stdout.lines().skip(2).map(|line| line.trim().split(':').next()).collect();
    assert!(devices.iter().all(|name| *name == Some("lo")), "there are interfaces: {devices:?}");

    let sandbox = Sandbox::new("vendor");
    let bundle = bundle(&sandbox);
    // Binaries name the sources of their plugins, which must not be in the checkout.
    let repository = std::env::temp_dir().join(format!("racetrack-vendor-{}", std::process::id()));
    let commit = commit(&sandbox, &repository);
    sandbox.declare_tiny(&format!(
        "[[plugin]]\nzip = \"{bundle}\"\n\n[[plugin]]\ngit = \"file://{}\"\nrev = \"{commit}\"\n",
        repository.display()
    ));
    let _ = sandbox.xtask(&["build"]).succeeded();
    let online = fs_err::read(sandbox.binary("tiny")).expect("built");

    let [folder, again] = ["vendored", "vendored again"].map(|name| sandbox.path(name));
    let made = [&folder, &again].map(|folder| {
        let made = sandbox.xtask(&["vendor", &folder.to_string_lossy()]).succeeded();
        made.stderr.rsplit_once("SHA-256 ").expect("the digest is told").1.to_owned()
    });
    assert_eq!(made[0], made[1], "two runs gave something else");
    check_with_sha256sum(&folder);

    let copy = sandbox.path("another checkout");
    copy_tree(&checkout(), &copy);
    let beside = copy.join("target/system-tests/vendor");
    fs_err::create_dir_all(beside.join("locks")).expect("a folder can be made");
    // The bundle stays behind, and the repository is gone.
    fs_err::remove_dir_all(&repository).expect("a folder can be removed");
    for file in ["racetrack.toml", "racetrack.lock", "locks/tiny.lock"] {
        fs_err::copy(sandbox.path(file), beside.join(file)).expect("a file can be copied");
    }
    let empty = ["another cargo home", "another home"].map(|name| sandbox.path(name));
    for folder in &empty {
        fs_err::create_dir_all(folder).expect("a folder can be made");
    }
    let build = || {
        let mut build = isolated(env!("CARGO"));
        build.arg("--config").arg(folder.join("cargo/config.toml"));
        build.args(["xtask", "build", "--frozen", "--vendor"]).arg(&folder);
        build.arg("--declaration").arg(beside.join("racetrack.toml"));
        build.current_dir(&copy).env_clear().env("CARGO_HOME", &empty[0]).env("HOME", &empty[1]);
        Finished::run(build.env("PATH", path()))
    };
    let _ = build().succeeded();
    let offline = fs_err::read(beside.join("dist/tiny")).expect("built");
    assert!(online == offline, "{} bytes with a network, {} without", online.len(), offline.len());
    assert!(!empty[0].join("registry/src").exists(), "crates were taken from elsewhere");

    refuses_other_folders(&sandbox, &folder);
    // It is as it was. In the first checkout, all crates would be compiled once more.
    let _ = build().succeeded();
}

/// Packs the plugin; returns the path of the bundle, relative to the declaration.
fn bundle(sandbox: &Sandbox) -> String {
    for (path, text) in PLUGIN {
        sandbox.write(&format!("plugins/midnight/{path}"), text);
    }
    sandbox.pack("plugins/midnight");
    "bundles/midnight-1.0.0.zip".to_owned()
}

/// Makes a repository of another plugin; returns the id of its commit.
fn commit(sandbox: &Sandbox, repository: &Path) -> String {
    let _ = DocsPlugin { name: "dawn", ..DocsPlugin::default() }.declared(sandbox);
    copy_tree(&sandbox.path("plugins/dawn"), repository);
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]).args(arguments);
        Finished::run(command.current_dir(repository)).succeeded().stdout.trim().to_owned()
    };
    let _ = git(&["init", "--quiet"]);
    let _ = git(&["add", "--all"]);
    let _ = git(&["commit", "--quiet", "--message", "Begin"]);
    git(&["rev-parse", "HEAD"])
}

/// Changes the vendor folder and the lock, and back again.
fn refuses_other_folders(sandbox: &Sandbox, folder: &Path) {
    let refusal = || {
        let shown = folder.to_string_lossy().into_owned();
        sandbox.xtask(&["build", "--frozen", "--vendor", &shown]).failed_with(1).stderr
    };
    let bs58 = fs_err::read_dir(folder.join("crates")).expect("crates were vendored");
    let bs58 = bs58.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let bs58 = bs58.into_iter().find(|name| name.starts_with("bs58-")).expect("the plugin brings it");

    let library = folder.join("crates").join(&bs58).join("src/lib.rs");
    let original = fs_err::read(&library).expect("a file");
    let mut flipped = original.clone();
    flipped[0] ^= 1;
    fs_err::write(&library, flipped).expect("a file can be written");
    let said = refusal();
    assert!(said.contains(&format!("\n  changed: crates/{bs58}/src/lib.rs\n")), "{said}");
    fs_err::write(&library, original).expect("a file can be written");

    let away = sandbox.path("away");
    fs_err::rename(folder.join("crates").join(&bs58), &away).expect("a folder can be moved");
    let said = refusal();
    assert!(said.contains(&format!("\n  missing: crates/{bs58}/\n")), "{said}");
    fs_err::rename(&away, folder.join("crates").join(&bs58)).expect("a folder can be moved");

    let lock = fs_err::read_to_string(sandbox.path("locks/tiny.lock")).expect("built");
    sandbox.write("locks/tiny.lock", &lock.replace("name = \"bs58\"", "name = \"bs59\""));
    let said = refusal();
    assert!(said.contains("locks/tiny.lock has changed since"), "{said}");
    assert!(said.contains("`cargo xtask vendor`"), "{said}");
    sandbox.write("locks/tiny.lock", &lock);
}

/// The checksums are for everybody to check, before anything of the folder is run.
fn check_with_sha256sum(folder: &Path) {
    let mut command = Command::new("sha256sum");
    let _ = Finished::run(command.args(["--check", "--quiet", "checksums"]).current_dir(folder)).succeeded();
}

/// Makes commands that run in a network namespace of their own, which has no interfaces.
///
/// # Panics
/// When this machine allows no such namespace.
fn isolated() -> impl Fn(&str) -> Command {
    // Root needs no namespace of users, and may not be allowed one.
    let ways: [&[&str]; 2] = [&["--net"], &["--net", "--map-root-user"]];
    let unshare = |options: &[&str], program: &str| {
        let mut command = Command::new("unshare");
        command.args(options).arg("--").arg(program);
        command
    };
    let works = |options: &&&[&str]| Finished::run(&mut unshare(options, "true")).code == Some(0);
    let options = ways.iter().find(works).copied().unwrap_or_else(|| {
        panic!(
            "`unshare --net` is not permitted here: run this test as root, or allow namespaces of users; \
             without it nothing shows that the build does without a network"
        )
    });
    move |program| unshare(options, program)
}

/// The toolchain itself, which has to be there, before anything that would fetch one; then a C compiler.
#[expect(clippy::disallowed_methods, reason = "the tests look for the compilers where the shell does")]
fn path() -> String {
    let toolchain = Path::new(env!("CARGO")).parent().expect("cargo is in a folder");
    format!("{}:{}", toolchain.display(), std::env::var("PATH").expect("there is a search path"))
}
