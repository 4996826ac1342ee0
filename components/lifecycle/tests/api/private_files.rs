//! What lifecycle keeps is for its user alone, whatever the umask that it is started with.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{open, service, settings};

#[tokio::test]
async fn what_lifecycle_keeps_is_private() {
    let folder = tempfile::tempdir().expect("can be made");
    let mut settings = settings();
    settings.state_folder = Some(folder.path().join("run/lifecycle"));
    settings.database_url = None;
    settings.auth_key = None;
    let _app = open(service(Vec::new(), Vec::new()), settings).await.expect("opens");
    let mut paths = paths_below(folder.path());
    paths.sort_unstable();
    let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert!(names.contains(&"auth.key") && names.iter().any(|name| name.ends_with("sqlite")), "{names:?}");
    let is_open = |path: &PathBuf| path.metadata().expect("is there").permissions().mode() & 0o077 != 0;
    let open: Vec<_> = paths.iter().filter(|path| is_open(path)).collect();
    assert_eq!(open, Vec::<&PathBuf>::new(), "others may read or change these");
}

#[test]
fn the_umask_does_not_matter() {
    for umask in ["000", "027", "077"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!(r#"umask {umask}; exec "$0" --exact "$1""#)]);
        shell.arg(std::env::current_exe().expect("is a file"));
        shell.arg("private_files::what_lifecycle_keeps_is_private");
        let output = shell.output().expect("can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{umask}: {text}");
    }
}

fn paths_below(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).expect("can be read") {
        let path = entry.expect("can be read").path();
        if path.is_dir() {
            paths.extend(paths_below(&path));
        }
        paths.push(path);
    }
    paths
}
