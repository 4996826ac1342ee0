//! Starting the process of a replica.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use racetrack_core::EnvVars;
use racetrack_core::job_bundle::{JOB_FOLDER, PORT_PLACEHOLDER};

use crate::host::Host;
use crate::instance::{Instance, InstanceRecord, InstanceStatus};
use crate::limits::restore_open_files;
use crate::ports::{self, NoFreePort};
use crate::process::ProcessIdentity;
use crate::process_table::REPLICA_VARIABLE;
use crate::sealed::SealError;
use crate::state_folder::{self, StateError};

/// Why a replica could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("the job is being removed")]
    Retired,
    #[error(transparent)]
    Port(#[from] NoFreePort),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("cannot read the environment of the job")]
    Environment(#[source] SealError),
    #[error("cannot start `{program}`")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
}

/// Starts the process of a replica in a process group of its own, and notes it. The replica keeps its port unless
/// somebody else listens there now.
pub(crate) fn launch(instance: &Instance, index: usize, host: &Host) -> Result<(), LaunchError> {
    // Held until the process is noted: whoever retires the instance either sees the process, or keeps it from starting.
    let change = instance.begin_change();
    let record = instance.record();
    if record.status == InstanceStatus::Retired {
        return Err(LaunchError::Retired);
    }
    let port = usable_port(record.replicas[index].port, host)?;
    change.update(|record| record.replicas[index].port = port)?;

    let folder = instance.folder.join("work").join(index.to_string());
    state_folder::create_folder(&folder)?;
    let environment: EnvVars = host
        .seal()
        .and_then(|seal| seal.read(&instance.environment_file(), &instance.environment_purpose()))
        .map_err(LaunchError::Environment)?;
    let log = instance.logs[index].open_for_writing()?;
    let mut command = command(&record, index, port, &folder, environment);
    let process = start(&mut command, log).map_err(|source| LaunchError::Start {
        program: record.command.first().cloned().unwrap_or_default(),
        source,
    })?;
    let place = host.config.control_group_place();
    let applied = record.limits.apply(process.pid, place.as_ref(), &record.group_of(index));
    change.update(|record| {
        record.applied_limits = applied;
        record.replicas[index].process = Some(process);
        record.replicas[index].failure = None;
    })?;
    Ok(())
}

fn usable_port(port: u16, host: &Host) -> Result<u16, NoFreePort> {
    if port != 0 && ports::is_free(port) {
        return Ok(port);
    }
    let other = host.ports.take()?;
    host.ports.give_back(port);
    Ok(other)
}

fn command(
    record: &InstanceRecord,
    index: usize,
    port: u16,
    folder: &PathBuf,
    environment: EnvVars,
) -> Command {
    let (program, arguments) = record.command.split_first().expect("checked when the job was deployed");
    let program = program.strip_prefix("./").map_or_else(|| program.into(), |path| record.bundle.join(path));
    let mut command = Command::new(program);
    command
        .args(arguments.iter().map(|argument| argument.replace(PORT_PLACEHOLDER, &port.to_string())))
        .current_dir(record.bundle.join(JOB_FOLDER))
        .env_clear()
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .envs(environment)
        .env(REPLICA_VARIABLE, record.mark_of(index))
        .process_group(0);
    command
}

/// Nobody waits for the child here: the supervision of the replica reaps it, and it may outlive this lifecycle.
fn start(command: &mut Command, log: File) -> io::Result<ProcessIdentity> {
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let pid = i32::try_from(child.id()).expect("process numbers are positive");
    if let Err(error) = restore_open_files(pid) {
        tracing::warn!(pid, %error, "this process of a job keeps the limit of open files of lifecycle");
    }
    ProcessIdentity::of(pid)
}
