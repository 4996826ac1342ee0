//! Jobs that the samples have no equal of.

use std::process::Command;

use racetrack_tests::{Finished, Platform};

/// Says what it is told to say, and what is in its environment.
const WITNESS: &str = "\
import os

class Witness:
    def perform(self, say: str) -> str:
        print(say, flush=True)
        return say

    def environment(self, name: str) -> str:
        return os.environ.get(name, '')

    def auxiliary_endpoints(self) -> dict:
        return {'/environment': self.environment}
";

/// Does not come up.
const BROKEN: &str = "\
class Broken:
    def __init__(self):
        raise RuntimeError('the model is missing')

    def perform(self) -> int:
        return 42
";

/// Writes the job `witness` into the platform's folder, and gives its path.
pub(super) fn write_witness(platform: &Platform) -> String {
    write(platform, "sources/witness", "witness", WITNESS, "https://example.com/witness.git")
}

/// Writes the job `witness` into a git repository in the platform's folder, and gives its manifest.
pub(super) fn write_witness_repository(platform: &Platform) -> String {
    let remote = format!("file://{}", platform.path("repository").display());
    let folder = write(platform, "repository", "witness", WITNESS, &remote);
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "."],
        &[
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.com",
            "commit",
            "--quiet",
            "--message=Witness",
        ],
    ] {
        let _ = Finished::run(Command::new("git").arg("-C").arg(&folder).args(arguments)).succeeded();
    }
    manifest("witness", &remote)
}

/// Writes the job `broken` into the platform's folder, and gives its path.
pub(super) fn write_broken(platform: &Platform) -> String {
    write(platform, "sources/broken", "broken", BROKEN, "https://example.com/broken.git")
}

fn write(platform: &Platform, folder: &str, name: &str, code: &str, remote: &str) -> String {
    platform.write(&format!("{folder}/{name}.py"), code);
    platform.write(&format!("{folder}/job.yaml"), &manifest(name, remote));
    platform.path(folder).display().to_string()
}

fn manifest(name: &str, remote: &str) -> String {
    format!(
        "name: {name}\nowner_email: sample@example.com\nversion: 0.0.1\njobtype: python3:latest\n\
         git: {{remote: '{remote}'}}\njobtype_extra: {{entrypoint_path: {name}.py}}\n"
    )
}
