//! The phases of a deployment, in the words that clients of Racetrack show.
//!
//! A deployment stores its phase as text, so a phase is read back from the text. A text that is not one of these is possible: an
//! older version, or a part of Racetrack that is not of this version, may have reported it. It is shown as it is, and
//! whoever decides by the phase treats it as none of these.

use std::fmt;
use std::str::FromStr;

/// What is done for a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Lifecycle asks image-builder for the images.
    Building,
    /// Image-builder does other builds first.
    WaitingForBuilds,
    /// Image-builder fetches the source from git.
    FetchingSource,
    /// Image-builder makes the recipe of the job type ready.
    PreparingBuilder,
    /// Image-builder builds one of the images of the job.
    BuildingImage {
        /// Which one, counted from 1.
        image: usize,
        /// How many there are.
        images: usize,
    },
    /// Image-builder removes what it needed for the build alone.
    CleaningUp,
    /// Image-builder puts the images in their place.
    Finalizing,
    /// The infrastructure target is asked to start the job.
    CreatingResources,
    /// The server of the job starts.
    StartingServer,
    /// The server of the job answers, and its entrypoint is being made.
    InitializingEntrypoint,
    /// The job is up on its new target and not yet gone from its former one.
    LeavingFormerTarget,
    /// The job is up, and plugins are notified.
    PostDeployHooks,
}

/// The text is not that of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a phase of a deployment")]
pub struct UnknownPhase;

/// The phases whose text is always the same.
const FIXED: [(Phase, &str); 11] = [
    (Phase::Building, "building image"),
    (Phase::WaitingForBuilds, "waiting for other builds"),
    (Phase::FetchingSource, "fetching the source code"),
    (Phase::PreparingBuilder, "preparing job type builder"),
    (Phase::CleaningUp, "cleaning up the workspace"),
    (Phase::Finalizing, "finalizing the build"),
    (Phase::CreatingResources, "creating cluster resources"),
    (Phase::StartingServer, "starting Job server"),
    (Phase::InitializingEntrypoint, "initializing Job entrypoint"),
    (Phase::LeavingFormerTarget, "deleting job from a former infrastructure"),
    (Phase::PostDeployHooks, "post-deploy hooks"),
];

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::BuildingImage { image, images } = self {
            return write!(f, "building image ({image}/{images})");
        }
        let text = FIXED.iter().find_map(|(phase, text)| (phase == self).then_some(*text));
        f.write_str(text.expect("every other phase is in the table"))
    }
}

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, UnknownPhase> {
        if let Some((phase, _)) = FIXED.iter().find(|(_, own)| *own == text) {
            return Ok(*phase);
        }
        building_image(text).ok_or(UnknownPhase)
    }
}

fn building_image(text: &str) -> Option<Phase> {
    let numbers = text.strip_prefix("building image (")?.strip_suffix(')')?;
    let (image, images) = numbers.split_once('/')?;
    Some(Phase::BuildingImage { image: image.parse().ok()?, images: images.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_read_back_from_its_text() {
        let built = Phase::BuildingImage { image: 2, images: 3 };
        assert_eq!(built.to_string(), "building image (2/3)");
        for phase in FIXED.map(|(phase, _)| phase).into_iter().chain([built]) {
            assert_eq!(phase.to_string().parse(), Ok(phase));
        }
    }

    #[test]
    fn other_texts_are_not_phases() {
        for text in ["", "Building image", "building image (1)", "building image (1/x)", "resting"] {
            assert_eq!(text.parse::<Phase>(), Err(UnknownPhase), "{text}");
        }
    }
}
