//! Paths of the building machine in a finished binary.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memmem;

use crate::cargo::environment::remaps;
use crate::checkout::Checkout;
use crate::plan::PlannedPlugin;
use crate::vendor_folder::VendorFolder;

/// How many bytes before and after a finding are shown, at most. The path of a plugin's folder must fit.
const SURROUNDINGS: usize = 160;

/// A path of the building machine that a binary holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the binary holds `{needle}`, a path of this machine, in `{surroundings}`")]
pub struct Leak {
    /// The path that must not be there.
    pub needle: String,
    /// The readable text it is part of.
    pub surroundings: String,
}

impl Leak {
    /// Who has put the path there, as far as the path tells.
    pub fn origin(&self, plugins: &[Arc<PlannedPlugin>]) -> String {
        let text = self.surroundings.replace('\\', "/");
        if let Some(plugin) = plugins.iter().find(|plugin| text.contains(&plugin.folder)) {
            return described(plugin);
        }
        // registry/src/<index>/<name>-<version>/…
        let downloaded = text.split_once("/registry/src/").and_then(|(_, rest)| rest.split('/').nth(1));
        let built = built_by(&text);
        let packaged = |plugin: &&Arc<PlannedPlugin>| built.as_deref() == Some(&*plugin.package);
        match (downloaded, &built) {
            (None, Some(package)) => plugins.iter().find(packaged).map_or_else(
                || format!("the build script of crate `{package}`"),
                |plugin| format!("the build script of {}", described(plugin)),
            ),
            (Some(name), _) if !name.is_empty() => format!("crate `{name}`"),
            _ => "a crate that the path does not name; look for `env!` with a folder in it".to_owned(),
        }
    }
}

fn described(plugin: &PlannedPlugin) -> String {
    format!("plugin {} ({}, declared at {})", plugin.title(), plugin.source, plugin.declared_at)
}

/// The package whose build script writes to a folder that the text names: `…/build/<package>-<hash>/out`.
fn built_by(text: &str) -> Option<String> {
    text.split("/build/").skip(1).find_map(|rest| {
        let (package, hash) =
            rest.strip_suffix("/out").or_else(|| Some(rest.split_once("/out/")?.0))?.rsplit_once('-')?;
        let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hash && !package.contains('/')).then(|| package.to_owned())
    })
}

/// Where rustup keeps toolchains, if cargo is of one.
fn toolchains(cargo: &Path) -> Option<&Path> {
    cargo.ancestors().find(|folder| folder.ends_with("toolchains"))?.parent()
}

/// Refuses plugins whose source is a path of this machine: binaries name the sources of their plugins.
pub fn check_sources(plugins: &[Arc<PlannedPlugin>], checkout: &Checkout) -> anyhow::Result<()> {
    let needles = needles(checkout);
    for plugin in plugins {
        if let Some(Leak { needle, .. }) = find(plugin.source.as_bytes(), &needles) {
            anyhow::bail!(
                "{} is in `{needle}`, and binaries name the sources of their plugins; move it out of the checkout and of the \
                 home folders, or declare it as a folder",
                described(plugin)
            );
        }
    }
    Ok(())
}

/// The texts that no binary may hold: where the checkout, cargo's home, the user's home, toolchains and vendored things are.
pub fn needles(checkout: &Checkout) -> Vec<Vec<u8>> {
    let remaps = remaps(checkout);
    let mut folders: Vec<&Path> = remaps.iter().map(|remap| remap.from.as_path()).collect();
    folders.extend(checkout.homes.iter().map(PathBuf::as_path));
    folders.extend(checkout.vendor.iter().map(VendorFolder::path));
    folders.extend(toolchains(Path::new(&checkout.cargo)));
    // A folder that is called like what paths are renamed to cannot be told from a renamed path.
    folders.retain(|folder| !remaps.iter().any(|remap| Path::new(&*remap.to).starts_with(folder)));
    folders.into_iter().map(|folder| [folder.as_os_str().as_encoded_bytes(), b"/"].concat()).collect()
}

