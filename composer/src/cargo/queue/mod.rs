//! Cargo for several workspaces that share their intermediate artefacts.
//!
//! One cargo after the other works on crates that they may share. At its end each works on one that is only its own: the binary of
//! its component, which mostly waits for the linker. Then the next one may begin. It is started before that and held back, so that
//! it has read its workspace by then.

use crate::session::Session;
use std::collections::BTreeSet;
use std::io::PipeReader;
use std::mem::take;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope};

use anyhow::Context;
use cargo_metadata::BuildScript;

use super::command::{CompileOptions, build_command, profile_folder};
use super::held_lock::{HeldLock, hold};
use super::listener::{Heard, Milestone, listen};
use super::process::{CompileError, start, wait};
use crate::plan::binary_package;
use crate::transcript::Transcript;

/// What cargo says while it waits for another one.
const WAITING: &[u8] = b"waiting for file lock on";

/// What is to be compiled.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The component.
    pub component: &'a str,
    /// Its workspace, which is written.
    pub folder: &'a Path,
    /// The folder of its finished artefacts.
    pub target_dir: PathBuf,
}

/// What cargo has built.
#[derive(Debug)]
pub struct BuildOutput {
    /// The binary of the component.
    pub binary: PathBuf,
    /// What ran before something was compiled, now or earlier.
    pub build_scripts: Vec<BuildScript>,
    /// Name and version of every package that something was built of, fresh or anew.
    pub packages: BTreeSet<(String, String)>,
}

/// Compiles workspaces; what is said of order n is said by speaker n of the transcript. When one is compiled, or has failed, `then` is
/// called with its number, while others are compiled. Returns what `then` returns; nothing for orders that were not begun because
/// another one had failed.
pub fn compile<T: Send>(
    orders: &[Order<'_>],
    options: &CompileOptions,
    session: &Session,
    transcript: &Transcript<'_>,
    then: impl Fn(usize, Result<BuildOutput, CompileError>) -> T + Sync,
) -> Vec<Option<T>> {
    let outcomes = orders.iter().map(|_| Mutex::new(None)).collect();
    let has_failed = AtomicBool::new(false);
    let queue = Queue { orders, options, session, transcript, then, outcomes, has_failed };
    if !orders.is_empty() {
        thread::scope(|scope| queue.begin(0, scope));
    }
    let outcomes = queue.outcomes.into_iter();
    outcomes.map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

struct Queue<'a, T, F> {
    orders: &'a [Order<'a>],
    options: &'a CompileOptions,
    session: &'a Session,
    transcript: &'a Transcript<'a>,
    then: F,
    outcomes: Vec<Mutex<Option<T>>>,
    /// Then nothing more is begun.
    has_failed: AtomicBool,
}

/// A cargo behind the one that works.
#[derive(Default)]
enum Next {
    /// None was started.
    #[default]
    Absent,
    /// It is held back, and handed to the thread that listens to it when it may begin.
    HeldBack { lock: HeldLock, cargo: Child, listener: Sender<Child> },
    /// It works.
    LetGo,
}

