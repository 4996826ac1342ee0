//! What is needed: images of jobs, of instances on targets and of deployments, and build logs that are shown.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use racetrack_store::Deployment;

use super::RetentionError;
use crate::App;
use crate::turns::Turns;

/// What is needed at one moment, or was while it was looked.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The [file names](file_name) of images.
    pub(super) images: HashSet<String>,
    /// Those whose images are needed, whatever these are called.
    pub(super) deployments: HashSet<String>,
    /// Those whose build logs are.
    pub(super) build_logs: HashSet<String>,
}

impl Needs {
    /// Looks what is needed, in this order: a deployment that ends meanwhile leaves its images to a job, and the images that
    /// they take the place of to the target, until the former instance is gone.
    pub(super) async fn look(app: &App, turns: &mut Turns) -> Result<Self, RetentionError> {
        let latest = app.config.retention_deployments;
        let mut needs = Self::default();
        needs.add_deployments(app.store.deployments_in_progress().await?);
        needs.add_deployments(app.store.deployments(latest).await?);
        needs.build_logs = app.store.deployments_with_needed_logs(latest).await?;
        for record in app.store.jobs().await?.as_slice() {
            needs.add_images(&record.image_names);
        }
        let offers = app.offers();
        let names = offers.targets.iter().map(|(name, _)| name);
        let turns: Vec<_> = names.map(|name| (name, turns.next(name))).collect();
        let in_use = turns.into_iter().map(|(name, turn)| async move {
            let turn = turn.ok_or_else(|| RetentionError::BlockedTarget(name.to_owned()))?;
            app.target(name)?.images_in_use(turn).await.map_err(RetentionError::Target)
        });
        for images in try_join_all(in_use).await? {
            needs.add_images(&images);
        }
        Ok(needs)
    }

    /// Whether an image of that name is needed.
    pub(super) fn has_image(&self, name: &str) -> bool {
        self.images.contains(file_name(name))
    }

    fn add_deployments(&mut self, deployments: Vec<Deployment>) {
        for Deployment { id, image_name, .. } in deployments {
            self.add_images(image_name.as_slice());
            self.deployments.insert(id);
        }
    }

    fn add_images(&mut self, names: &[String]) {
        self.images.extend(names.iter().map(|name| file_name(name).to_owned()));
    }
}

/// The end of the name of an image: where the others are may have got another name since.
fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
