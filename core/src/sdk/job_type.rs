//! Job types: how the images of a job are made.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sdk::job_bundle::BundleRecipe;

/// How a job of this type is built: its images, in order, of which the first one is the entrypoint; or a recipe for a
/// job bundle, which infrastructures without containers start; or both, then the engine decides.
///
/// Both shapes that plugins know are accepted: the image definitions of today, and the older pair of a base image and
/// a Dockerfile template.
///
/// ```
/// use racetrack_core::{ImageDefinition, JobType};
///
/// let today = JobType::from(ImageDefinition::from_job_type("python.Dockerfile"));
/// let older = JobType::from_base_and_template(Some("base.Dockerfile"), Some("job.Dockerfile"));
/// assert_eq!(today.images().len(), 1);
/// assert_eq!(older.images()[0].base_image.as_deref(), Some("base.Dockerfile"));
/// ```
#[derive(Clone)]
pub struct JobType {
    images: Vec<ImageDefinition>,
    recipe: Option<Arc<dyn BundleRecipe>>,
}

/// How one image is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageDefinition {
    /// Where the Dockerfile is.
    pub source: ImageSource,
    /// The path of the Dockerfile. `None` means the one that the job manifest names.
    pub dockerfile_path: Option<String>,
    /// Whether the Dockerfile is a template that is rendered for each job.
    pub template: bool,
    /// The path of the Dockerfile of a base image that is built first, in the older shape.
    pub base_image: Option<String>,
}

/// Where the Dockerfile of an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageSource {
    /// Among the resource files of the plugin; the path is relative to them.
    JobType,
    /// In the workspace of the job; the path is relative to it.
    Job,
}

/// A job type without any image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job type needs at least one image")]
pub struct NoImages;

impl JobType {
    /// A job type of several images.
    ///
    /// # Errors
    /// [`NoImages`] when there is none.
    pub fn new(images: Vec<ImageDefinition>) -> Result<Self, NoImages> {
        if images.is_empty() { Err(NoImages) } else { Ok(Self { images, recipe: None }) }
    }

    /// The older shape: the Dockerfile of a base image, and the template of the Dockerfile of the job. Without a
    /// template, the Dockerfile that the job manifest names is taken from the job.
    pub fn from_base_and_template(base_image: Option<&str>, template: Option<&str>) -> Self {
        let image = match template {
            Some(path) => ImageDefinition::from_job_type(path),
            None => ImageDefinition { dockerfile_path: None, ..ImageDefinition::from_job("") },
        };
        Self::from(ImageDefinition { base_image: base_image.map(str::to_owned), ..image })
    }

    /// A job type that makes job bundles and no images.
    pub fn from_recipe(recipe: impl BundleRecipe) -> Self {
        Self { images: Vec::new(), recipe: Some(Arc::new(recipe)) }
    }

    /// The same job type, able to make job bundles as well.
    #[must_use]
    pub fn with_recipe(mut self, recipe: impl BundleRecipe) -> Self {
        self.recipe = Some(Arc::new(recipe));
        self
    }

    /// The images, in the order in which they are made; empty only if there is a recipe.
    pub fn images(&self) -> &[ImageDefinition] {
        &self.images
    }

    /// The recipe for job bundles.
    pub fn recipe(&self) -> Option<&Arc<dyn BundleRecipe>> {
        self.recipe.as_ref()
    }
}

impl fmt::Debug for JobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recipe = self.recipe.is_some();
        f.debug_struct("JobType").field("images", &self.images).field("recipe", &recipe).finish()
    }
}

impl From<ImageDefinition> for JobType {
    fn from(image: ImageDefinition) -> Self {
        Self { images: vec![image], recipe: None }
    }
}

impl ImageDefinition {
    /// An image whose Dockerfile template is a resource file of the plugin.
    pub fn from_job_type(path: &str) -> Self {
        Self {
            source: ImageSource::JobType,
            dockerfile_path: Some(path.to_owned()),
            template: true,
            base_image: None,
        }
    }

    /// An image whose Dockerfile template is a file of the job.
    pub fn from_job(path: &str) -> Self {
        Self { source: ImageSource::Job, ..Self::from_job_type(path) }
    }

    /// The same image with a Dockerfile that is taken as it is.
    #[must_use]
    pub fn without_template(mut self) -> Self {
        self.template = false;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_type_has_images() {
        assert_eq!(JobType::new(Vec::new()).err(), Some(NoImages));
        let image = ImageDefinition::from_job("Dockerfile").without_template();
        assert_eq!(JobType::new(vec![image.clone()]).expect("has an image").images(), [image]);
    }

    #[test]
    fn the_older_shape_without_a_template_takes_the_dockerfile_of_the_job() {
        let job_type = JobType::from_base_and_template(None, None);
        let [image] = job_type.images() else { panic!("one image") };
        assert_eq!((image.source, image.dockerfile_path.as_deref()), (ImageSource::Job, None));
    }
}
