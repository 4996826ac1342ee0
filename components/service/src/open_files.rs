//! The files that the process may open, and those that it inherited.

use crate::connection_limits::ConnectionLimits;

/// The part of the files that the process may open that is for connections. The rest is for its own work: the database, logs,
/// programs that it starts, and a connection to a job for each call.
#[cfg(unix)]
const PART_FOR_CONNECTIONS: u64 = 2;

/// The part of the connections that one peer may have where there are fewer of them than the settings say.
#[cfg(unix)]
const PART_FOR_A_PEER: usize = 4;

/// Keeps what this process inherited from being inherited by what it starts, and lets it open as many files as the system
/// allows.
///
/// A descriptor that whoever started the component forgot to close would be open in every job and build.
#[cfg(unix)]
pub(crate) fn prepare() {
    use racetrack_core::open_files::note_original_limit;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    close_fds::set_fds_cloexec(3, &[]);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(original) = current.filter(|current| maximum.is_none_or(|maximum| *current < maximum)) else {
        return;
    };
    note_original_limit(original);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the process may open {original} files, and that cannot be raised");
    }
}

/// Limits connections to what the files suffice for.
#[cfg(unix)]
pub(crate) fn fit(limits: ConnectionLimits) -> ConnectionLimits {
    use rustix::process::{Resource, getrlimit};

    let files = getrlimit(Resource::Nofile).current;
    let sufficient = files.and_then(|files| usize::try_from(files / PART_FOR_CONNECTIONS).ok());
    let connections = limits.connections.min(sufficient.unwrap_or(usize::MAX)).max(1);
    if connections >= limits.connections {
        return limits;
    }
    let connections_per_peer = limits.connections_per_peer.min(connections / PART_FOR_A_PEER).max(1);
    let files = files.unwrap_or(u64::MAX);
    tracing::warn!(
        "there may be {connections} connections, not {}, and {connections_per_peer} of one address, not {}: the process may \
         open {files} files only, and half of them are for its own work; raise the limit (ulimit -n), or lower \
         max-connections and max-connections-per-peer",
        limits.connections,
        limits.connections_per_peer
    );
    ConnectionLimits { connections, connections_per_peer, ..limits }
}

/// There is nothing to prepare here.
#[cfg(not(unix))]
pub(crate) fn prepare() {}

/// There is no limit of files here.
#[cfg(not(unix))]
pub(crate) fn fit(limits: ConnectionLimits) -> ConnectionLimits {
    limits
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
    use rustix::process::{Resource, getrlimit};

    use super::*;

    #[test]
    fn what_was_inherited_is_not_passed_on() {
        let inherited = std::fs::File::open("/dev/null").expect("is there");
        fcntl_setfd(&inherited, FdFlags::empty()).expect("is open");
        prepare();
        assert_eq!(fcntl_getfd(&inherited).expect("is open"), FdFlags::CLOEXEC);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum, "the limit is raised");
    }

    #[test]
    fn half_of_the_files_are_for_connections() {
        prepare();
        let limits = ConnectionLimits { connections: usize::MAX, ..ConnectionLimits::default() };
        let half = getrlimit(Resource::Nofile).current.map(|files| usize::try_from(files / 2).expect("fits"));
        let fitting = fit(ConnectionLimits { connections_per_peer: usize::MAX, ..limits });
        assert_eq!(fitting.connections, half.unwrap_or(usize::MAX));
        assert!(half.is_none() || fitting.connections_per_peer == fitting.connections / 4);
        assert_eq!(fit(ConnectionLimits { connections_per_peer: 3, ..limits }).connections_per_peer, 3);
        let few = ConnectionLimits { connections: 7, connections_per_peer: 7, ..limits };
        assert_eq!(fit(few), few);
    }
}
