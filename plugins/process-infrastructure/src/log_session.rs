//! Sessions of people who follow the log of a job.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::text::{LeftOut, TextLimit, rest_of_character, whole_characters};
use racetrack_core::trouble::Trouble;
use racetrack_core::{HookResult, LogsSession, LogsStreamer, OnLine, async_trait};
use tokio::sync::Semaphore;

use crate::instance::Instance;
use crate::instance::log_tail::{self, TailStart};
use crate::instance::replica_log::{LogPiece, ReplicaLog};
use crate::process_target::ProcessTarget;
use crate::state::file::StateError;
use crate::state::job_key::JobKey;
use crate::target::Target;

/// How much of a log is read at a time, and the longest line that is handed out in one piece, in bytes.
const PIECE: usize = 64 * 1024;

/// So many logs are read at once, each on a thread. Reading takes no time, so there need not be a thread per session.
static READING: Semaphore = Semaphore::const_new(4);

/// One reader of the log of one replica.
struct Follower {
    log: Arc<ReplicaLog>,
    prefix: String,
    position: u64,
    /// How many bytes before the position were asked for and are not handed out. The first one may be amid a character.
    left_out: u64,
    /// The beginning of a line whose end was not written yet.
    pending: Vec<u8>,
    trouble: Trouble,
}

/// The readers of one session: those of the instance that stands for the job.
#[derive(Default)]
struct Followers {
    instance: Option<Arc<Instance>>,
    each: Vec<Follower>,
    trouble: Trouble,
}

#[async_trait]
impl LogsStreamer for ProcessTarget {
    async fn create_session(&self, session: LogsSession, on_line: OnLine) -> HookResult {
        let key = JobKey::new(&session.job_name, &session.job_version)?;
        self.0.resume().await?;
        let mut followers = Followers::default();
        let instance = self.0.jobs().get(&key).and_then(|entry| entry.representative().cloned());
        if let Some(instance) = instance {
            followers.begin(&instance, |log| match session.tail {
                None | Some(0) => Ok(TailStart { position: log.bounds()?.end, left_out: 0 }),
                Some(lines) => log_tail::start(log, lines, TextLimit::LOG),
            })?;
        }
        // A session outlives no target, and must not keep one alive.
        let target = Arc::downgrade(&self.0);
        let task = tokio::spawn(follow(target, key, followers, on_line));
        self.0.sessions.add(session.id, task.abort_handle());
        Ok(())
    }

    async fn close_session(&self, session_id: &str) -> HookResult {
        self.0.sessions.close(session_id);
        Ok(())
    }
}

/// What stands before each line of a replica where there are several.
pub(crate) fn prefix(index: usize) -> String {
    format!("[{index}] ")
}

async fn follow(target: Weak<Target>, key: JobKey, mut followers: Followers, on_line: OnLine) {
    const PERIOD: Duration = Duration::from_millis(100);
    loop {
        let Some(target) = target.upgrade() else { return };
        let latest = target.jobs().get(&key).and_then(|entry| entry.representative().cloned());
        drop(target);
        let mut is_quiet = true;
        for follower in &mut followers.each {
            match follower.hand_out(&on_line).await {
                Ok(read_all) => {
                    is_quiet &= read_all;
                    if follower.trouble.ends() {
                        tracing::info!(job = %key, "the log of a job can be read again");
                    }
                }
                Err(error) if follower.trouble.begins() => {
                    tracing::warn!(job = %key, error = chain(&error), "the log of a job cannot be read");
                }
                Err(_) => {}
            }
        }
        if let Some(latest) = latest
            && is_quiet
            && !followers.instance.as_ref().is_some_and(|instance| Arc::ptr_eq(instance, &latest))
        {
            // The job was deployed anew: from here on its new instance is followed, from its first line.
            for follower in &mut followers.each {
                follower.hand_out_rest(&on_line).await;
            }
            match followers.begin(&latest, |_| Ok(TailStart::default())) {
                Ok(()) => continue,
                Err(error) if followers.trouble.begins() => {
                    tracing::warn!(job = %key, error = chain(&error), "the log of a job cannot be followed");
                }
                Err(_) => {}
            }
        }
        if is_quiet {
            tokio::time::sleep(PERIOD).await;
        }
    }
}

impl Followers {
    fn begin(
        &mut self,
        instance: &Arc<Instance>,
        start: impl Fn(&ReplicaLog) -> Result<TailStart, StateError>,
    ) -> Result<(), StateError> {
        let several = instance.logs.len() > 1;
        let each = instance.logs.iter().enumerate().map(|(index, log)| {
            let prefix = if several { prefix(index) } else { String::new() };
            let TailStart { position, left_out } = start(log)?;
            Ok(Follower {
                log: Arc::clone(log),
                prefix,
                position,
                left_out,
                pending: Vec::new(),
                trouble: Trouble::new(),
            })
        });
        self.each = each.collect::<Result<_, StateError>>()?;
        self.instance = Some(Arc::clone(instance));
        Ok(())
    }
}

impl Follower {
    /// Hands out what was written since; tells whether that was all there is.
    async fn hand_out(&mut self, on_line: &OnLine) -> Result<bool, StateError> {
        let (log, position) = (Arc::clone(&self.log), self.position);
        let turn = READING.acquire().await.expect("is never closed");
        let piece = tokio::task::spawn_blocking(move || log.read(position, PIECE)).await;
        drop(turn);
        let LogPiece { mut bytes, next, lost } = piece.expect("reading does not panic")?;
        self.position = next;
        let read_all = bytes.len() < PIECE;
        // Either it was more than is handed out, or the reader was so slow that files were rotated away.
        let left_out = mem::take(&mut self.left_out) + lost;
        if left_out > 0 {
            self.hand_out_rest(on_line).await;
            let rest = rest_of_character(&bytes);
            bytes.drain(..rest);
            on_line(format!("{}{}", self.prefix, LeftOut(left_out + rest as u64))).await;
        }
        self.pending.extend(bytes);
        let mut begin = 0;
        while let Some(length) = self.pending[begin..].iter().position(|byte| *byte == b'\n') {
            let line = &self.pending[begin..begin + length];
            on_line(text(&self.prefix, line.strip_suffix(b"\r").unwrap_or(line))).await;
            begin += length + 1;
        }
        self.pending.drain(..begin);
        if self.pending.len() >= PIECE {
            // The end of the line may be far: it is handed out in pieces, which end where a character does.
            let rest = self.pending.split_off(whole_characters(&self.pending));
            self.hand_out_rest(on_line).await;
            self.pending = rest;
        }
        Ok(read_all)
    }

    async fn hand_out_rest(&mut self, on_line: &OnLine) {
        let rest = mem::take(&mut self.pending);
        if !rest.is_empty() {
            on_line(text(&self.prefix, &rest)).await;
        }
    }
}

fn text(prefix: &str, bytes: &[u8]) -> String {
    format!("{prefix}{}", String::from_utf8_lossy(bytes))
}
