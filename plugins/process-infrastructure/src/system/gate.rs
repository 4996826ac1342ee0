//! Starting a program that is held back before it executes anything, until its process is where it has to be.
//!
//! The process is a shell first, with an empty environment: it waits for a script on its standard input, which sets the
//! environment and puts the program into the shell's place. When lifecycle ends before it has sent the script, the shell
//! ends too.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use racetrack_core::EnvVars;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, OFlags, access, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::system::process::ProcessIdentity;

/// The shell that POSIX asks for.
const SHELL: &str = "/bin/sh";

/// How long the shell may take to read what it waits for. It reads at once, unless somebody has stopped it, and the job's instance is
/// locked meanwhile.
const RELEASE_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Sets variables that a shell cannot set, because it has a meaning or no name for them.
const ENV: &str = "/usr/bin/env";

/// Variables that shells set by themselves, refuse to set or go by.
const SHELL_VARIABLES: &[&str] = &[
    "_",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "EXECIGNORE",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "IFS",
    "LINENO",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "PATHSEP",
    "POSIXLY_CORRECT",
    "PPID",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
];

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Program {
    /// A path, or a name that is looked for in the `PATH` of the environment.
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// The folder it is started in.
    pub(crate) folder: PathBuf,
    /// Its whole environment.
    pub(crate) environment: EnvVars,
    /// Where it writes to.
    pub(crate) log: File,
}

/// A process that has not begun yet. Unless it is released, it never does, and is gone.
#[derive(Debug)]
pub(crate) struct GatedProcess {
    child: Child,
    identity: ProcessIdentity,
    /// What the shell waits for; nothing where there is no shell.
    script: Option<String>,
    released: bool,
}

