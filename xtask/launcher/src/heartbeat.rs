//! A sign of life while another program is silent: cargo says nothing for as long as it compiles one large crate.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a terminal may stay as it is.
const TERMINAL_PAUSE: Duration = Duration::from_secs(1);
/// How long a log may stay as it is.
const LOG_PAUSE: Duration = Duration::from_secs(30);

/// How much of the last line is kept, in bytes: more than a terminal is wide, with its styles.
const KEPT: usize = 2048;

/// Hands on what a program writes for people to standard error. When nothing has come for a while, it shows how long the program has been running.
#[derive(Debug)]
pub struct Heartbeat {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    what: String,
    /// In columns, if standard error is a terminal.
    width: Option<usize>,
    begin: Instant,
}

#[derive(Debug)]
struct State {
    is_over: bool,
    heard: Instant,
    /// The end of what was handed on.
    tail: Vec<u8>,
    /// Whether the line of the cursor was written here.
    is_ours: bool,
}

impl Heartbeat {
    /// Begins to watch. `what` says what is being done, as `Compiling component x`; `width` is that of the terminal in columns,
    /// and nothing where standard error is not a terminal, which then gets a line every 30 seconds.
    pub fn start(what: &str, width: Option<usize>) -> Self {
        let now = Instant::now();
        let state = State { is_over: false, heard: now, tail: Vec::new(), is_ours: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            what: what.to_owned(),
            width,
            begin: now,
        });
        let watching = Arc::clone(&shared);
        let thread = thread::spawn(move || watching.watch(&mut std::io::stderr()));
        Self { shared, thread: Some(thread) }
    }

    /// Hands on what the program has written.
    pub fn pass_on(&self, text: &[u8]) {
        self.shared.pass_on(text, &mut std::io::stderr());
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It only writes, and a terminal that went away is not an error.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn watch(&self, to: &mut impl Write) {
        let pause = if self.width.is_some() { TERMINAL_PAUSE } else { LOG_PAUSE };
        let mut state = self.lock();
        let mut due = state.heard + pause;
        while !state.is_over {
            let now = Instant::now();
            if now < due {
                let waited = self.changed.wait_timeout(state, due - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                due = due.max(state.heard + pause);
                continue;
            }
            self.beat(&mut state, now - self.begin, to);
            due = now + pause;
        }
        if state.is_ours {
            show(b"\x1b[K", to);
        }
    }

    fn beat(&self, state: &mut State, elapsed: Duration, to: &mut impl Write) {
        let seconds = elapsed.as_secs();
        let Some(width) = self.width else {
            show(format!("             {} for {seconds} s so far\n", self.what).as_bytes(), to);
            return;
        };
        // The cursor is left at the start of the line, where cargo expects it.
        let text = bar(&state.tail).unwrap_or_else(|| format!("{:>12} {}", "", self.what));
        let shown: String = text.chars().take(width.saturating_sub(10)).collect();
        show(format!("\x1b[K{shown} {seconds} s\r").as_bytes(), to);
        state.is_ours = true;
    }

    fn pass_on(&self, text: &[u8], to: &mut impl Write) {
        let mut state = self.lock();
        if state.is_ours {
            show(b"\x1b[K", to);
            state.is_ours = false;
        }
        show(text, to);
        state.heard = Instant::now();
        state.tail.extend_from_slice(text);
        let surplus = state.tail.len().saturating_sub(KEPT);
        state.tail.drain(..surplus);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The progress bar that was shown last, without styles, unless something else was shown since.
fn bar(tail: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(tail);
    let last = text.strip_suffix('\r')?.rsplit(['\r', '\n']).next()?;
    let mut plain = String::new();
    let mut characters = last.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            // Up to the letter that ends the sequence.
            let _ = characters.find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    let plain = plain.trim_end();
    plain.contains("Building [").then(|| plain.to_owned())
}

fn show(text: &[u8], to: &mut impl Write) {
    // A terminal that went away is no reason to stop what is being done.
    let _ = to.write_all(text).and_then(|()| to.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(width: Option<usize>) -> Shared {
        let now = Instant::now();
        let state = State { is_over: false, heard: now, tail: Vec::new(), is_ours: false };
        Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            what: "Compiling x".to_owned(),
            width,
            begin: now,
        }
    }

    fn beat(shared: &Shared) -> String {
        let mut to = Vec::new();
        shared.beat(&mut shared.lock(), Duration::from_secs(61), &mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn the_bar_of_cargo_goes_on() {
        let shared = shared(Some(60));
        assert_eq!(beat(&shared), "\x1b[K             Compiling x 61 s\r");
        let mut to = Vec::new();
        shared.pass_on(b"a line\n\x1b[1m    Building\x1b[0m [==> ] 2/3: x      \r", &mut to);
        assert!(to.starts_with(b"\x1b[Ka line"), "the line that was written here is removed");
        assert_eq!(beat(&shared), "\x1b[K    Building [==> ] 2/3: x 61 s\r");
        shared.pass_on(b"\x1b[K   Compiling y v1.0.0\n", &mut to);
        assert_eq!(beat(&shared), "\x1b[K             Compiling x 61 s\r");
    }

    #[test]
    fn lines_fit_into_the_terminal() {
        let shared = shared(Some(20));
        let shown = beat(&shared);
        assert!(shown.len() <= 20 + "\x1b[K\r".len(), "{shown:?}");
    }

    #[test]
    fn logs_get_whole_lines() {
        assert_eq!(beat(&shared(None)), "             Compiling x for 61 s so far\n");
    }
}
