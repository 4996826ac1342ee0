//! The environment of every cargo call that builds a component. Pure: the same for all components of a checkout,
//! because cargo rebuilds what was built with other flags; and it decides the bytes, so the caller's flags do not get
//! through. Which compilers there are stays the caller's business.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::checkout::{Checkout, HOST_TRIPLE};

/// What a path of the building machine is called in binaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remap {
    /// The path on this machine, canonical.
    pub from: PathBuf,
    /// The same on every machine.
    pub to: Cow<'static, str>,
}

/// Changes to the environment that cargo inherits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Variables to set.
    pub set: Vec<(String, OsString)>,
    /// Variables to remove.
    pub removed: Vec<String>,
}

/// The date that C code sees as its own: 1980-01-01, the first one a ZIP can hold.
pub const SOURCE_DATE_EPOCH: &str = "315532800";

/// What the paths of the building machine are called in binaries: the checkout, cargo's intermediate artefacts, and cargo's
/// home.
pub const RENAMED: [&str; 3] = ["/racetrack", "/racetrack-build", CARGO_HOME];

/// What the home of cargo is called in binaries.
const CARGO_HOME: &str = "/racetrack-cargo";

/// Variables that change how cargo builds, or that `cargo run` set for us and not for it.
const REMOVED: [&str; 9] = [
    "CARGO_BUILD_INCREMENTAL",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_UNSTABLE_TRIM_PATHS",
    "RUSTC_BOOTSTRAP",
    "RUSTFLAGS",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
];
const REMOVED_PREFIXES: [&str; 5] = ["CARGO_PROFILE_", "CARGO_PKG_", "CARGO_MANIFEST_", "CFLAGS", "CXXFLAGS"];
/// Those of compilers for the host or for the target, which would come after ours.
const REMOVED_SUFFIXES: [&str; 2] = ["_CFLAGS", "_CXXFLAGS"];

/// The paths that are renamed; a path inside another one comes after it, because the last match counts.
pub fn remaps(checkout: &Checkout) -> Vec<Remap> {
    let froms = [checkout.root.clone(), checkout.build_dir(), checkout.cargo_home.clone()];
    let renamed = froms.into_iter().zip(RENAMED).map(|(from, to)| Remap { from, to: to.into() });
    let mut remaps: Vec<_> = renamed.collect();
    remaps.extend(checkout.vendor.iter().map(|vendor| Remap {
        from: vendor.crates(),
        // Where a build with a network has the same crates.
        to: format!("{CARGO_HOME}/registry/src/{}", vendor.registry_folder()).into(),
    }));
    remaps.sort_by_key(|remap| remap.from.components().count());
    remaps
}

/// The environment for builds into `target_dir`; `inherited` is that of this process.
pub fn environment(
    checkout: &Checkout,
    target_dir: &Path,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
) -> Environment {
    let remaps = remaps(checkout);
    let inherited: Vec<_> = inherited.into_iter().collect();
    let c_flags = c_flags(&remaps);
    let mut set = vec![
        ("CARGO_ENCODED_RUSTFLAGS".to_owned(), rust_flags(&remaps)),
        ("CARGO_BUILD_BUILD_DIR".to_owned(), checkout.build_dir().into()),
        ("CARGO_TARGET_DIR".to_owned(), target_dir.into()),
        // Canonical, like the path that is renamed: cargo takes it as it is given.
        ("CARGO_HOME".to_owned(), checkout.cargo_home.clone().into()),
        ("CARGO_INCREMENTAL".to_owned(), "0".into()),
        ("SOURCE_DATE_EPOCH".to_owned(), SOURCE_DATE_EPOCH.into()),
        ("CFLAGS".to_owned(), c_flags.clone()),
        ("CXXFLAGS".to_owned(), c_flags),
    ];
    if remaps.iter().any(|remap| needs_quotes(remap.from.as_os_str())) {
        set.push(("CC_SHELL_ESCAPED_FLAGS".to_owned(), "1".into()));
    }
    if cfg!(unix) {
        let triple = HOST_TRIPLE.to_uppercase().replace(['-', '.'], "_");
        set.push((format!("CARGO_TARGET_{triple}_LINKER"), "cc".into()));
    }
    let names = inherited.iter().filter_map(|(name, _)| name.to_str());
    let unwanted = names.filter(|name| {
        REMOVED.contains(name)
            || REMOVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || REMOVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
    });
    let mut removed: Vec<_> = unwanted.map(str::to_owned).collect();
    removed.sort();
    Environment { set, removed }
}

