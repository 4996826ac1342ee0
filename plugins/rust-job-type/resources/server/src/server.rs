//! Takes connections until the process is told to end, then lets running requests finish.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::connection::{self, TimedStream};
use super::log;
use super::routes::Job;

/// How many connections are served at a time.
const CONNECTIONS: usize = 256;

/// How long requests may go on after the process was told to end.
const GRACE: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be taken, for example because there are too many open files.
const RETRY: Duration = Duration::from_millis(50);

/// Serves the job until SIGTERM or SIGINT.
pub(crate) fn serve(address: SocketAddr, job: Job) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let activity = Arc::new(Activity::default());
    end_on_signal(&activity, listener.local_addr()?)?;
    log::line(&format!("listening on {address}"));
    take_connections(&listener, &Arc::new(job), &activity);
    drop(listener);
    log::line("ending: no more connections are taken");
    activity.wait(GRACE);
    Ok(())
}

/// What goes on, and whether it is to end.
#[derive(Default)]
pub(crate) struct Activity {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: usize,
    connections: usize,
    is_ending: bool,
}

/// A request or a connection that is counted until it is dropped.
pub(crate) struct Counted<'a> {
    activity: &'a Activity,
    count: fn(&mut State) -> &mut usize,
}

impl Activity {
    /// Counts a request, for as long as the result lives.
    pub(crate) fn begin(&self) -> Counted<'_> {
        self.count(|state| &mut state.requests)
    }

    /// Whether no more requests should be taken.
    pub(crate) fn is_ending(&self) -> bool {
        self.state().is_ending
    }

    fn connect(&self) -> Counted<'_> {
        self.count(|state| &mut state.connections)
    }

    fn count(&self, count: fn(&mut State) -> &mut usize) -> Counted<'_> {
        *count(&mut self.state()) += 1;
        Counted { activity: self, count }
    }

    /// Waits until no request is being answered, at most so long.
    fn wait(&self, limit: Duration) {
        let state = self.state();
        let ended = self.changed.wait_timeout_while(state, limit, |state| state.requests > 0);
        let (state, _) = ended.expect("counting does not panic");
        if state.requests > 0 {
            log::line(&format!("{} requests were not finished within {limit:?}", state.requests));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("counting does not panic")
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *(self.count)(&mut self.activity.state()) -= 1;
        self.activity.changed.notify_all();
    }
}

fn take_connections(listener: &TcpListener, job: &Arc<Job>, activity: &Arc<Activity>) {
    loop {
        let stream = listener.accept();
        if activity.is_ending() {
            return;
        }
        match stream {
            Ok((stream, _)) => serve_in_thread(stream, job, activity),
            Err(error) => {
                log::line(&format!("cannot take a connection: {error}"));
                thread::sleep(RETRY);
            }
        }
    }
}

fn serve_in_thread(stream: TcpStream, job: &Arc<Job>, activity: &Arc<Activity>) {
    let (job, activity) = (Arc::clone(job), Arc::clone(activity));
    let started = thread::Builder::new().name("connection".to_owned()).spawn(move || {
        let _connection = activity.connect();
        let served = if activity.state().connections > CONNECTIONS {
            connection::refuse(BufReader::new(TimedStream::new(stream)), 503, "too many connections")
        } else {
            connection::serve(stream, &job, &activity)
        };
        if let Err(error) = served {
            log::line(&format!("connection lost: {error}"));
        }
    });
    if let Err(error) = started {
        log::line(&format!("cannot serve a connection: {error}"));
    }
}

fn end_on_signal(activity: &Arc<Activity>, address: SocketAddr) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let activity = Arc::clone(activity);
    let wait = move || {
        if signals.forever().next().is_some() {
            activity.state().is_ending = true;
            // Nothing but a connection ends the wait for one.
            if let Err(error) = TcpStream::connect(address) {
                log::line(&format!("cannot end: {error}"));
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}
