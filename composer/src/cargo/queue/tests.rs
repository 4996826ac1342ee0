//! The queue with the real cargo, on two workspaces that share a crate.

use std::env;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use fs_err as fs;
use tempfile::TempDir;

use super::*;
use crate::checkout::Checkout;
use crate::declaration::Profiles;
use crate::shell::Shell;

/// The linker of the first binary waits until that of the second one is called, for a minute at most.
const LINKER: &str = r#"#!/bin/sh
case "$*" in
*/deps/first-*)
    for attempt in $(seq 600); do
        [ -e "$0.second" ] && break
        sleep 0.1
    done
    [ -e "$0.second" ] || { echo "the second binary is not linked at the same time" >&2; exit 1; } ;;
*/deps/second-*) : > "$0.second" ;;
esac
PATH=${PATH#*:} exec cc "$@"
"#;

struct Site {
    folder: TempDir,
    session: Session,
}

impl Site {
    /// Two workspaces with a crate that has this source.
    fn new(shared: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let package = |name: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n")
        };
        write("shared/Cargo.toml", &package("shared"));
        write("shared/src/lib.rs", shared);
        for component in ["first", "second"] {
            let binary = format!(
                "[[bin]]\nname = \"{component}\"\npath = \"main.rs\"\n[dependencies]\nshared = {{ path = \"../shared\" }}\n"
            );
            write(&format!("{component}/Cargo.toml"), &(package(&binary_package(component)) + &binary));
            write(&format!("{component}/main.rs"), "fn main() {\n    shared::greet();\n}\n");
        }
        write("bin/cc", LINKER);
        fs::set_permissions(root.join("bin/cc"), Permissions::from_mode(0o755)).unwrap();
        let checkout = Checkout {
            cargo: env::var_os("CARGO").unwrap(),
            cargo_home: root.join("home"),
            homes: Vec::new(),
            offline: true,
            vendor: None,
            root,
        };
        Self { folder, session: Session { checkout, shell: Shell::new(false) } }
    }

    /// Compiles both; returns what has become of each, and whether its binary was said to be there.
    fn compile(&self) -> Vec<Option<bool>> {
        let inherited = env::var_os("PATH").unwrap();
        let folders =
            [self.session.checkout.root.join("bin")].into_iter().chain(env::split_paths(&inherited));
        let path = env::join_paths(folders).unwrap();
        let options = CompileOptions {
            profile_name: "dev".to_owned(),
            profile: Profiles::default().0.remove("dev").unwrap(),
            target: None,
            locked: false,
            offline: true,
            variables: vec![("PATH", path)],
        };
        let folders = ["first", "second"].map(|component| self.session.checkout.root.join(component));
        let order = |folder| {
            let component = Path::file_name(folder).unwrap().to_str().unwrap();
            Order { component, folder, target_dir: self.folder.path().join("finished").join(component) }
        };
        let orders: Vec<_> = folders.iter().map(|folder| order(folder)).collect();
        let transcript = Transcript::new(vec!["first".to_owned(), "second".to_owned()], &self.session.shell);
        let is_there = |_, compiled: Result<BuildOutput, _>| compiled.is_ok_and(|it| it.binary.is_file());
        compile(&orders, &options, &self.session, &transcript, is_there)
    }
}

#[test]
fn two_binaries_are_linked_at_the_same_time() {
    assert_eq!(Site::new("pub fn greet() {}\n").compile(), [Some(true), Some(true)]);
}

#[test]
fn nothing_is_begun_after_a_failure() {
    assert_eq!(Site::new("pub fn greet() -> u8 {}\n").compile(), [Some(false), None]);
}
