//! Job types: how the images of a job are made.

use serde::{Deserialize, Serialize};

/// How the images of a job of this type are made, in order; the first one is the entrypoint.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobType {
    images: Vec<ImageDefinition>,
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
        if images.is_empty() { Err(NoImages) } else { Ok(Self { images }) }
    }

    /// The older shape: the Dockerfile of a base image, and the template of the Dockerfile of the job. Without a
    /// template, the Dockerfile that the job manifest names is taken from the job.
    pub fn from_base_and_template(base_image: Option<&str>, template: Option<&str>) -> Self {
        let image = match template {
            Some(path) => ImageDefinition::from_job_type(path),
            None => ImageDefinition { dockerfile_path: None, ..ImageDefinition::from_job("") },
        };
        Self { images: vec![ImageDefinition { base_image: base_image.map(str::to_owned), ..image }] }
    }

    /// The images, in the order in which they are made; never empty.
    pub fn images(&self) -> &[ImageDefinition] {
        &self.images
    }
}

impl From<ImageDefinition> for JobType {
    fn from(image: ImageDefinition) -> Self {
        Self { images: vec![image] }
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
        assert_eq!(JobType::new(Vec::new()), Err(NoImages));
        let image = ImageDefinition::from_job("Dockerfile").without_template();
        assert_eq!(JobType::new(vec![image.clone()]), Ok(JobType::from(image)));
    }

    #[test]
    fn the_older_shape_without_a_template_takes_the_dockerfile_of_the_job() {
        let job_type = JobType::from_base_and_template(None, None);
        let [image] = job_type.images() else { panic!("one image") };
        assert_eq!((image.source, image.dockerfile_path.as_deref()), (ImageSource::Job, None));
    }
}