/// The first of the `needles` that is in the binary.
pub fn find(binary: &[u8], needles: &[Vec<u8>]) -> Option<Leak> {
    needles.iter().find_map(|needle| {
        let start = memmem::find(binary, needle)?;
        let end = start + needle.len();
        let is_text = |byte: &u8| (b' '..=b'~').contains(byte);
        let before = binary[..start].iter().rev().take(SURROUNDINGS).take_while(|byte| is_text(byte)).count();
        let after = binary[end..].iter().take(SURROUNDINGS).take_while(|byte| is_text(byte)).count();
        Some(Leak {
            needle: String::from_utf8_lossy(needle).into_owned(),
            surroundings: String::from_utf8_lossy(&binary[start - before..end + after]).into_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(root: &str) -> Checkout {
        Checkout {
            root: root.into(),
            cargo: "cargo".into(),
            cargo_home: "/h/.cargo".into(),
            homes: vec!["/h".into()],
            offline: false,
            vendor: None,
        }
    }

    #[test]
    fn a_leak_is_shown_with_the_text_around_it() {
        let needles = needles(&checkout("/build/here"));
        let binary = b"\0\x01see /build/here/core/src/lib.rs:3\0\0";
        let leak = find(binary, &needles).unwrap();
        assert_eq!(leak.needle, "/build/here/");
        assert_eq!(leak.surroundings, "see /build/here/core/src/lib.rs:3");
        assert_eq!(find(b"/h/x", &needles).unwrap().needle, "/h/");
        assert_eq!(find(b"/build/hereafter /racetrack/core", &needles), None);
    }

    #[test]
    fn the_origin_is_read_from_the_path() {
        let origin = |surroundings: &str| {
            let leak = Leak { needle: "/c/".to_owned(), surroundings: surroundings.to_owned() };
            leak.origin(&[])
        };
        assert_eq!(origin("/c/registry/src/index-1/tiny-1.0.0/src/lib.rs"), "crate `tiny-1.0.0`");
        let built = "/c/.racetrack/build/release/build/tiny-sys-0123456789abcdef/out";
        for place in [built.to_owned(), format!("see {built}/generated.rs:3")] {
            assert_eq!(origin(&place), "the build script of crate `tiny-sys`", "{place}");
        }
        for unnamed in ["/c/somewhere", "/c/outlet/out.rs", "see /c/src/out/x", "/c/build/x/out/y"] {
            assert!(origin(unnamed).contains("does not name"), "{unnamed}");
        }
    }

    #[test]
    fn toolchains_are_looked_for_unless_they_are_the_system_s() {
        let leaks = |cargo: &str, text: &[u8]| {
            let checkout = Checkout { cargo: cargo.into(), ..checkout("/build/here") };
            find(text, &needles(&checkout)).is_some()
        };
        let rustup = "/usr/local/rustup/toolchains/1.95.0-x86_64-unknown-linux-gnu/bin/cargo";
        assert!(leaks(rustup, b"/usr/local/rustup/toolchains/1.95.0-x86_64-unknown-linux-gnu/bin/rustc"));
        assert!(!leaks("/usr/bin/cargo", b"/usr/lib/os-release") && !leaks("cargo", b"/usr/local/rustup/x"));
    }

    #[test]
    fn vendor_folders_are_looked_for() {
        let mut checkout = checkout("/build/here");
        checkout.vendor = Some(VendorFolder::for_tests("/media/vendor", "index-0"));
        let needles = needles(&checkout);
        let leaks = |text: &[u8]| find(text, &needles).is_some();
        assert!(leaks(b"/media/vendor/crates/x-1.0.0/src/lib.rs") && leaks(b"/media/vendor/plugins/x.zip"));
    }

    #[test]
    fn a_checkout_called_like_the_renamed_path_is_not_looked_for() {
        assert_eq!(find(b"/racetrack/core/src/lib.rs", &needles(&checkout("/racetrack"))), None);
    }
}
