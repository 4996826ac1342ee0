//! The programs that builds need, and whether the registry answers.

use std::path::Path;
use std::process::{Command, Stdio};

use toml::Table;

use super::Finding;
use racetrack_composer::checkout::Checkout;

/// Looks at the toolchain, the linker, git and curl.
pub(crate) fn machine(checkout: &Checkout) -> Vec<Finding> {
    vec![toolchain(checkout), linker(checkout), git(checkout), curl(checkout)]
}

/// Asks cargo for the newest versions of what the checkout depends on, which needs the registry and changes nothing.
pub(crate) fn registry(checkout: &Checkout) -> Finding {
    let mut command = Command::new(&checkout.cargo);
    command.current_dir(&checkout.root).args(["update", "--dry-run", "--quiet"]);
    command.env("CARGO_NET_OFFLINE", "false").env("CARGO_NET_RETRY", "0").env("CARGO_HTTP_TIMEOUT", "10");
    let output = command.stdin(Stdio::null()).output();
    let said = match &output {
        Ok(output) if output.status.success() => return Finding::fine("registry", "it answers"),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    Finding::wrong(
        "registry",
        format!("it does not answer: {said}"),
        "crates that are not on this machine yet cannot be downloaded",
        "check the network and the proxy; with everything downloaded, build with `--offline`",
    )
}

fn toolchain(checkout: &Checkout) -> Finding {
    const CHECK: &str = "toolchain";
    let text = std::fs::read_to_string(checkout.root.join("rust-toolchain.toml")).unwrap_or_default();
    let table: Table = text.parse().unwrap_or_default();
    let channel = table.get("toolchain").and_then(|toolchain| toolchain.get("channel")?.as_str());
    let Some(channel) = channel else {
        return Finding::wrong(
            CHECK,
            "rust-toolchain.toml names no channel",
            "the bytes of the component binaries depend on the compiler",
            "restore the file from the repository",
        );
    };
    let Some(running) = first_line("rustc", &["--version"], &checkout.root) else {
        return Finding::wrong(
            CHECK,
            "there is no `rustc`",
            "components cannot be compiled",
            format!("install it: `rustup toolchain install {channel}`"),
        );
    };
    if running.split(' ').nth(1) == Some(channel) {
        return Finding::fine(CHECK, format!("{running}, as rust-toolchain.toml says"));
    }
    let installed = output("rustup", &["toolchain", "list"], &checkout.root).unwrap_or_default();
    let help = if installed.lines().any(|line| line.starts_with(&format!("{channel}-"))) {
        "run cargo without `+toolchain`, and without RUSTUP_TOOLCHAIN and RUSTC".to_owned()
    } else {
        format!("install it: `rustup toolchain install {channel}`")
    };
    Finding::wrong(
        CHECK,
        format!("{running} is in use, rust-toolchain.toml says {channel}"),
        "the bytes of the component binaries depend on the compiler",
        help,
    )
}

fn linker(checkout: &Checkout) -> Finding {
    match first_line("cc", &["--version"], &checkout.root) {
        Some(version) => Finding::fine("c-compiler", format!("cc: {version}")),
        None if cfg!(unix) => Finding::wrong(
            "c-compiler",
            "there is no `cc`",
            "it links every binary, and compiles the C code of some crates",
            "install a C compiler, such as the package `gcc` or `clang` of your distribution",
        ),
        None => Finding::fine("c-compiler", "not needed on this system"),
    }
}

fn git(checkout: &Checkout) -> Finding {
    match first_line("git", &["--version"], &checkout.root) {
        Some(version) => Finding::fine("git", version),
        None => Finding::wrong(
            "git",
            "there is no `git`",
            "plugin sources and crates in git repositories cannot be fetched",
            "install the package `git` of your distribution",
        ),
    }
}

fn curl(checkout: &Checkout) -> Finding {
    match first_line("curl", &["--disable", "--version"], &checkout.root) {
        // The libraries that it is made of follow.
        Some(version) => Finding::fine("curl", version.split(" (").next().unwrap_or_default()),
        None => Finding::note(
            "curl",
            "there is no `curl`",
            "plugin bundles that are elsewhere cannot be fetched; nothing else needs it",
            "run `script/setup --yes up`, or install the package `curl` of your distribution",
        ),
    }
}

fn first_line(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    output(program, arguments, folder)?.lines().next().map(str::to_owned)
}

/// What a program prints; nothing if there is no such program, or if it fails.
fn output(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let output =
        Command::new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
