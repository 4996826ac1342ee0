//! Tables kept in memory until they change.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, watch};

/// A table in memory. Its version counts the changes; what was read before the last change is not served.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    version: watch::Sender<u64>,
    loaded: RwLock<Option<(u64, Arc<T>)>>,
    loading: Mutex<()>,
}

impl<T> Cache<T> {
    pub(crate) fn new() -> Self {
        Self { version: watch::Sender::new(0), loaded: RwLock::new(None), loading: Mutex::new(()) }
    }

    /// Says that the table changed.
    pub(crate) fn invalidate(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// The count of changes, and a way to wait for the next.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The table as of the last change; `load` is called when it is not in memory, by one caller at a time.
    pub(crate) async fn get<E>(&self, load: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        if let Some(table) = self.current() {
            return Ok(table);
        }
        let _turn = self.loading.lock().await;
        if let Some(table) = self.current() {
            return Ok(table);
        }
        // Taken before reading: a change that comes while the table is read makes the next caller read it again.
        let version = *self.version.borrow();
        let table = Arc::new(load.await?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some((version, Arc::clone(&table)));
        Ok(table)
    }

    fn current(&self) -> Option<Arc<T>> {
        let version = *self.version.borrow();
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.as_ref().filter(|(of, _)| *of == version).map(|(_, table)| Arc::clone(table))
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
    async fn a_failed_read_is_not_kept() {
        let cache = Cache::new();
        assert_eq!(cache.get(async { Err("gone") }).await, Err("gone"));
        assert_eq!(get(&cache, 1).await, 1);
    }
}
