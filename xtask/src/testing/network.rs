//! Commands that run without a network but for the loopback interface.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// The variable that says to a test whether it runs without a network.
const MARK: &str = "RACETRACK_TESTS_WITHOUT_NETWORK";

/// Brings up the loopback interface, which is down in a new namespace, then becomes the command.
const SCRIPT: &str = "ip link set lo up && exec \"$@\"";

/// How this machine takes the network away from a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// `unshare` with these options.
    Namespace(&'static [&'static str]),
    /// It does not.
    None,
}

/// The way that works here. Root needs no namespace of users, and may not be allowed one.
pub(crate) fn isolation() -> Isolation {
    let ways: [&'static [&'static str]; 2] = [&["--net"], &["--net", "--map-current-user", "--keep-caps"]];
    let works = |isolation: &Isolation| {
        let mut command = isolation.command(OsStr::new("true"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ways.map(Isolation::Namespace).into_iter().find(works).unwrap_or(Isolation::None)
}

impl Isolation {
    /// A command that runs `program`; its arguments are yet to be added.
    pub(crate) fn command(self, program: &OsStr) -> Command {
        match self {
            Self::Namespace(options) => {
                let mut command = Command::new("unshare");
                command.args(options).args(["--", "sh", "-c", SCRIPT, "sh"]).arg(program).env(MARK, "1");
                command
            }
            Self::None => Command::new(program),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_interface_is_left() {
        let isolation = isolation();
        if isolation == Isolation::None {
            assert!(std::env::var_os("CI").is_none(), "CI must be able to take the network away");
            return;
        }
        let mut command = isolation.command(OsStr::new("cat"));
        let output = command.arg("/proc/self/net/dev").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<_> = text.lines().skip(2).filter_map(|line| line.trim().split(':').next()).collect();
        assert_eq!(names, ["lo"]);
        let flags = isolation.command(OsStr::new("cat")).arg("/sys/class/net/lo/flags").output();
        // `/sys` may show the interfaces of the namespace that mounted it, whose loopback interface is up as well.
        assert!(flags.is_ok());
    }
}
