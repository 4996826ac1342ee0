//! Whether the folders of builds can be written, as health and readiness report it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::trouble::Trouble;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::blocking::on_a_thread;

/// How long an answer is good for: however many ask, the folders are written once in that time.
const FRESH: Duration = Duration::from_secs(1);

/// How long a check may take.
const TIME_LIMIT: Duration = Duration::from_secs(4);

/// What is written into each folder, in bytes. Less may fit where no build does.
const SIZE: usize = 256 << 10;

/// Checks folders, one check at a time.
#[derive(Debug)]
pub(crate) struct FolderCheck {
    folders: Vec<PathBuf>,
    last: Mutex<Option<(Instant, Answer)>>,
    trouble: Trouble,
}

type Answer = Result<(), Arc<UnwritableFolder>>;

/// A folder that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnwritableFolder {
    #[error("cannot write into the folder {}", path.display())]
    Failed {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the folders of builds cannot be written within {} s", TIME_LIMIT.as_secs())]
    Slow,
    #[error("the thread of the check ended")]
    Thread(#[source] io::Error),
}

impl FolderCheck {
    pub(crate) fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, last: Mutex::new(None), trouble: Trouble::new() }
    }

    /// Writes a file into each folder, which goes at once.
    pub(crate) async fn check(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some((time, outcome)) = &*last
            && time.elapsed() < FRESH
        {
            return outcome.clone();
        }
        let folders = self.folders.clone();
        let written = timeout(TIME_LIMIT, on_a_thread(move || Ok(folders.into_iter().try_for_each(write))));
        let outcome = match written.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(UnwritableFolder::Thread(error)),
            Err(_) => Err(UnwritableFolder::Slow),
        };
        match &outcome {
            Ok(()) if self.trouble.ends() => tracing::info!("the folders of builds can be written again"),
            Err(error) if self.trouble.begins() => {
                tracing::error!(error = chain(error), "the folders of builds cannot be written");
            }
            _ => {}
        }
        let outcome = outcome.map_err(Arc::new);
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

fn write(folder: PathBuf) -> Result<(), UnwritableFolder> {
    let written = tempfile::tempfile_in(&folder).and_then(|mut file| {
        file.write_all(&vec![0; SIZE])?;
        // Some file systems find only here that they are full.
        file.sync_data()
    });
    written.map_err(|source| UnwritableFolder::Failed { path: folder, source })
}
