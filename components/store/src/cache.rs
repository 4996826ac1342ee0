//! Tables kept in memory until they change.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use tokio::sync::{Mutex, watch};

/// A table in memory, which is there for as long as it has every change. Its version counts the changes.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    /// Goes up only under the lock of `table`, so that the two are never seen out of step.
    version: watch::Sender<u64>,
    table: RwLock<Kept<T>>,
    loading: Mutex<()>,
}

/// A table, and whether it has every change. One that has not is what there is while the database is away.
#[derive(Debug)]
struct Kept<T> {
    table: Option<Arc<T>>,
    is_current: bool,
}

impl<T> Cache<T> {
    pub(crate) fn new() -> Self {
        let table = RwLock::new(Kept { table: None, is_current: false });
        Self { version: watch::Sender::new(0), table, loading: Mutex::new(()) }
    }

    /// Says that the table changed: the next caller reads it again.
    pub(crate) fn invalidate(&self) {
        let mut kept = self.write();
        kept.is_current = false;
        self.version.send_modify(|version| *version += 1);
    }

    /// Makes a change in memory that the database has; a table that is not in memory is read with it.
    ///
    /// The table that `change` meets may have the change already: it was read after the change was made in the
    /// database, and before this call. What callers hold stays as it is.
    pub(crate) fn patch(&self, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        let mut kept = self.write();
        if let Kept { table: Some(table), is_current: true } = &mut *kept {
            change(Arc::make_mut(table));
        }
        self.version.send_modify(|version| *version += 1);
    }

    /// The count of changes, and a way to wait for the next.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The table as of the last change; `load` is called when it is not in memory, by one caller at a time. When it cannot be
    /// read, as it was before: calls of jobs go on while the database is away.
    pub(crate) async fn get<E>(&self, load: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        if let Some(table) = self.current() {
            return Ok(table);
        }
        let _turn = self.loading.lock().await;
        if let Some(table) = self.current() {
            return Ok(table);
        }
        let version = *self.version.borrow();
        let loaded = match load.await {
            Ok(loaded) => Arc::new(loaded),
            Err(error) => {
                let former = self.table.read().unwrap_or_else(PoisonError::into_inner).table.clone();
                // Readiness and health report that the database is away; each call would be a line more.
                return former.ok_or(error);
            }
        };
        let mut kept = self.write();
        // What was read may lack a change that came meanwhile. This caller came before it; the next reads again.
        if *self.version.borrow() == version {
            *kept = Kept { table: Some(Arc::clone(&loaded)), is_current: true };
        }
        Ok(loaded)
    }

    fn current(&self) -> Option<Arc<T>> {
        let kept = self.table.read().unwrap_or_else(PoisonError::into_inner);
        kept.table.clone().filter(|_| kept.is_current)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept<T>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn get(cache: &Cache<u32>, value: u32) -> u32 {
        let Ok(table) = cache.get(async { Ok::<_, Infallible>(value) }).await;
        *table
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
            Ok::<_, Infallible>(1)
        });
        let Ok(_) = read.await;
        assert_eq!(get(&cache, 2).await, 2);
    }

    #[tokio::test]
    async fn a_patch_is_made_in_memory_and_leaves_what_callers_hold() {
        let cache = Cache::new();
        let versions = cache.versions();
        cache.patch(|_| unreachable!("there is no table yet"));
        let Ok(held) = cache.get(async { Ok::<_, Infallible>(1) }).await;
        cache.patch(|value| *value += 1);
        assert_eq!((*held, get(&cache, 9).await), (1, 2));
        assert_eq!(*versions.borrow(), 2);
    }

    #[tokio::test]
    async fn a_patch_while_reading_is_not_missed() {
        let cache = Cache::new();
        let read = cache.get(async {
            cache.patch(|value| *value += 1);
            Ok::<_, Infallible>(1)
        });
        let Ok(_) = read.await;
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
}
