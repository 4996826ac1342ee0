//! What fakes do when they are called: as a test tells them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use racetrack_core::HookResult;
use tokio::sync::Semaphore;

/// What a method does before it works, or instead of that.
#[derive(Clone)]
pub(crate) enum Behaviour {
    Fail(&'static str),
    Panic(&'static str),
    /// Waits for ever.
    Hang,
    /// Waits until the test lets it go on.
    Wait(Arc<Gate>),
}

/// Where a method waits for the test, and the test for the method.
pub(crate) struct Gate {
    reached: Semaphore,
    open: Semaphore,
}

/// The behaviours of the methods of one fake. A method that has none works.
#[derive(Default)]
pub(crate) struct Switches(Mutex<BTreeMap<String, Behaviour>>);

/// What was called, in order.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { reached: Semaphore::new(0), open: Semaphore::new(0) })
    }

    /// Waits until somebody stands before the gate.
    pub(crate) async fn reached(&self) {
        self.reached.acquire().await.expect("is never closed").forget();
    }

    /// Lets one through.
    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }

    pub(crate) async fn pass(&self) {
        self.reached.add_permits(1);
        self.open.acquire().await.expect("is never closed").forget();
    }
}

impl Switches {
    pub(crate) fn set(&self, method: &str, behaviour: Behaviour) {
        self.0.lock().expect("not poisoned").insert(method.to_owned(), behaviour);
    }

    /// Makes the method wait at a gate.
    pub(crate) fn gate(&self, method: &str) -> Arc<Gate> {
        let gate = Gate::new();
        self.set(method, Behaviour::Wait(Arc::clone(&gate)));
        gate
    }

    /// Makes every method work.
    pub(crate) fn clear(&self) {
        self.0.lock().expect("not poisoned").clear();
    }

    /// Does what the method is to do before it works.
    pub(crate) async fn follow(&self, method: &str) -> HookResult {
        let behaviour = self.0.lock().expect("not poisoned").get(method).cloned();
        match behaviour {
            None => Ok(()),
            Some(Behaviour::Fail(text)) => Err(text.into()),
            Some(Behaviour::Panic(text)) => panic!("{text}"),
            Some(Behaviour::Hang) => std::future::pending().await,
            Some(Behaviour::Wait(gate)) => {
                gate.pass().await;
                Ok(())
            }
        }
    }
}

impl Journal {
    pub(crate) fn add(&self, line: String) {
        self.0.lock().expect("not poisoned").push(line);
    }

    /// Takes the lines that hold one of the texts, in order, and forgets the others.
    pub(crate) fn take(&self, texts: &[&str]) -> Vec<String> {
        let lines = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
        lines.into_iter().filter(|line| texts.iter().any(|text| line.contains(text))).collect()
    }
}
