//! Deployments from their claim to their end.

use racetrack_core::text::TextLimit;
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use uuid::Uuid;

use crate::database::clock::seconds;
use crate::error::{Conflict, NotFound, StoreError, attempt, is_taken};
use crate::records::deployment::{Deployment, DeploymentOutcome, NewDeployment};
use crate::records::deployment_warnings;
use crate::records::row::{bounded_text, optional_text, text};
use crate::records::visibility::Visibility;
use crate::store::Store;

/// The most that is kept of the log of a build, in bytes.
const BUILD_LOG: TextLimit = TextLimit::bytes(16 << 20);

impl Store {
    /// Claims a version of a job for a deployment, which is in progress from now on.
    ///
    /// # Errors
    /// [`Conflict::DeploymentInProgress`] when the version is claimed already: of any number of concurrent claims one
    /// succeeds.
    pub async fn claim_deployment(&self, new: &NewDeployment) -> Result<Deployment, StoreError> {
        const ATTEMPT: &str = "begin a deployment";
        const INSERT: &str = "\
            INSERT INTO deployments (id, status, create_ms, update_ms, job_name, job_version, manifest_yaml, \
                infrastructure_target, deployed_by, image_name) \
            VALUES ($1, 'in_progress', $2, $2, $3, $4, $5, $6, $7, $8)";
        let mut transaction = self.begin(ATTEMPT).await?;
        let id = Uuid::new_v4().to_string();
        let inserted = sqlx::query(INSERT)
            .bind(id.clone())
            .bind(self.clock().tick())
            .bind(text(&new.job_name))
            .bind(text(&new.job_version))
            .bind(text(&new.manifest_yaml))
            .bind(optional_text(new.infrastructure_target.as_deref()))
            .bind(optional_text(new.deployed_by.as_deref()))
            .bind(optional_text(new.image_name.as_deref()))
            .execute(&mut *transaction);
        match inserted.await {
            Ok(_) => {}
            Err(error) if is_taken(&error) => {
                drop(transaction);
                return Err(self.claimed_by_another(new).await?.into());
            }
            Err(error) => return Err(attempt(ATTEMPT)(error)),
        }
        self.commit(transaction, ATTEMPT, []).await?;
        self.deployment(&id).await
    }

    /// The deployment of this id.
    pub async fn deployment(&self, id: &str) -> Result<Deployment, StoreError> {
        let found = sqlx::query_as("SELECT * FROM deployments WHERE id = $1").bind(text(id));
        let found = found.fetch_optional(self.reader()).await.map_err(attempt("look for a deployment"))?;
        found.ok_or_else(|| NotFound::Deployment { id: id.to_owned() }.into())
    }

    /// The deployments that made progress last, latest first.
    pub async fn deployments(&self, limit: u32) -> Result<Vec<Deployment>, StoreError> {
        let found = sqlx::query_as("SELECT * FROM deployments ORDER BY update_ms DESC LIMIT $1");
        let found = found.bind(i64::from(limit)).fetch_all(self.reader()).await;
        found.map_err(attempt("list the deployments"))
    }

    /// The ids of those deployments that somebody is shown and that made progress last, latest first. The records may be large,
    /// so they are read one by one.
    pub async fn visible_deployments(
        &self,
        visibility: &Visibility,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        const SELECT: &str = "\
            SELECT id FROM deployments \
            WHERE $2 = 1 OR REPLACE($3, '\n' || job_name || '\n', '') <> $3 \
                OR REPLACE($4, '\n' || job_name || ' ' || job_version || '\n', '') <> $4 \
                OR ($5 <> '' AND deployed_by = $5 AND create_ms >= $6) \
            ORDER BY update_ms DESC LIMIT $1";
        let query = visibility.bind(sqlx::query_as(SELECT).bind(i64::from(limit)));
        let ids: Vec<(String,)> =
            query.fetch_all(self.reader()).await.map_err(attempt("list the deployments"))?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// The deployment of exactly this version that made progress last, if there ever was one.
    pub async fn latest_deployment(
        &self,
        job_name: &str,
        job_version: &str,
    ) -> Result<Option<Deployment>, StoreError> {
        let found = sqlx::query_as(
            "SELECT * FROM deployments WHERE job_name = $1 AND job_version = $2 \
             ORDER BY update_ms DESC LIMIT 1",
        );
        let found = found.bind(text(job_name)).bind(text(job_version)).fetch_optional(self.reader());
        found.await.map_err(attempt("look for a deployment"))
    }

    /// The deployments under way, oldest first. When lifecycle starts, these are the ones it was torn from.
    pub async fn deployments_in_progress(&self) -> Result<Vec<Deployment>, StoreError> {
        let found =
            sqlx::query_as("SELECT * FROM deployments WHERE status = 'in_progress' ORDER BY create_ms");
        found.fetch_all(self.reader()).await.map_err(attempt("list the deployments in progress"))
    }

    /// Says what is being done now. A deployment that is over keeps its phase: what comes late is no progress.
    pub async fn set_deployment_phase(&self, id: &str, phase: &str) -> Result<(), StoreError> {
        let query =
            "UPDATE deployments SET update_ms = $2, phase = $3 WHERE id = $1 AND status = 'in_progress'";
        let query = self.deployment_update(query, id).bind(bounded_text(phase, TextLimit::PHASE));
        match self.run_deployment_update(query, "set the phase of a deployment").await? {
            0 => self.deployment(id).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Adds to what the owner of the deployment should know: a line, or several. What is kept is limited in number and
    /// length; the last line says how many are left out.
    pub async fn add_deployment_warnings(&self, id: &str, lines: &str) -> Result<(), StoreError> {
        const ATTEMPT: &str = "add warnings to a deployment";
        let mut transaction = self.begin(ATTEMPT).await?;
        let kept = sqlx::query_scalar("SELECT warnings FROM deployments WHERE id = $1").bind(text(id));
        let kept: Option<Option<String>> =
            kept.fetch_optional(&mut *transaction).await.map_err(attempt(ATTEMPT))?;
        let kept = kept.ok_or_else(|| NotFound::Deployment { id: id.to_owned() })?;
        let warnings = deployment_warnings::add(kept.as_deref(), &text(lines));
        let query = "UPDATE deployments SET update_ms = $2, warnings = $3 WHERE id = $1";
        let query = self.deployment_update(query, id).bind(warnings);
        query.execute(&mut *transaction).await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, []).await
    }

    /// Keeps what came of the build, also of a failed one. Of logs of more than 16 MiB the beginning and the end are kept.
    pub async fn save_build(&self, id: &str, image_name: Option<&str>, logs: &str) -> Result<(), StoreError> {
        const ATTEMPT: &str = "save the result of a build";
        let mut transaction = self.begin(ATTEMPT).await?;
        let query =
            "UPDATE deployments SET update_ms = $2, image_name = COALESCE($3, image_name) WHERE id = $1";
        let query = self.deployment_update(query, id).bind(optional_text(image_name));
        if query.execute(&mut *transaction).await.map_err(attempt(ATTEMPT))?.rows_affected() == 0 {
            return Err(NotFound::Deployment { id: id.to_owned() }.into());
        }
        let query = "INSERT INTO build_logs (deployment_id, logs) VALUES ($1, $2) \
                     ON CONFLICT (deployment_id) DO UPDATE SET logs = excluded.logs";
        let saved = sqlx::query(query)
            .bind(text(id))
            .bind(bounded_text(logs, BUILD_LOG))
            .execute(&mut *transaction)
            .await;
        saved.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, []).await
    }

    /// The build logs of one deployment, if it came to a build.
    pub async fn build_logs(&self, id: &str) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar("SELECT logs FROM build_logs WHERE deployment_id = $1").bind(text(id));
        found.fetch_optional(self.reader()).await.map_err(attempt("read build logs"))
    }

