//! What plugins made, dropped where that can stop nobody.

use std::ops::Deref;

use tokio::runtime::Handle;

/// Something that plugins made. Its destructor is their code as well and may block or panic, so a thread that serves
/// leaves it to another one.
#[derive(Clone, Debug)]
pub struct PluginOwned<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> PluginOwned<T> {
    /// Takes charge of `value`.
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send + 'static> Deref for PluginOwned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("is taken only when dropped")
    }
}

impl<T: Send + 'static> Drop for PluginOwned<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        // Threads of plugins drop it themselves, so that whoever waits for them waits for that too.
        if Handle::try_current().is_ok() {
            // A system that gives no thread drops it here.
            drop(std::thread::Builder::new().name("hook".to_owned()).spawn(move || drop(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread::{self, ThreadId};

    use super::*;

    struct Telling(Sender<ThreadId>);

    impl Drop for Telling {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).expect("somebody listens");
            panic!("not on a thread that serves");
        }
    }

    #[test]
    fn a_thread_that_serves_leaves_it_to_another() {
        let (sender, dropped_on) = channel();
        let owned = PluginOwned::new(Telling(sender));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async { drop(owned) });
        assert_ne!(dropped_on.recv().expect("is dropped"), thread::current().id());
    }

    #[test]
    fn another_thread_drops_it_itself() {
        let (sender, dropped_on) = channel();
        let owned = PluginOwned::new(Telling(sender));
        let thread = thread::spawn(move || drop(owned));
        let id = thread.thread().id();
        thread.join().expect_err("the destructor panics");
        assert_eq!(dropped_on.recv().expect("is dropped"), id);
    }
}
