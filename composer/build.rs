//! Gives the crate the triple of the machine it runs on and the compiler it was built with, so that no build has to ask
//! rustc. Cargo builds the crate again with every other compiler.

use std::process::Command;

fn main() {
    let variable = |name: &str| std::env::var_os(name).expect("cargo tells build scripts its settings");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=COMPOSER_HOST_TRIPLE={}", variable("TARGET").display());
    let output = Command::new(variable("RUSTC")).arg("-vV").output().expect("rustc can be started");
    let text = String::from_utf8(output.stdout).expect("rustc prints text");
    let line = text.lines().next().filter(|line| line.starts_with("rustc ")).expect("rustc says its version");
    println!("cargo::rustc-env=COMPOSER_RUSTC_VERSION={line}");
}
