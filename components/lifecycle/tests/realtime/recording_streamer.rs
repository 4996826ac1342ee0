//! A streamer that says what it is asked for.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use racetrack_core::{HookResult, LogsSession, LogsStreamer, OnLine, async_trait};
use tokio::sync::mpsc;

/// What a streamer was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Create(LogsSession),
    Close(String),
}

/// Does what the name of the job says; for most of them it hands out one line while the session is created.
pub(crate) struct RecordingStreamer {
    asked: mpsc::UnboundedSender<Asked>,
    open: Mutex<HashMap<String, OnLine>>,
    may_go_on: Mutex<bool>,
    unblocked: Condvar,
}

impl RecordingStreamer {
    pub(crate) fn start() -> (Arc<Self>, mpsc::UnboundedReceiver<Asked>) {
        let (asked, is_asked) = mpsc::unbounded_channel();
        let (open, may_go_on) = (Mutex::default(), Mutex::new(false));
        (Arc::new(Self { asked, open, may_go_on, unblocked: Condvar::new() }), is_asked)
    }

    /// Whether the session is open.
    pub(crate) fn has(&self, session_id: &str) -> bool {
        self.open.lock().expect("not poisoned").contains_key(session_id)
    }

    /// Ends the wait of threads that are blocked.
    pub(crate) fn unblock(&self) {
        *self.may_go_on.lock().expect("not poisoned") = true;
        self.unblocked.notify_all();
    }

    fn block(&self) {
        // A test that has failed unblocks nobody, and waits for this thread.
        const LONGEST: Duration = Duration::from_secs(30);
        let may_go_on = self.may_go_on.lock().expect("not poisoned");
        let waited = self.unblocked.wait_timeout_while(may_go_on, LONGEST, |may_go_on| !*may_go_on);
        drop(waited.expect("not poisoned"));
    }

    /// Takes the lines of an open session.
    pub(crate) fn on_line(&self, session_id: &str) -> OnLine {
        self.open.lock().expect("not poisoned").get(session_id).cloned().expect("the session is open")
    }
}

#[async_trait]
impl LogsStreamer for RecordingStreamer {
    async fn create_session(&self, session: LogsSession, on_line: OnLine) -> HookResult {
        self.asked.send(Asked::Create(session.clone()))?;
        match session.job_name.as_str() {
            "failing" => return Err("the disk is full".into()),
            "panicking" => panic!("out of lines"),
            "waiting" => std::future::pending().await,
            "blocking" => self.block(),
            "ending" => {
                on_line("the last one".to_owned()).await;
                return Ok(());
            }
            _ => on_line(format!("hello from {} {}", session.job_name, session.job_version)).await,
        }
        self.open.lock().expect("not poisoned").insert(session.id, on_line);
        Ok(())
    }

    async fn close_session(&self, session_id: &str) -> HookResult {
        self.open.lock().expect("not poisoned").remove(session_id);
        self.asked.send(Asked::Close(session_id.to_owned()))?;
        if session_id.contains("unclosable") { Err("it clings".into()) } else { Ok(()) }
    }
}
