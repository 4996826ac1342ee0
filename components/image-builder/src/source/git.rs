//! The source of a job from a git repository.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use racetrack_core::{GitCredentials, git_source};
use racetrack_service::source_archive::ArchiveLimits;

use super::FetchedSource;
use super::git_address::{GitAddress, GitProtocols, GitSourceError};
use super::git_environment::{git, git_alone, git_with_credentials, has_proxy, set_proxy};
use super::git_relay::GitRelay;
use super::git_size::{self, MeasureError};
use super::networks::Networks;
use crate::build_log::BuildLog;
use crate::process::{self, Output, ProcessError, ProcessOutcome, Tool};
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
    #[error(
        "git.remote: the repository, or where its server redirects to, is in a network in which none is fetched \
         (refused-git-networks of image-builder)"
    )]
    RefusedNetwork,
    #[error(
        "cloning git repo: there is no repository to fetch at that address: nothing answers there, or what answers has none; \
         whoever runs image-builder finds the reason in its log"
    )]
    Internal,
    #[error("cannot make the way by which git reaches servers")]
    Relay(#[source] io::Error),
    #[error("cloning git repo")]
    Process(#[from] ProcessError),
    #[error("branch: {0:?} is not the name of a branch")]
    Branch(String),
    #[error("git.directory: `{0}` is not a folder of the repository")]
    NoFolder(String),
    #[error("git.directory: `{0}` leaves the repository by a symbolic link")]
    Leaves(String),
    #[error("cloning git repo")]
    Size(#[from] MeasureError),
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

/// How much git may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GitLimits {
    /// How long each call may take.
    pub(crate) time: Duration,
    /// How large the files of the repository may be, and how many there may be.
    pub(crate) tree: ArchiveLimits,
}

/// Clones the repository into the workspace, without its history, and not beyond the limits.
pub(crate) async fn fetch(
    source: &GitSource,
    credentials: Option<&GitCredentials>,
    refused: &Networks,
    workspace: &ScratchFolder,
    log: &BuildLog,
    limits: GitLimits,
) -> Result<FetchedSource, FetchError> {
    let limit = limits.time;
    let root = workspace.path().join(REPOSITORY);
    let git_in = |folder: &Path| git(folder, &source.protocols);
    if let Some(branch) = &source.branch {
        let mut check = git_in(workspace.path());
        check.command.args(["check-ref-format", &format!("refs/heads/{branch}")]);
        if !process::run(check, Output::Logged(log), limit).await?.status.success() {
            return Err(FetchError::Branch(branch.clone()));
        }
    }
    let with_credentials =
        |folder: &Path| git_with_credentials(folder, &source.protocols, &source.address, credentials);
    let mut clone = with_credentials(workspace.path());
    // A proxy that the environment names is the operator's own guard: it looks names up, and decides.
    let has_relay = source.address.is_http() && !has_proxy();
    let relay = if has_relay { Some(GitRelay::start(refused.clone()).await) } else { None };
    let relay = relay.transpose().map_err(FetchError::Relay)?;
    if let Some(relay) = &relay {
        set_proxy(&mut clone.command, &relay.proxy());
    }
    clone.command.args([
        "clone",
        "--template=",
        "--no-checkout",
        "--depth=1",
        "--single-branch",
        "--no-recurse-submodules",
    ]);
    if let Some(branch) = &source.branch {
        clone.command.arg(format!("--branch={branch}"));
    }
    clone.command.args(["--", source.address.as_str(), REPOSITORY]);
    let files_of_git = ArchiveLimits { entries: usize::MAX, ..limits.tree };
    // Of a path of this machine, git links the files of the whole history instead of copying anything.
    let is_linked = source.address.is_path();
    let watched = if is_linked { None } else { Some(files_of_git) };
    // What git says of servers that are not on the Internet is not for everybody who may deploy.
    let shown = if relay.is_some() { Output::Returned(log) } else { Output::Logged(log) };
    let cloned = run_watched(clone, shown, limit, &root, watched).await?;
    let has_failed = !cloned.status.success();
    let listing = git_alone(&root, &source.protocols);
    let listed = if has_failed { Ok(()) } else { git_size::check_tree(listing, limits.tree, limit).await };
    let is_empty = matches!(listed, Err(MeasureError::Listing));
    let is_internal = relay.as_ref().is_some_and(GitRelay::was_internal);
    if relay.as_ref().is_some_and(GitRelay::has_refused) && (has_failed || is_empty) {
        return Err(FetchError::RefusedNetwork);
    }
    let error = has_failed.then(|| clone_error(&cloned.tail, credentials.is_some()));
    if is_internal && (is_empty || error.as_ref().is_some_and(is_about_server)) {
        tracing::warn!(
            git.remote = &*log.redact(source.address.as_str()),
            reason = cloned.tail,
            "a repository is not fetched"
        );
        return Err(FetchError::Internal);
    }
    if relay.is_some() {
        log.line(&cloned.tail);
    }
    error.map_or(Ok(()), Err)?;
    listed?;
    // Files may get larger on the way out: line ends and encodings are converted as the repository wants.
    let mut checkout = with_credentials(&root);
    checkout.command.args(["reset", "--quiet", "--hard"]);
    let size = limits.tree.size.saturating_mul(2);
    let watched = (!is_linked).then_some(ArchiveLimits { entries: usize::MAX, size });
    let checked_out = run_watched(checkout, Output::Logged(log), limit, &root, watched).await?;
    if !checked_out.status.success() {
        return Err(clone_error(&checked_out.tail, credentials.is_some()));
    }
    let mut describe = git_in(&root);
    describe.command.args(["describe", "--long", "--tags", "--dirty", "--always"]);
    let described = process::run(describe, Output::Logged(log), limit).await?;
    let git_version = described.tail.lines().next().unwrap_or_default().to_owned();
    if !described.status.success() {
        return Err(FetchError::Describe(git_version));
    }
    let directory = source.directory.clone();
    // The thread holds the workspace: it cannot be removed while something still works in it.
    let held = workspace.clone();
    let job = tokio::task::spawn_blocking(move || {
        let _held = held;
        let job = enter(&root, &directory)?;
        git_size::measure(&root, limits.tree)?;
        Ok::<_, FetchError>((root, job))
    });
    let (root, job) = job.await.map_err(io::Error::other)??;
    Ok(FetchedSource { job, root, git_version })
}

/// Runs git, which is killed when the repository outgrows the limits.
async fn run_watched(
    git: Tool<'_>,
    output: Output<'_>,
    limit: Duration,
    repository: &Path,
    watched: Option<ArchiveLimits>,
) -> Result<ProcessOutcome, FetchError> {
    let running = process::run(git, output, limit);
    let Some(limits) = watched else { return Ok(running.await?) };
    tokio::select! {
        ended = running => Ok(ended?),
        excess = git_size::outgrown(repository.to_owned(), limits) => Err(MeasureError::from(excess).into()),
    }
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

/// Whether the error leaves open that there is a repository on the server.
fn is_about_server(error: &FetchError) -> bool {
    matches!(error, FetchError::Clone(reason) if !reason.contains("fatal: Remote branch "))
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
    #[cfg(unix)]
    use crate::source::git_size::TooLarge;

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

    #[cfg(unix)]
    #[tokio::test]
    async fn git_is_ended_when_the_repository_outgrows_its_limits() {
        use racetrack_core::redaction::Redaction;
        use racetrack_core::tool_launcher::ToolLauncher;

        use crate::build_log::REDACTED;
        use crate::identifier::DeploymentId;

        let folder = tempfile::tempdir().expect("can be made");
        let id = DeploymentId::parse("5c0a1d9e-7a40-4a8e-9d7c-0242ac120002").expect("valid");
        let log = BuildLog::open(folder.path(), &id, Redaction::new(REDACTED, [""; 0]), 1_000_000)
            .expect("can be opened");
        let run = async |script: &str, size| {
            let repository = folder.path().join(REPOSITORY);
            let launcher = ToolLauncher::direct();
            let mut tool = Tool::new("sh", &launcher);
            tool.command.args(["-c", &format!("mkdir -p {REPOSITORY}/a && cd {REPOSITORY}/a && {script}")]);
            tool.command.current_dir(folder.path());
            let limits = Some(ArchiveLimits { size, entries: usize::MAX });
            run_watched(tool, Output::Logged(&log), Duration::from_mins(1), &repository, limits).await
        };
        assert!(run("echo x > b", 10).await.expect("is small").status.success());
        let endless = "while :; do echo 0123456789 >> b; sleep 0.01; done";
        let error = run(endless, 100).await.expect_err("grows");
        assert!(matches!(error, FetchError::Size(MeasureError::TooLarge(TooLarge::Size(100)))), "{error:?}");
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
