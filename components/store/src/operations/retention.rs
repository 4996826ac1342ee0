//! What tells which images and build logs are needed, and the removal of build logs that are not.
//!
//! Deployments themselves stay, with their manifests: they are the history of jobs.

use std::collections::HashSet;

use serde_json::Value;

use crate::error::{StoreError, attempt};
use crate::memory::change::Change;
use crate::records::row::json;
use crate::store::Store;

/// The setting that tells this database from others.
const PLATFORM_ID: &str = "platform_id";

/// How many deployments are read at once.
const PAGE: i64 = 10_000;

/// How many build logs are removed in one transaction: each may have 16 MiB, and others wait to write.
const REMOVED_AT_ONCE: i64 = 50;

/// The deployments whose build logs are needed: those under way, the latest, and of each job the one that it is of and the
/// latest that came to a build, whose log is shown.
macro_rules! needed_logs {
    () => {
        "SELECT id FROM deployments WHERE status = 'in_progress' \
        UNION SELECT id FROM (SELECT id FROM deployments ORDER BY update_ms DESC LIMIT $1) AS latest \
        UNION SELECT deployment_id FROM jobs WHERE deployment_id IS NOT NULL \
        UNION SELECT id FROM (SELECT (SELECT d.id FROM deployments AS d \
            JOIN build_logs ON build_logs.deployment_id = d.id \
            WHERE d.job_name = jobs.name AND d.job_version = jobs.version \
            ORDER BY d.update_ms DESC LIMIT 1) AS id FROM jobs) AS shown WHERE id IS NOT NULL"
    };
}

impl Store {
    /// What identifies this platform: a UUID that is made once, and stays for as long as the database.
    pub async fn platform_id(&self) -> Result<String, StoreError> {
        const ATTEMPT: &str = "save the id of this platform";
        const INSERT: &str =
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        if let Some(Value::String(id)) = self.setting(PLATFORM_ID).await? {
            return Ok(id);
        }
        let id = uuid::Uuid::new_v4().to_string();
        let mut transaction = self.begin(ATTEMPT).await?;
        let inserted = async {
            let query = sqlx::query(INSERT).bind(PLATFORM_ID).bind(json(&id)?);
            query.execute(&mut *transaction).await
        };
        inserted.await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, [Change::Settings]).await?;
        // Two may ask for the first time at once; one of them has made it.
        let made = self.setting(PLATFORM_ID).await?;
        Ok(made.as_ref().and_then(Value::as_str).map_or(id, str::to_owned))
    }

    /// Of these ids, those of deployments of this database that are over.
    pub async fn ended_deployments(&self, among: &HashSet<&str>) -> Result<HashSet<String>, StoreError> {
        const SELECT: &str = "SELECT id FROM deployments WHERE id > $1 AND status <> 'in_progress' \
                              ORDER BY id LIMIT $2";
        let mut ended = HashSet::new();
        let mut last = String::new();
        loop {
            let page = sqlx::query_scalar(SELECT).bind(last).bind(PAGE).fetch_all(self.reader()).await;
            let page: Vec<String> = page.map_err(attempt("look which deployments are over"))?;
            let Some(last_of_page) = page.last().cloned() else { return Ok(ended) };
            last = last_of_page;
            ended.extend(page.into_iter().filter(|id| among.contains(id.as_str())));
        }
    }

    /// The deployments whose build logs are needed: those under way, this many that made progress last, and those of jobs
    /// that there are.
    pub async fn deployments_with_needed_logs(&self, latest: u32) -> Result<HashSet<String>, StoreError> {
        let needed =
            sqlx::query_scalar(needed_logs!()).bind(i64::from(latest)).fetch_all(self.reader()).await;
        let needed: Vec<String> = needed.map_err(attempt("look which build logs are needed"))?;
        Ok(needed.into_iter().collect())
    }

    /// Removes the build logs that are not [needed](Self::deployments_with_needed_logs). Returns how many those were.
    pub async fn remove_build_logs(&self, latest: u32) -> Result<u64, StoreError> {
        const ATTEMPT: &str = "remove build logs";
        const DELETE: &str = concat!(
            "DELETE FROM build_logs WHERE deployment_id IN (SELECT deployment_id FROM build_logs ",
            "WHERE deployment_id NOT IN (",
            needed_logs!(),
            ") LIMIT $2)"
        );
        let mut removed = 0;
        loop {
            let mut transaction = self.begin(ATTEMPT).await?;
            let query = sqlx::query(DELETE).bind(i64::from(latest)).bind(REMOVED_AT_ONCE);
            let count = query.execute(&mut *transaction).await.map_err(attempt(ATTEMPT))?.rows_affected();
            self.commit(transaction, ATTEMPT, []).await?;
            removed += count;
            if count == 0 {
                return Ok(removed);
            }
        }
    }
}
