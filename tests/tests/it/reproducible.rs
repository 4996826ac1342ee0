//! Two checkouts give the same bytes, whatever else differs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::Message;
use racetrack_tests::{Finished, checkout};

/// The default declaration, built in this checkout and in a copy at a longer path, with another cargo home, home, time
/// zone, locale, umask and number of jobs.
#[test]
fn another_checkout_gives_the_same_binaries() {
    let sandbox = racetrack_tests::Sandbox::new("reproducible");
    let copy = sandbox.path("a/checkout/at/a/much/longer/path/than/the/first/one");
    copy_tree(&checkout(), &copy);
    let cargo_home = sandbox.path("another cargo home");
    copy_registry(&cargo_home);
    let home = sandbox.path("another-home");
    fs_err::create_dir_all(&home).expect("a folder can be made");

    let here = sandbox.path("here");
    let xtask = xtask();
    let mut build = Command::new(&xtask);
    build.arg("build").arg("--out-dir").arg(&here).current_dir(checkout());
    let _ =
        Finished::run(build.env("CARGO_MANIFEST_DIR", checkout().join("xtask")).env("CARGO", env!("CARGO")))
            .succeeded();

    let mut build = Command::new("sh");
    build.args(["-c", "umask 077; exec \"$0\" build --offline"]).arg(&xtask).current_dir(&copy);
    build.env("CARGO_MANIFEST_DIR", copy.join("xtask")).env("CARGO", env!("CARGO"));
    // Where the toolchain is depends on the home folder; that must stay, the rest may change.
    build.env("RUSTUP_HOME", rustup_home());
    build.env("CARGO_HOME", &cargo_home).env("HOME", &home).env("TZ", "Asia/Kathmandu").env("LC_ALL", "C");
    build.env("CARGO_BUILD_JOBS", "1").env("RUSTFLAGS", "-C debuginfo=2").env("CARGO_INCREMENTAL", "1");
    let _ = Finished::run(&mut build).succeeded();

    for component in ["lifecycle", "image-builder"] {
        let [first, second] = [here.join(component), copy.join("dist").join(component)]
            .map(|path| fs_err::read(path).expect("built"));
        let digests = [blake3::hash(&first), blake3::hash(&second)];
        assert_eq!(digests[0], digests[1], "{component}: {} and {} bytes", first.len(), second.len());
        for record in ["cdx", "provenance"] {
            let name = format!("{component}.{record}.json");
            let [first, second] = [here.join(&name), copy.join("dist").join(&name)]
                .map(|path| fs_err::read_to_string(path).expect("written"));
            assert_eq!(first, second, "{name}");
        }
    }
}

/// The build system of this checkout; started without cargo, so that it can be given another checkout.
fn xtask() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "xtask", "--message-format", "json-render-diagnostics"]);
    let output =
        cargo.current_dir(checkout()).stderr(Stdio::inherit()).output().expect("cargo can be started");
    let artifacts = Message::parse_stream(&output.stdout[..]).filter_map(|message| match message {
        Ok(Message::CompilerArtifact(artifact)) if artifact.target.name == "xtask" => artifact.executable,
        _ => None,
    });
    artifacts.last().expect("xtask has an executable").into()
}

/// The sources, without what a build leaves behind.
fn copy_tree(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).expect("a folder can be made");
    for entry in fs_err::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        let is_left_out = [".git", ".racetrack", "dist", "target"].iter().any(|left_out| name == *left_out);
        if is_left_out {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().expect("a kind").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// The downloaded crates, so that the copy needs no network.
fn copy_registry(cargo_home: &Path) {
    for part in ["index", "cache"] {
        copy_tree(&own_cargo_home().join("registry").join(part), &cargo_home.join("registry").join(part));
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests ask where cargo keeps its crates, as cargo does")]
fn own_cargo_home() -> PathBuf {
    let default = || PathBuf::from(std::env::var("HOME").expect("there is a home folder")).join(".cargo");
    std::env::var("CARGO_HOME").map_or_else(|_| default(), PathBuf::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests ask where rustup keeps the toolchain, as rustup does"
)]
fn rustup_home() -> PathBuf {
    let default = || PathBuf::from(std::env::var("HOME").expect("there is a home folder")).join(".rustup");
    std::env::var("RUSTUP_HOME").map_or_else(|_| default(), PathBuf::from)
}
