//! Tells xtask the triple of the machine it runs on, so that it need not ask rustc on every build.

fn main() {
    let triple = std::env::var_os("TARGET").expect("cargo tells build scripts the target triple");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=XTASK_HOST_TRIPLE={}", triple.display());
}
