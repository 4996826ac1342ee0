//! Deployments from their claim to their end.

use uuid::Uuid;

use crate::database::clock::seconds;
use crate::error::{Conflict, NotFound, StoreError, attempt, is_taken};
use crate::records::deployment::{Deployment, DeploymentOutcome, NewDeployment};
use crate::records::row::text;
use crate::records::visibility::Visibility;
use crate::records::{build_log, deployment_row, deployment_warnings};
use crate::store::Store;
use crate::transaction::commit;

impl Store {
    /// Claims a version of a job for a deployment, which is in progress from now on.
    ///
    /// # Errors
    /// [`Conflict::DeploymentInProgress`] when the version is claimed already: of any number of concurrent
    /// claims one succeeds.
    pub async fn claim_deployment(&self, new: &NewDeployment) -> Result<Deployment, StoreError> {
        let id = Uuid::new_v4().to_string();
        let claimed = self.write("begin a deployment", async |transaction| {
            deployment_row::insert(transaction, &id, self.clock().tick(), new).await?;
            Ok(commit((), []))
        });
        match claimed.await {
            Err(StoreError::Database { source, .. }) if is_taken(&source) => {
                return Err(self.claimed_by_another(new).await?.into());
            }
            claimed => claimed?,
        }
        self.deployment(&id).await
    }

    /// The deployment of this id.
    pub async fn deployment(&self, id: &str) -> Result<Deployment, StoreError> {
        let found =
            deployment_row::find(self.reader(), id).await.map_err(attempt("look for a deployment"))?;
        found.ok_or_else(|| NotFound::Deployment { id: id.to_owned() }.into())
    }

    /// The deployments that made progress last, latest first.
    pub async fn deployments(&self, limit: u32) -> Result<Vec<Deployment>, StoreError> {
        deployment_row::last_updated(self.reader(), limit).await.map_err(attempt("list the deployments"))
    }

    /// The ids of those deployments that somebody is shown and that made progress last, latest first. The
    /// records may be large, so they are read one by one.
    pub async fn visible_deployments(
        &self,
        visibility: &Visibility,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let ids = deployment_row::visible_ids(self.reader(), visibility, limit).await;
        ids.map_err(attempt("list the deployments"))
    }

    /// The deployment of exactly this version that made progress last, if there ever was one.
    pub async fn latest_deployment(
        &self,
        job_name: &str,
        job_version: &str,
    ) -> Result<Option<Deployment>, StoreError> {
        let found = deployment_row::latest(self.reader(), job_name, job_version).await;
        found.map_err(attempt("look for a deployment"))
    }

    /// The deployments under way, oldest first. When lifecycle starts, these are the ones it was torn from.
    pub async fn deployments_in_progress(&self) -> Result<Vec<Deployment>, StoreError> {
        let found = deployment_row::in_progress(self.reader()).await;
        found.map_err(attempt("list the deployments in progress"))
    }

    /// Says what is being done now. A deployment that is over keeps its phase: what comes late is no
    /// progress.
    pub async fn set_deployment_phase(&self, id: &str, phase: &str) -> Result<(), StoreError> {
        let update_ms = self.clock().tick();
        let set = self.write("set the phase of a deployment", async |transaction| {
            Ok(commit(deployment_row::set_phase(transaction, id, update_ms, phase).await?, []))
        });
        if !set.await? {
            self.deployment(id).await?;
        }
        Ok(())
    }

    /// Adds to what the owner of the deployment should know: a line, or several. What is kept is limited in
    /// number and length; the last line says how many are left out.
    pub async fn add_deployment_warnings(&self, id: &str, lines: &str) -> Result<(), StoreError> {
        let added = self.write("add warnings to a deployment", async |transaction| {
            let former = deployment_row::warnings(transaction, id).await?;
            let former = former.ok_or_else(|| NotFound::Deployment { id: id.to_owned() })?;
            let warnings = deployment_warnings::add(former.as_deref(), &text(lines));
            deployment_row::set_warnings(transaction, id, self.clock().tick(), warnings).await?;
            Ok(commit((), []))
        });
        added.await
    }

    /// Keeps what came of the build, also of a failed one. Of logs of more than 16 MiB the beginning and the
    /// end are kept.
    pub async fn save_build(&self, id: &str, image_name: Option<&str>, logs: &str) -> Result<(), StoreError> {
        let saved = self.write("save the result of a build", async |transaction| {
            if !deployment_row::set_image_name(transaction, id, self.clock().tick(), image_name).await? {
                return Err(NotFound::Deployment { id: id.to_owned() }.into());
            }
            build_log::save(transaction, id, logs).await?;
            Ok(commit((), []))
        });
        saved.await
    }

    /// The build logs of one deployment, if it came to a build.
    pub async fn build_logs(&self, id: &str) -> Result<Option<String>, StoreError> {
        build_log::find(self.reader(), id).await.map_err(attempt("read build logs"))
    }

    /// The build logs of the latest deployment of a version that came to a build.
    pub async fn latest_build_logs(
        &self,
        job_name: &str,
        job_version: &str,
    ) -> Result<Option<String>, StoreError> {
        let found = build_log::latest(self.reader(), job_name, job_version).await;
        found.map_err(attempt("read build logs"))
    }

    /// Ends a deployment. One that is done has neither phase nor error; a failed one keeps its last phase.
    /// The error is cut to [`TextLimit::RECORD`](racetrack_core::TextLimit::RECORD).
    ///
    /// # Errors
    /// [`Conflict::DeploymentOver`] when it has ended already; its outcome stays.
    pub async fn finish_deployment(&self, id: &str, outcome: &DeploymentOutcome) -> Result<(), StoreError> {
        let update_ms = self.clock().tick();
        let finished = self.write("end a deployment", async |transaction| {
            Ok(commit(deployment_row::finish(transaction, id, update_ms, outcome).await?, []))
        });
        if !finished.await? {
            let Deployment { id, .. } = self.deployment(id).await?;
            return Err(Conflict::DeploymentOver { id }.into());
        }
        Ok(())
    }

    async fn claimed_by_another(&self, new: &NewDeployment) -> Result<Conflict, StoreError> {
        let update_ms = deployment_row::last_progress(self.reader(), &new.job_name, &new.job_version).await;
        let update_ms = update_ms.map_err(attempt("look for a deployment"))?;
        Ok(Conflict::DeploymentInProgress {
            job_name: new.job_name.clone(),
            job_version: new.job_version.clone(),
            update_time: update_ms.map(seconds),
        })
    }
}