/// Flags separated by 0x1f, because paths may hold blanks.
fn rust_flags(remaps: &[Remap]) -> OsString {
    let mut flags = OsString::new();
    for remap in remaps {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(&remap.from);
        flags.push("=");
        flags.push(&*remap.to);
    }
    flags
}

fn c_flags(remaps: &[Remap]) -> OsString {
    let mut flags = OsString::new();
    for remap in remaps {
        if !flags.is_empty() {
            flags.push(" ");
        }
        let mut flag = OsString::from("-ffile-prefix-map=");
        flag.push(&remap.from);
        flag.push("=");
        flag.push(&*remap.to);
        let quote = if needs_quotes(remap.from.as_os_str()) { "'" } else { "" };
        flags.push(quote);
        flags.push(flag);
        flags.push(quote);
    }
    flags
}

fn needs_quotes(path: &OsStr) -> bool {
    path.to_string_lossy().contains(|c: char| c.is_whitespace() || "\"\\$`&;|<>()*?#~".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor_folder::VendorFolder;

    fn checkout(root: &str, cargo_home: &str) -> Checkout {
        Checkout {
            root: root.into(),
            cargo: "cargo".into(),
            cargo_home: cargo_home.into(),
            homes: Vec::new(),
            offline: false,
            vendor: None,
        }
    }

    fn value(environment: &Environment, name: &str) -> String {
        let found = environment.set.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.to_string_lossy().into_owned()).unwrap_or_default()
    }

    #[test]
    fn nested_paths_come_after_those_that_hold_them() {
        let froms =
            |root, home| remaps(&checkout(root, home)).into_iter().map(|remap| remap.to).collect::<Vec<_>>();
        assert_eq!(froms("/a/b/c", "/h"), ["/racetrack-cargo", "/racetrack", "/racetrack-build"]);
        assert_eq!(froms("/a", "/a/x/y/z/home"), ["/racetrack", "/racetrack-build", "/racetrack-cargo"]);
    }

    #[test]
    fn vendored_crates_are_called_as_if_a_registry_had_given_them() {
        let mut checkout = checkout("/a", "/h");
        checkout.vendor = Some(VendorFolder::for_tests("/a/vendor", "index-0"));
        let last = remaps(&checkout).pop().expect("something is renamed");
        let to = "/racetrack-cargo/registry/src/index-0".into();
        assert_eq!(last, Remap { from: "/a/vendor/crates".into(), to });
    }

    #[test]
    fn what_the_caller_has_set_does_not_get_through() {
        let inherited = ["RUSTFLAGS", "CARGO_PROFILE_RELEASE_LTO", "PATH", "CARGO_PKG_NAME", "CFLAGS"];
        let inherited = inherited.map(|name| (name.into(), "x".into()));
        let environment = environment(&checkout("/a", "/h"), Path::new("/t"), inherited);
        assert_eq!(
            environment.removed,
            ["CARGO_PKG_NAME", "CARGO_PROFILE_RELEASE_LTO", "CFLAGS", "RUSTFLAGS"]
        );
        assert_eq!(value(&environment, "CARGO_INCREMENTAL"), "0");
        assert_eq!(value(&environment, "CARGO_HOME"), "/h");
        assert!(value(&environment, "CFLAGS").starts_with("-ffile-prefix-map=/"));
        assert!(value(&environment, "CXXFLAGS").starts_with("-ffile-prefix-map=/"));
    }

    #[test]
    fn flags_for_c_compilers_do_not_get_through_under_any_name() {
        let names = ["CFLAGS_x86_64_unknown_linux_gnu", "HOST_CFLAGS", "HOST_CXXFLAGS", "TARGET_CFLAGS"];
        let names = [&names[..], &["TARGET_CXXFLAGS"]].concat();
        let inherited = names.iter().chain(&["CC", "HOST_CC"]).map(|name| (name.into(), "x".into()));
        assert_eq!(environment(&checkout("/a", "/h"), Path::new("/t"), inherited).removed, names);
    }

    #[test]
    fn blanks_in_paths_are_kept_apart_from_separators() {
        let environment = environment(&checkout("/a b", "/h"), Path::new("/t"), []);
        let flags = value(&environment, "CARGO_ENCODED_RUSTFLAGS");
        assert_eq!(flags.split('\u{1f}').count(), 3);
        assert!(value(&environment, "CFLAGS").contains("'-ffile-prefix-map=/a b=/racetrack'"));
        assert_eq!(value(&environment, "CC_SHELL_ESCAPED_FLAGS"), "1");
    }
}
