//! Tables that stay in memory until they change.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

/// How long a table is waited for. After that the one of before is good enough for calls of jobs.
const LOAD_TIME_LIMIT: Duration = Duration::from_secs(10);

/// A table in memory, which is there for as long as it has every change. Its version counts the changes.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    /// Goes up only under the lock of `table`, so that the two are never seen out of step.
    version: watch::Sender<u64>,
    table: RwLock<CachedTable<T>>,
    loading: Mutex<()>,
}

/// A table, and whether it has every change. One that has not is what there is while the database is away.
#[derive(Debug)]
struct CachedTable<T> {
    table: Option<Arc<T>>,
    is_current: bool,
    /// How often it could not be read.
    failures: u64,
    /// Whether it could not be read when that was last tried.
    is_out_of_reach: bool,
}

/// A table that was not read within the time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadTimeout {
    pub(crate) limit: Duration,
}

impl<T> Cache<T> {
    pub(crate) fn new() -> Self {
        let table =
            RwLock::new(CachedTable { table: None, is_current: false, failures: 0, is_out_of_reach: false });
        Self { version: watch::Sender::new(0), table, loading: Mutex::new(()) }
    }

    /// Says that the table changed: the next caller reads it again.
    pub(crate) fn invalidate(&self) {
        let mut cached = self.write();
        cached.is_current = false;
        self.version.send_modify(|version| *version += 1);
    }

    /// Makes a change in memory that the database has; a table that is not in memory is read with it.
    ///
    /// The table that `change` meets may have the change already: it was read after the change was made in
    /// the database, and before this call. What callers hold stays as it is.
    pub(crate) fn patch(&self, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        let mut cached = self.write();
        if let CachedTable { table: Some(table), is_current: true, .. } = &mut *cached {
            change(Arc::make_mut(table));
        }
        self.version.send_modify(|version| *version += 1);
    }

    /// The count of changes, and a way to wait for the next.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The table as of the last change; `load` is called when it is not in memory, by one caller at a time.
    /// When it cannot be read, or not in time, as it was before: calls of jobs go on while the database is
    /// away, and one of them at a time waits for it.
    pub(crate) async fn get<E: From<LoadTimeout>>(
        &self,
        load: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        if let Some(table) = self.current() {
            return Ok(table);
        }
        let loading = timeout(LOAD_TIME_LIMIT, self.load_in_turn(load)).await;
        let error = match loading {
            Ok(Ok(table)) => return Ok(table),
            Ok(Err(error)) => error,
            Err(_) => {
                self.fail();
                LoadTimeout { limit: LOAD_TIME_LIMIT }.into()
            }
        };
        // Readiness and health report that the database is away; each call would be a line more.
        self.read().table.clone().ok_or(error)
    }

    async fn load_in_turn<E>(&self, load: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        let failures = self.read().failures;
        let turn = self.loading.try_lock();
        if let (Err(_), Some(former)) = (&turn, self.former(|cached| cached.is_out_of_reach)) {
            return Ok(former);
        }
        let _turn = match turn {
            Ok(turn) => turn,
            Err(_) => self.loading.lock().await,
        };
        // Somebody else read it meanwhile, or could not.
        if let Some(table) = self.current().or_else(|| self.former(|cached| cached.failures != failures)) {
            return Ok(table);
        }
        let version = *self.version.borrow();
        let loaded = Arc::new(load.await.inspect_err(|_| self.fail())?);
        let mut cached = self.write();
        cached.is_out_of_reach = false;
        // What was read may lack a change that came meanwhile. This caller came before it; the next reads
        // again.
        if *self.version.borrow() == version {
            (cached.table, cached.is_current) = (Some(Arc::clone(&loaded)), true);
        }
        Ok(loaded)
    }

    fn fail(&self) {
        let mut cached = self.write();
        cached.failures += 1;
        cached.is_out_of_reach = true;
    }

    fn former(&self, is_wanted: impl FnOnce(&CachedTable<T>) -> bool) -> Option<Arc<T>> {
        let cached = self.read();
        cached.table.clone().filter(|_| is_wanted(&cached))
    }

