//! Which images and build logs are needed, and the removal of build logs that are not.
//!
//! Deployments themselves stay, with their manifests: they are the history of jobs.

use std::collections::HashSet;

use serde_json::Value;

use crate::error::{StoreError, attempt};
use crate::memory::change::Change;
use crate::records::{build_log, deployment_row, setting};
use crate::store::Store;
use crate::transaction::commit;

/// The setting that distinguishes this database from others.
const PLATFORM_ID: &str = "platform_id";

/// How many deployments are read at once.
const PAGE: i64 = 10_000;

/// How many build logs are removed in one transaction: each may have 16 MiB, and others wait to write.
const REMOVED_AT_ONCE: i64 = 50;

impl Store {
    /// What identifies this platform: a UUID that is made once, and stays for as long as the database.
    pub async fn platform_id(&self) -> Result<String, StoreError> {
        if let Some(Value::String(id)) = self.setting(PLATFORM_ID).await? {
            return Ok(id);
        }
        let id = uuid::Uuid::new_v4().to_string();
        let saved = self.write("save the id of this platform", async |transaction| {
            setting::save_first(transaction, PLATFORM_ID, &id).await?;
            Ok(commit((), [Change::Settings]))
        });
        saved.await?;
        // Two may ask for the first time at once; one of them has made it.
        let made = self.setting(PLATFORM_ID).await?;
        Ok(made.as_ref().and_then(Value::as_str).map_or(id, str::to_owned))
    }

    /// Of these ids, those of deployments of this database that are over.
    pub async fn ended_deployments(&self, among: &HashSet<&str>) -> Result<HashSet<String>, StoreError> {
        let mut ended = HashSet::new();
        let mut last = String::new();
        loop {
            let page = deployment_row::ended_ids_after(self.reader(), last, PAGE).await;
            let page = page.map_err(attempt("look which deployments are over"))?;
            let Some(last_of_page) = page.last().cloned() else { return Ok(ended) };
            last = last_of_page;
            ended.extend(page.into_iter().filter(|id| among.contains(id.as_str())));
        }
    }

    /// The deployments whose build logs are needed: those under way, this many that made progress last, and
    /// those of jobs that there are.
    pub async fn deployments_with_needed_logs(&self, latest: u32) -> Result<HashSet<String>, StoreError> {
        let needed = build_log::needed(self.reader(), latest).await;
        Ok(needed.map_err(attempt("look which build logs are needed"))?.into_iter().collect())
    }

    /// Removes the build logs that are not [needed](Self::deployments_with_needed_logs). Returns how many
    /// those were.
    pub async fn remove_build_logs(&self, latest: u32) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let count = self.write("remove build logs", async |transaction| {
                Ok(commit(build_log::remove_unneeded(transaction, latest, REMOVED_AT_ONCE).await?, []))
            });
            match count.await? {
                0 => return Ok(removed),
                count => removed += count,
            }
        }
    }
}