    /// The build logs of the latest deployment of a version that came to a build.
    pub async fn latest_build_logs(
        &self,
        job_name: &str,
        job_version: &str,
    ) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT logs FROM build_logs JOIN deployments ON id = deployment_id \
             WHERE job_name = $1 AND job_version = $2 ORDER BY update_ms DESC LIMIT 1",
        );
        let found = found.bind(text(job_name)).bind(text(job_version)).fetch_optional(self.reader());
        found.await.map_err(attempt("read build logs"))
    }

    /// Ends a deployment. One that is done has neither phase nor error; a failed one keeps its last phase. The error is cut
    /// to [`TextLimit::RECORD`].
    ///
    /// # Errors
    /// [`Conflict::DeploymentOver`] when it has ended already; its outcome stays.
    pub async fn finish_deployment(&self, id: &str, outcome: &DeploymentOutcome) -> Result<(), StoreError> {
        let query = match outcome {
            DeploymentOutcome::Done => {
                "UPDATE deployments SET update_ms = $2, status = $3, error = $4, phase = NULL \
                 WHERE id = $1 AND status = 'in_progress'"
            }
            DeploymentOutcome::Failed { .. } => {
                "UPDATE deployments SET update_ms = $2, status = $3, error = $4 \
                 WHERE id = $1 AND status = 'in_progress'"
            }
        };
        let (status, error) = match outcome {
            DeploymentOutcome::Done => ("done", None),
            DeploymentOutcome::Failed { error } => ("failed", Some(bounded_text(error, TextLimit::RECORD))),
        };
        let query = self.deployment_update(query, id).bind(status).bind(error);
        match self.run_deployment_update(query, "end a deployment").await? {
            0 => {
                let Deployment { id, .. } = self.deployment(id).await?;
                Err(Conflict::DeploymentOver { id }.into())
            }
            _ => Ok(()),
        }
    }

    /// An update whose first parameters are the id and the time.
    fn deployment_update(&self, statement: &'static str, id: &str) -> Query<'static, Any, AnyArguments> {
        sqlx::query(statement).bind(text(id)).bind(self.clock().tick())
    }

    async fn run_deployment_update(
        &self,
        query: Query<'static, Any, AnyArguments>,
        what: &'static str,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin(what).await?;
        let count = query.execute(&mut *transaction).await.map_err(attempt(what))?.rows_affected();
        self.commit(transaction, what, []).await?;
        Ok(count)
    }

    async fn claimed_by_another(&self, new: &NewDeployment) -> Result<Conflict, StoreError> {
        let query = sqlx::query_scalar(
            "SELECT update_ms FROM deployments WHERE job_name = $1 AND job_version = $2 AND status = 'in_progress'",
        );
        let query = query.bind(text(&new.job_name)).bind(text(&new.job_version));
        let update_ms: Option<i64> =
            query.fetch_optional(self.reader()).await.map_err(attempt("look for a deployment"))?;
        Ok(Conflict::DeploymentInProgress {
            job_name: new.job_name.clone(),
            job_version: new.job_version.clone(),
            update_time: update_ms.map(seconds),
        })
    }
}