impl<T: Send, F: Fn(usize, Result<BuildOutput, CompileError>) -> T + Sync> Queue<'_, T, F> {
    /// Has cargo work on an order now, if there is another one and none has failed.
    fn begin<'scope>(&'scope self, number: usize, scope: &'scope Scope<'scope, '_>) {
        if !self.goes_on(number) {
            return;
        }
        self.transcript.speaker(number).begin();
        match start(self.command(number)) {
            Ok((cargo, from)) => self.attend(number, from, || Some(cargo), scope),
            Err(error) => self.end(number, Err(error)),
        }
    }

    fn goes_on(&self, number: usize) -> bool {
        number < self.orders.len() && !self.has_failed.load(Ordering::Relaxed)
    }

    /// Starts a cargo that is held back, if there is another order and a way to hold it back.
    fn prepare<'scope>(&'scope self, number: usize, scope: &'scope Scope<'scope, '_>) -> Next {
        // For another target, cargo has a second lock. And a quiet one does not say that it is at its last crate, nor does it end
        // when this process is killed.
        if !self.goes_on(number) || self.options.target.is_some() || self.session.shell.is_quiet() {
            return Next::Absent;
        }
        let folder = profile_folder(&self.options.profile_name);
        let Some(lock) = hold(&self.session.checkout.build_dir(), folder) else {
            return Next::Absent;
        };
        // Where it cannot be started, that is found out and reported when it is its turn.
        let Ok((cargo, from)) = start(self.command(number)) else {
            return Next::Absent;
        };
        let (listener, may_begin): (_, Receiver<Child>) = channel();
        scope.spawn(move || self.attend(number, from, || may_begin.recv().ok(), scope));
        Next::HeldBack { lock, cargo, listener }
    }

    /// Listens to a cargo to its end; then `working` returns it, or nothing if it was stopped before it could work.
    fn attend<'scope>(
        &'scope self,
        number: usize,
        from: PipeReader,
        working: impl FnOnce() -> Option<Child>,
        scope: &'scope Scope<'scope, '_>,
    ) {
        let mut next = Next::Absent;
        let say = |text: &[u8]| self.transcript.speaker(number).say(text);
        let component = self.orders[number].component;
        let heard = listen(from, component, say, |milestone| match milestone {
            Milestone::Begun => next = self.prepare(number + 1, scope),
            Milestone::LastCrate => self.let_go(&mut next, number + 1),
        });
        let Some(mut cargo) = working() else {
            return;
        };
        let outcome = wait(&mut cargo).and_then(|status| {
            let heard = heard.map_err(CompileError::Answer)?;
            if status.success() { heard.into_compiled(component) } else { Err(heard.into_failure()) }
        });
        if outcome.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
            self.stop(next, number + 1);
        } else {
            self.let_go(&mut next, number + 1);
            if matches!(next, Next::Absent) {
                scope.spawn(move || self.begin(number + 1, scope));
            }
        }
        self.end(number, outcome);
    }

    fn let_go(&self, next: &mut Next, number: usize) {
        if self.has_failed.load(Ordering::Relaxed) {
            return self.stop(take(next), number);
        }
        *next = match take(next) {
            Next::HeldBack { lock, cargo, listener } => {
                // That it has waited for us is not worth a line.
                let speaker = self.transcript.speaker(number);
                speaker.retract(WAITING);
                speaker.begin();
                // Its thread listens until the cargo ends.
                let _ = listener.send(cargo);
                drop(lock);
                Next::LetGo
            }
            other => other,
        };
    }

    /// Ends a cargo that was not let go.
    fn stop(&self, next: Next, number: usize) {
        if let Next::HeldBack { mut cargo, .. } = next {
            self.transcript.speaker(number).silence();
            // It may have ended by itself, and what it would have said is of no use.
            let _ = cargo.kill();
            let _ = cargo.wait();
        }
    }

    fn end(&self, number: usize, outcome: Result<BuildOutput, CompileError>) {
        let outcome = (self.then)(number, outcome);
        *self.outcomes[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.transcript.speaker(number).end();
    }

    fn command(&self, number: usize) -> std::process::Command {
        let Order { folder, target_dir, .. } = &self.orders[number];
        build_command(folder, target_dir, self.options, self.session)
    }
}

impl Heard {
    fn into_compiled(self, component: &str) -> Result<BuildOutput, CompileError> {
        let Self { binary, packages, complaints } = self;
        let package = binary_package(component);
        let binary =
            binary.with_context(|| format!("cargo did not say where the binary of package `{package}` is"));
        let build_scripts = complaints.build_scripts;
        binary.map(|binary| BuildOutput { binary, build_scripts, packages }).map_err(CompileError::Answer)
    }

    fn into_failure(self) -> CompileError {
        CompileError::Failed(Box::new(self.complaints))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
