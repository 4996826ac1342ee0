//! The source of a job from a git repository.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use racetrack_core::{GitCredentials, git_source};

use super::FetchedSource;
use super::git_address::{GitAddress, GitProtocols, GitSourceError};
use super::git_environment::{git, git_with_credentials};
use crate::build_log::BuildLog;
use crate::process::{self, ProcessError};
use crate::workspace::ScratchFolder;

/// The folder of the repository in the workspace.
const REPOSITORY: &str = "repository";

/// The folder that git keeps to itself.
const GIT_FOLDER: &str = ".git";

/// A place in a git repository that may be fetched.
#[derive(Debug)]
pub(crate) struct GitSource {
    address: GitAddress,
    branch: Option<String>,
    directory: PathBuf,
    protocols: GitProtocols,
}

/// Why there is no source from git.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("cloning git repo: no git credentials configured for a repo; give them to the client")]
    NoCredentials,
    #[error("cloning git repo: authentication failure: the server does not accept the git credentials")]
    Authentication,
    #[error("cloning git repo: git failed: {0}")]
    Clone(String),
    #[error("cloning git repo: git cannot name the revision, does the branch have a commit? {0}")]
    Describe(String),
    #[error("cloning git repo")]
    Process(#[from] ProcessError),
    #[error("branch: {0:?} is no name of a branch")]
    Branch(String),
    #[error("git.directory: `{0}` is no folder of the repository")]
    NoFolder(String),
    #[error("git.directory: `{0}` leaves the repository by a symbolic link")]
    Leaves(String),
    #[error("cannot use what was cloned")]
    Files(#[from] io::Error),
}

impl GitSource {
    /// Checks what the manifest says, before git sees any of it.
    pub(crate) fn parse(
        source: &git_source::GitSource,
        allowed: &GitProtocols,
    ) -> Result<Self, GitSourceError> {
        let address = GitAddress::parse(&source.remote, allowed)?;
        source.branch.as_deref().map_or(Ok(()), git_source::check_branch)?;
        git_source::check_directory(&source.directory)?;
        Ok(Self {
            address,
            branch: source.branch.clone(),
            directory: PathBuf::from(&source.directory),
            protocols: allowed.clone(),
        })
    }
}

/// Clones the repository into the workspace, without its history. `limit` holds for each call of git.
pub(crate) async fn fetch(
    source: &GitSource,
    credentials: Option<&GitCredentials>,
    workspace: &ScratchFolder,
    log: &BuildLog,
    limit: Duration,
) -> Result<FetchedSource, FetchError> {
    let git_in = |folder: &Path| git(folder, &source.protocols);
    if let Some(branch) = &source.branch {
        let mut check = git_in(workspace.path());
        check.args(["check-ref-format", &format!("refs/heads/{branch}")]);
        if !process::run(check, log, limit).await?.status.success() {
            return Err(FetchError::Branch(branch.clone()));
        }
    }
    let mut clone = git_with_credentials(workspace.path(), &source.protocols, &source.address, credentials);
    clone.args(["clone", "--depth=1", "--single-branch", "--no-recurse-submodules"]);
    if let Some(branch) = &source.branch {
        clone.arg(format!("--branch={branch}"));
    }
    clone.args(["--", source.address.as_str(), REPOSITORY]);
    let cloned = process::run(clone, log, limit).await?;
    if !cloned.status.success() {
        return Err(clone_error(&cloned.tail, credentials.is_some()));
    }
    let root = workspace.path().join(REPOSITORY);
    let mut describe = git_in(&root);
    describe.args(["describe", "--long", "--tags", "--dirty", "--always"]);
    let described = process::run(describe, log, limit).await?;
    let git_version = described.tail.lines().next().unwrap_or_default().to_owned();
    if !described.status.success() {
        return Err(FetchError::Describe(git_version));
    }
    let directory = source.directory.clone();
    // The thread holds the workspace: it cannot be removed while something still works in it.
    let held = workspace.clone();
    let job = tokio::task::spawn_blocking(move || {
        let _held = held;
        enter(&root, &directory).map(|job| (root, job))
    });
    let (root, job) = job.await.map_err(io::Error::other)??;
    Ok(FetchedSource { job, root, git_version })
}

/// The folder of the job in a repository, which is no longer one afterwards.
fn enter(root: &Path, directory: &Path) -> Result<PathBuf, FetchError> {
    fs_err::remove_dir_all(root.join(GIT_FOLDER))?;
    let shown = || directory.display().to_string();
    let root = fs_err::canonicalize(root)?;
    let job = root.join(directory).canonicalize().map_err(|_| FetchError::NoFolder(shown()))?;
    if !job.starts_with(&root) {
        return Err(FetchError::Leaves(shown()));
    }
    if job.is_dir() { Ok(job) } else { Err(FetchError::NoFolder(shown())) }
}

/// What went wrong, by what git wrote in English.
fn clone_error(tail: &str, has_credentials: bool) -> FetchError {
    let asks = ["could not read Username", "could not read Password", "Authentication failed"];
    if asks.iter().any(|text| tail.contains(text)) {
        return if has_credentials { FetchError::Authentication } else { FetchError::NoCredentials };
    }
    let is_reason = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
    let mut reasons: Vec<_> = tail.lines().filter(is_reason).collect();
    if reasons.is_empty() {
        reasons.extend(tail.lines().rev().find(|line| !line.trim().is_empty()));
    }
    FetchError::Clone(reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(directory: &str, branch: Option<&str>) -> Result<GitSource, GitSourceError> {
        let source = git_source::GitSource {
            remote: "https://example.com/jobs.git".to_owned(),
            branch: branch.map(str::to_owned),
            directory: directory.to_owned(),
        };
        GitSource::parse(&source, &GitProtocols::default())
    }

    #[test]
    fn a_directory_stays_inside_and_a_branch_is_no_option() {
        assert!(parse("jobs/adder", Some("feature/x")).is_ok());
        assert!(parse("jobs/../..", None).is_err());
        assert!(parse(".", Some("--upload-pack=x")).is_err());
    }

    #[test]
    fn the_reason_is_found_in_what_git_wrote() {
        let asked = "Cloning into 'repository'...\nfatal: could not read Username for 'https://x': terminal prompts disabled\n";
        assert!(matches!(clone_error(asked, false), FetchError::NoCredentials));
        let refused = "fatal: Authentication failed for 'https://x/'\n";
        assert!(matches!(clone_error(refused, true), FetchError::Authentication));
        let other =
            clone_error("Cloning into 'repository'...\nfatal: repository 'https://x/' not found\n", true);
        assert_eq!(
            other.to_string(),
            "cloning git repo: git failed: fatal: repository 'https://x/' not found"
        );
        assert_eq!(clone_error("", false).to_string(), "cloning git repo: git failed: ");
    }
}
