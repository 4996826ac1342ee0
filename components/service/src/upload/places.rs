//! The room that requests with sources share: on disk for the sources, in memory for the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::UploadError;
use super::splitter::MAX_REST;

/// How large the rest of all requests may be together, in bytes, until what was made of it is needed no more. That
/// takes up to thirty times the memory of its text.
const ALL_RESTS: usize = 4 << 20;

/// How much of the rest may come before more memory is asked for, in bytes.
const USUAL_REST: usize = 16 << 10;

/// What a permit stands for, in bytes.
const UNIT: usize = 1024;

/// How large requests may be.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    /// One of them, in bytes.
    pub request: u64,
    /// The sources of all of them together that are kept, in bytes. One always fits.
    pub all: u64,
    /// How long a request waits for room.
    pub wait: Duration,
}

/// The memory that the small parts of a request have been given. It is free again when this is dropped.
#[derive(Debug)]
pub struct MemoryPlace(#[expect(dead_code, reason = "is there to be dropped")] OwnedSemaphorePermit);

#[derive(Debug)]
pub(super) struct Places {
    limits: UploadLimits,
    disk: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

/// The room of one request.
#[derive(Debug)]
pub(super) struct Place {
    disk: OwnedSemaphorePermit,
    memory: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(limits: UploadLimits) -> Self {
        let all = units(limits.all.max(limits.request)) as usize;
        let disk = Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)));
        Self { limits, disk, memory: Arc::new(Semaphore::new(ALL_RESTS / UNIT)) }
    }

    pub(super) const fn limits(&self) -> &UploadLimits {
        &self.limits
    }

    /// Room for a request of so many bytes; one of unknown length may be as large as any.
    pub(super) async fn enter(&self, declared: Option<u64>) -> Result<Place, UploadError> {
        let limit = self.limits.request;
        let size = declared.unwrap_or(limit);
        if size > limit {
            return Err(UploadError::TooLarge { limit });
        }
        let disk = self.take(&self.disk, units(size)).await;
        let disk = disk.ok_or_else(|| self.full_disk())?;
        let memory = self.take(&self.memory, units(size.min(USUAL_REST as u64))).await;
        Ok(Place { disk, memory: memory.ok_or_else(|| self.full_memory())? })
    }

    /// More memory, once the rest turns out to be large.
    pub(super) async fn grow(&self, place: &mut Place, rest: usize) -> Result<(), UploadError> {
        let held = place.memory.num_permits();
        if held * UNIT >= rest {
            return Ok(());
        }
        let more = units(MAX_REST as u64).saturating_sub(u32::try_from(held).unwrap_or(u32::MAX));
        place.memory.merge(self.take(&self.memory, more).await.ok_or_else(|| self.full_memory())?);
        Ok(())
    }

    async fn take(&self, of: &Arc<Semaphore>, units: u32) -> Option<OwnedSemaphorePermit> {
        let permit = tokio::time::timeout(self.limits.wait, Arc::clone(of).acquire_many_owned(units)).await;
        Some(permit.ok()?.expect("the semaphore is never closed"))
    }

    fn full_disk(&self) -> UploadError {
        UploadError::DiskFull { limit: self.limits.all.max(self.limits.request), wait: self.limits.wait }
    }

    fn full_memory(&self) -> UploadError {
        UploadError::MemoryFull { limit: ALL_RESTS as u64, wait: self.limits.wait }
    }
}

impl Place {
    /// Gives back what is not needed after all.
    pub(super) fn shrink_to(mut self, rest: usize, source: u64) -> (MemoryPlace, OwnedSemaphorePermit) {
        shrink(&mut self.memory, units(rest as u64));
        shrink(&mut self.disk, units(source));
        (MemoryPlace(self.memory), self.disk)
    }
}

fn shrink(permit: &mut OwnedSemaphorePermit, needed: u32) {
    let surplus = permit.num_permits().saturating_sub(needed as usize);
    drop(permit.split(surplus));
}

fn units(size: u64) -> u32 {
    u32::try_from(size.div_ceil(UNIT as u64)).unwrap_or(u32::MAX)
}
