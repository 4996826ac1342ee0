//! How the tools of a build are started.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitStatus};

/// Starts the tools of a build, so that all that they start ends with them.
///
/// A process can leave its group and its session, clear its environment, and outlive the tool that started it. So image-builder
/// gives recipes a launcher that puts a *supervisor* before each tool: it ends like the tool, and takes along whatever the
/// tool has started and left behind, also when image-builder itself is killed. To end a supervised tool early, send SIGTERM to
/// its process; SIGKILL ends the supervisor alone. A supervised tool ends when the thread ends that started it.
#[derive(Clone, Debug, Default)]
pub struct ToolLauncher {
    supervisor: Vec<OsString>,
}

impl ToolLauncher {
    /// The exit code of a supervisor that could not start its tool; the last line of its standard error says why.
    pub const NOT_STARTED: i32 = 125;

    /// Starts tools as they are, which is all that can be done outside image-builder.
    pub const fn direct() -> Self {
        Self { supervisor: Vec::new() }
    }

    /// Starts tools by a supervisor: a program and the arguments before those of the tool.
    pub fn supervised(supervisor: Vec<OsString>) -> Self {
        Self { supervisor }
    }

    /// A command for a program, which is looked up in `PATH` unless it is a path.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self.supervisor.split_first() {
            None => Command::new(program),
            Some((supervisor, arguments)) => {
                let mut command = Command::new(supervisor);
                command.args(arguments).arg(program);
                command
            }
        }
    }

    /// Whether there is a supervisor.
    pub const fn is_supervised(&self) -> bool {
        !self.supervisor.is_empty()
    }

    /// Whether a command that ended with this status did not start its program.
    pub fn has_not_started(&self, status: ExitStatus) -> bool {
        self.is_supervised() && status.code() == Some(Self::NOT_STARTED)
    }
}
