//! Supervisors: processes that end all that a tool of a build has started, together with the tool.
//!
//! A process of a build may leave its group and its session and clear its environment; what it cannot leave is its line
//! of descent. So each tool is started by a process of this program that is a *child subreaper*: whatever the tool
//! leaves behind becomes its child. It ends all of that when the tool ends, when it is told to by SIGTERM, and when
//! image-builder dies.
//!
//! Code of a build that kills its supervisor escapes. It runs as the user of image-builder and could kill that as well.

#[cfg(target_os = "linux")]
mod process;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::OnceLock;

use racetrack_core::tool_launcher::ToolLauncher;

/// The first argument of a supervisor.
const SUPERVISE: &str = "supervise-build-tool";

/// What stands for a number of files that is not limited.
const UNLIMITED: &str = "unlimited";

/// How this process starts tools.
static LAUNCHER: OnceLock<ToolLauncher> = OnceLock::new();

/// The launcher of the tools of all builds.
pub(crate) fn launcher() -> &'static ToolLauncher {
    LAUNCHER.get_or_init(ToolLauncher::direct)
}

/// Has tools supervised by this program. Only for a program whose `main` begins with [`run_if_asked`].
#[cfg(target_os = "linux")]
pub(crate) fn install() {
    // The file as it was when this process was started, whatever has taken its place.
    let program = OsString::from("/proc/self/exe");
    let parent = std::process::id().to_string();
    // This process raises its limit later, and tools are to have the one that it was started with.
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.map_or_else(|| UNLIMITED.to_owned(), |files| files.to_string());
    let supervisor = vec![program, SUPERVISE.into(), parent.into(), files.into()];
    // The only failure is that it is installed already.
    let _ = LAUNCHER.set(ToolLauncher::supervised(supervisor));
}

/// Nothing adopts orphans here, so tools are started as they are, and what leaves their process groups is not found.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn install() {}

/// If this process is a supervisor, does its work.
pub(crate) fn run_if_asked(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    arguments.next()?;
    if arguments.next()? != SUPERVISE {
        return None;
    }
    let (parent, files) = (arguments.next()?, arguments.next()?);
    #[cfg(target_os = "linux")]
    return Some(process::supervise(&parent, &files, &mut arguments));
    #[cfg(not(target_os = "linux"))]
    None
}