    fn current(&self) -> Option<Arc<T>> {
        self.former(|cached| cached.is_current)
    }

    fn read(&self) -> RwLockReadGuard<'_, CachedTable<T>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, CachedTable<T>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    impl From<LoadTimeout> for &'static str {
        fn from(_: LoadTimeout) -> Self {
            "silent"
        }
    }

    async fn get(cache: &Cache<u32>, value: u32) -> u32 {
        *cache.get(async { Ok::<_, &str>(value) }).await.unwrap()
    }

    #[tokio::test]
    async fn a_change_makes_the_next_caller_read() {
        let cache = Cache::new();
        assert_eq!(get(&cache, 1).await, 1);
        assert_eq!(get(&cache, 2).await, 1);
        cache.invalidate();
        assert_eq!(get(&cache, 3).await, 3);
    }

    #[tokio::test]
    async fn a_change_while_reading_is_not_missed() {
        let cache = Cache::new();
        let read = cache.get(async {
            cache.invalidate();
            Ok::<_, &str>(1)
        });
        read.await.unwrap();
        assert_eq!(get(&cache, 2).await, 2);
    }

    #[tokio::test]
    async fn a_patch_is_made_in_memory_and_leaves_what_callers_hold() {
        let cache = Cache::new();
        let versions = cache.versions();
        cache.patch(|_| unreachable!("there is no table yet"));
        let held = cache.get(async { Ok::<_, &str>(1) }).await.unwrap();
        cache.patch(|value| *value += 1);
        assert_eq!((*held, get(&cache, 9).await), (1, 2));
        assert_eq!(*versions.borrow(), 2);
    }

    #[tokio::test]
    async fn a_patch_while_reading_is_not_missed() {
        let cache = Cache::new();
        let read = cache.get(async {
            cache.patch(|value| *value += 1);
            Ok::<_, &str>(1)
        });
        read.await.unwrap();
        assert_eq!(get(&cache, 2).await, 2);
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_read_again_is_what_it_was() {
        let cache = Cache::new();
        assert_eq!(get(&cache, 1).await, 1);
        cache.invalidate();
        assert_eq!(*cache.get(async { Err::<u32, _>("away") }).await.unwrap(), 1);
        cache.patch(|_| unreachable!("it does not have every change"));
        assert_eq!(get(&cache, 2).await, 2);
    }

    #[tokio::test]
    async fn a_failed_read_is_not_kept() {
        let cache = Cache::new();
        assert_eq!(cache.get(async { Err("gone") }).await, Err("gone"));
        assert_eq!(get(&cache, 1).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_is_not_waited_for_without_end() {
        let cache = Cache::<u32>::new();
        assert_eq!(cache.get(pending()).await, Err("silent"));
        assert_eq!(get(&cache, 1).await, 1);
        cache.invalidate();
        assert_eq!(*cache.get(pending::<Result<_, &str>>()).await.unwrap(), 1);
        assert_eq!(get(&cache, 2).await, 2);
    }

    /// Each would wait as long as the one before it, one after the other.
    #[tokio::test(start_paused = true)]
    async fn many_wait_together_for_a_table_that_does_not_come() {
        let cache = Arc::new(Cache::<u32>::new());
        assert_eq!(get(&cache, 1).await, 1);
        cache.invalidate();
        let started = tokio::time::Instant::now();
        let waiting = || {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move { *cache.get(pending::<Result<_, &str>>()).await.unwrap() })
        };
        let all: Vec<_> = (0..100).map(|_| waiting()).collect();
        for one in all {
            assert_eq!(one.await.unwrap(), 1);
        }
        assert_eq!(started.elapsed(), LOAD_TIME_LIMIT);
        // From then on one alone waits.
        let (first, second) = (waiting(), waiting());
        assert_eq!(second.await.unwrap(), 1);
        assert_eq!(started.elapsed(), LOAD_TIME_LIMIT);
        assert_eq!(first.await.unwrap(), 1);
    }
}