impl GatedProcess {
    /// Starts the process of a program, as the first of a process group of its own. Where the system has no shell, the
    /// program begins at once.
    pub(crate) fn start(program: Program) -> io::Result<Self> {
        let Program { path: program, arguments, folder, environment, log } = program;
        check(&program, &folder, environment.get("PATH").map(String::as_str))?;
        let has_shell = access(SHELL, Access::EXEC_OK).is_ok();
        let script = if has_shell { Some(script(&program, &environment)?) } else { None };
        let mut command = if has_shell {
            let mut command = Command::new(SHELL);
            command.arg("-s").arg("--").arg(&program).env_clear().stdin(Stdio::piped());
            command
        } else {
            tracing::warn!("{SHELL} is missing: what a job starts in its first moments may outlive it");
            let mut command = Command::new(&program);
            command.env_clear().envs(environment).stdin(Stdio::null());
            command
        };
        command.args(arguments).current_dir(folder).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut child = command.spawn()?;
        match ProcessIdentity::of(i32::try_from(child.id()).expect("process numbers are positive")) {
            Ok(identity) => Ok(Self { child, identity, script, released: false }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    /// The process, which stays the same when the program begins.
    pub(crate) const fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Lets the program begin. Nobody waits for the child here: whoever looks after the process reaps it, and it may
    /// outlive this lifecycle.
    pub(crate) fn release(self) -> io::Result<()> {
        self.release_within(RELEASE_TIME_LIMIT)
    }

    fn release_within(mut self, limit: Duration) -> io::Result<()> {
        if let (Some(script), Some(input)) = (self.script.take(), self.child.stdin.take()) {
            write_within(&input, script.as_bytes(), limit)?;
        }
        self.released = true;
        Ok(())
    }
}

impl Drop for GatedProcess {
    fn drop(&mut self) {
        if !self.released {
            end(&mut self.child);
        }
    }
}

/// Writes a text to a pipe, which may be longer than the pipe takes at once.
fn write_within(pipe: &ChildStdin, mut text: &[u8], limit: Duration) -> io::Result<()> {
    fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    let end = Instant::now() + limit;
    while !text.is_empty() {
        match rustix::io::write(pipe, text) {
            Ok(written) => text = &text[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    let text = "the shell before it does not read its environment";
                    return Err(io::Error::new(ErrorKind::TimedOut, text));
                }
                let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
                match poll(&mut [PollFd::new(pipe, PollFlags::OUT)], Some(&timeout)) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn end(child: &mut Child) {
    drop(child.stdin.take());
    if let Err(error) = child.kill().and_then(|()| child.wait()) {
        tracing::warn!(pid = child.id(), %error, "a process that was not to begin cannot be ended");
    }
}

/// Finds out what a shell would find out too late to be an error of the start.
fn check(program: &Path, folder: &Path, path: Option<&str>) -> io::Result<()> {
    let usable = |candidate: &Path| {
        access(candidate, Access::EXEC_OK)?;
        if candidate.is_dir() { Err(io::Error::from(ErrorKind::PermissionDenied)) } else { Ok(()) }
    };
    if program.components().count() > 1 || program.is_absolute() {
        return usable(&folder.join(program));
    }
    let folders = path.unwrap_or_default().split(':').map(|entry| folder.join(entry));
    let mut found = folders.map(|folder| usable(&folder.join(program)));
    found.find(Result::is_ok).unwrap_or_else(|| Err(ErrorKind::NotFound.into()))
}

/// What makes a shell the program. Other users of the system do not see it, as they would see a command line: only
/// variables that a shell cannot set are on one, for the moment until `env` has become the program.
fn script(program: &Path, environment: &EnvVars) -> io::Result<String> {
    let (plain, odd): (Vec<_>, Vec<_>) = environment.iter().partition(|(name, _)| is_plain(name));
    let mut script = "unset PWD OLDPWD SHLVL\n".to_owned();
    for (name, value) in plain {
        script.extend(["export ", name, "=", &quoted(value), "\n"]);
    }
    script.push_str("exec ");
    if !odd.is_empty() {
        if program.as_os_str().as_encoded_bytes().contains(&b'=') {
            let text = format!(
                "{} cannot be started with the variable `{}`: it has a `=`",
                program.display(),
                odd[0].0
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        script.push_str(ENV);
        for (name, value) in odd {
            script.extend([" ", &quoted(&format!("{name}={value}"))]);
        }
        script.push(' ');
    }
    // The last line: a script that is sent in part starts nothing.
    script.push_str("\"$@\" </dev/null\n");
    Ok(script)
}

/// Whether every shell passes the variable on as it is.
fn is_plain(name: &str) -> bool {
    let is_identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_identifier
        && !SHELL_VARIABLES.contains(&name)
        && !["BASH", "KSH", "LC_"].into_iter().any(|prefix| name.starts_with(prefix))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::Write;

    use rustix::process::{Pid, Signal};

    use super::*;

    struct Started {
        folder: tempfile::TempDir,
        process: GatedProcess,
    }

    fn start(program: &str, arguments: &[&str], environment: &EnvVars) -> io::Result<Started> {
        let folder = tempfile::tempdir().unwrap();
        let process = GatedProcess::start(Program {
            path: program.into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            folder: folder.path().to_owned(),
            environment: environment.clone(),
            log: File::create(folder.path().join("log")).unwrap(),
        })?;
        Ok(Started { folder, process })
    }

    fn log(folder: &tempfile::TempDir) -> String {
        fs::read_to_string(folder.path().join("log")).unwrap()
    }

    /// Waits for the child itself: who looks after processes is not there.
    fn ended(identity: &ProcessIdentity) {
        while identity.is_alive() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        identity.reap();
    }

    #[test]
    fn the_program_gets_exactly_its_environment_and_arguments() {
        let odd = [
            ("A.B", "d'x\n"),
            ("UID", "17"),
            ("PWD", "/elsewhere"),
            ("_", "u"),
            ("BASH_FUNC_x%%", "() { :; }"),
        ];
        let plain =
            [("PATH", "/usr/bin:/bin"), ("OWN", "a'b \\\"$HOME`id`\n\u{101}\u{1f600}\t"), ("EMPTY", "")];
        let program = "import os, sys; print(sorted(os.environ.items()), sys.argv[1:], os.listdir('/proc/self/fd'), sep='\\n')";
        let arguments = ["-c", program, "-x", "a b", "'", "$HOME", ""];
        let listing = "import os; print(os.listdir('/proc/self/fd'))";
        let usual = Command::new("python3").args(["-c", listing]).stdin(Stdio::null()).output().unwrap();
        let usual = String::from_utf8(usual.stdout).unwrap().trim().to_owned();
        for variables in [&plain[..], &[plain, [odd[0], odd[1], odd[2]], [odd[3], odd[4], odd[3]]].concat()] {
            let environment: EnvVars =
                variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let started = start("python3", &arguments, &environment).unwrap();
            let identity = started.process.identity().clone();
            started.process.release().unwrap();
            ended(&identity);
            let written = log(&started.folder);
            let lines: Vec<_> = written.lines().collect();
            let mut shown: BTreeMap<String, String> = BTreeMap::new();
            for pair in lines[0].trim_matches(['[', ']']).split("), (") {
                let (name, value) = pair.trim_matches(['(', ')']).split_once(", ").unwrap();
                shown.insert(name.trim_matches('\'').to_owned(), value.to_owned());
            }
            // Python itself sets this one where no locale is set.
            shown.remove("LC_CTYPE");
            assert_eq!(shown.keys().collect::<Vec<_>>(), environment.keys().collect::<Vec<_>>());
            assert!(shown["OWN"].contains("ā😀\\t"), "{written}");
            assert!(shown.get("A.B").is_none_or(|value| value == "\"d'x\\n\""), "{written}");
            assert_eq!(lines[1], "['-x', 'a b', \"'\", '$HOME', '']");
            assert_eq!(lines[2], usual, "no descriptor is added");
        }
    }

    #[test]
    fn another_shell_passes_variables_on_as_well() {
        let Ok(bash) = fs::metadata("/bin/bash").map(|_| "/bin/bash") else {
            eprintln!("skipped: there is no /bin/bash");
            return;
        };
        let pairs = [
            ("A", "\u{101}'\n$x"),
            ("UID", "17"),
            ("LC_ALL", "none"),
            ("A.B", ""),
            ("PWD", "/x"),
            ("IFS", "A"),
        ];
        let environment: EnvVars = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut command = Command::new(bash);
        command.arg0("sh").args(["-s", "--", "/usr/bin/env", "-0"]).env_clear().current_dir("/");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let script = script(Path::new("/usr/bin/env"), &environment).unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        let text = String::from_utf8(output.stdout).unwrap();
        let shown = text.split_terminator('\0').map(|pair| pair.split_once('=').unwrap());
        let mut shown: EnvVars = shown.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        // Bash sets these for each program that it starts; no job goes by them.
        for name in ["_", "SHLVL"] {
            shown.remove(name);
        }
        assert_eq!(shown, environment);
    }

    #[test]
    fn what_is_not_released_never_begins() {
        let environment = EnvVars::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let started = start("touch", &["began"], &environment).unwrap();
        let identity = started.process.identity().clone();
        assert!(identity.is_alive());
        drop(started.process);
        assert!(!identity.is_alive() && identity.stat().is_none());
        assert!(!started.folder.path().join("began").exists());
    }

    /// Of more than a pipe takes at once.
    fn large_environment() -> EnvVars {
        let large = (0..4).map(|number| (format!("LARGE{number}"), number.to_string().repeat(100_000)));
        large.chain([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]).collect()
    }

    #[test]
    fn a_large_environment_is_passed_on() {
        let started = start("sh", &["-c", "echo ${#LARGE0} ${#LARGE3}"], &large_environment()).unwrap();
        let identity = started.process.identity().clone();
        started.process.release().unwrap();
        ended(&identity);
        assert_eq!(log(&started.folder), "100000 100000\n");
    }

    #[test]
    fn a_shell_that_reads_nothing_is_not_waited_for() {
        let started = start("touch", &["began"], &large_environment()).unwrap();
        let identity = started.process.identity().clone();
        rustix::process::kill_process(Pid::from_raw(identity.pid).unwrap(), Signal::STOP).unwrap();
        let error = started.process.release_within(Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(!identity.is_alive() && !started.folder.path().join("began").exists());
    }

    #[test]
    fn what_cannot_be_started_is_an_error_at_once() {
        let environment = EnvVars::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        for (program, kind) in [
            ("no-such-program", ErrorKind::NotFound),
            ("/no/such/program", ErrorKind::NotFound),
            ("./no-such-program", ErrorKind::NotFound),
            ("/proc/self/stat", ErrorKind::PermissionDenied),
            ("/usr", ErrorKind::PermissionDenied),
        ] {
            assert_eq!(
                start(program, &[], &environment).err().map(|error| error.kind()),
                Some(kind),
                "{program}"
            );
        }
    }
}
