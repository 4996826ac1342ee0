//! Starting the process of a replica.

use std::fs::File;
use std::io;
use std::path::Path;

use racetrack_core::EnvVars;
use racetrack_core::job_bundle::{JOB_FOLDER, PORT_PLACEHOLDER};

use crate::instance::host::Host;
use crate::instance::{Containment, Instance, InstanceRecord, InstanceStatus};
use crate::state::file::{self, StateError};
use crate::state::seal::SealError;
use crate::system::control_group;
use crate::system::gate::{GatedProcess, Program};
use crate::system::inherited_mark::InheritedMark;
use crate::system::limits::restore_open_files;
use crate::system::ports::{self, NoFreePort};
use crate::system::process_table::REPLICA_VARIABLE;

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

impl LaunchError {
    /// Whether it is not the job that fails: what is kept of it cannot be read or written, on a full disk for example.
    pub(crate) const fn is_of_state(&self) -> bool {
        matches!(self, Self::State(_) | Self::Environment(_))
    }
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
    file::create_folder(&folder)?;
    let environment: EnvVars = host
        .seal()
        .and_then(|seal| seal.read(&instance.environment_file(), &instance.environment_purpose()))
        .map_err(LaunchError::Environment)?;
    let log = instance.logs[index].open_for_writing()?;
    let started = GatedProcess::start(program(&record, index, port, &folder, environment, log));
    let start_error =
        |source| LaunchError::Start { program: record.command.first().cloned().unwrap_or_default(), source };
    let held_back = started.map_err(start_error)?;
    let process = held_back.identity().clone();
    if let Err(error) = restore_open_files(process.pid) {
        tracing::warn!(pid = process.pid, %error, "this process of a job keeps the limit of open files of lifecycle");
    }
    let place = host.config.control_group_place();
    let joined = place
        .map(|place| control_group::hold(&place, &record.group_of(index), process.pid, &record.limits))
        .unwrap_or_default();
    let applied = record.limits.apply(process.pid, joined.limits);
    let held_by = held_by(&record.mark_of(index), process.pid, !joined.groups.is_empty());
    // It begins once it is in its groups, and this is noted: whatever it starts is found.
    // Where it cannot be noted it is not to be: it goes with `held_back`.
    change.commit(|record| {
        record.applied_limits = applied;
        let replica = &mut record.replicas[index];
        replica.process = Some(process);
        replica.failure = None;
        replica.groups = joined.groups;
        replica.held_by = held_by;
    })?;
    held_back.release().map_err(start_error)
}

/// Marks a process, and says by what it is held then.
fn held_by(mark: &str, pid: i32, in_group: bool) -> Containment {
    let marked = InheritedMark::of(mark).put_on(pid);
    match (marked, in_group) {
        (Ok(()), false) => Containment::Rlimit,
        (Ok(()), true) => Containment::Cgroup,
        (Err(error), true) => {
            tracing::debug!(pid, %error, "processes of a job are held by their control group, without an inherited mark");
            Containment::Cgroup
        }
        (Err(error), false) => {
            tracing::warn!(pid, %error, "processes of a job are held by their environment alone");
            Containment::Environment
        }
    }
}

fn usable_port(port: u16, host: &Host) -> Result<u16, NoFreePort> {
    if port != 0 && ports::is_free(port) {
        return Ok(port);
    }
    let other = host.ports.take()?;
    host.ports.give_back(port);
    Ok(other)
}

fn program(
    record: &InstanceRecord,
    index: usize,
    port: u16,
    folder: &Path,
    mut environment: EnvVars,
    log: File,
) -> Program {
    let (program, arguments) = record.command.split_first().expect("checked when the job was deployed");
    let own_folder = folder.to_string_lossy();
    for name in ["HOME", "TMPDIR"] {
        environment.entry(name.to_owned()).or_insert_with(|| own_folder.clone().into_owned());
    }
    environment.insert(REPLICA_VARIABLE.to_owned(), record.mark_of(index));
    Program {
        path: program.strip_prefix("./").map_or_else(|| program.into(), |path| record.bundle.join(path)),
        arguments: arguments
            .iter()
            .map(|argument| argument.replace(PORT_PLACEHOLDER, &port.to_string()))
            .collect(),
        folder: record.bundle.join(JOB_FOLDER),
        environment,
        log,
    }
}
