//! The folder of the cache in which one job is compiled: its source, and the program generated around it.
//!
//! Cargo tells changed files by their times, and a bundle brings those of its author. So the source is copied, and only
//! files whose content changed are written anew: what did not change is not compiled again, and what did change is.
//! Every path below a folder that builds share names the job, because cargo takes packages of one name, version and
//! relative path for the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use racetrack_core::job_bundle::CACHE_ENTRY_FILE;

use crate::job_crate::JobCrate;

/// What the top folder of a job may hold that is no source.
const NO_SOURCE: [&str; 2] = [".git", "target"];

/// The folder of one job.
#[derive(Clone, Debug)]
pub(crate) struct JobFolder {
    /// The folder itself.
    pub(crate) path: PathBuf,
    job_name: String,
}

/// Why a job could not be laid out for the compiler.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobFolderError {
    /// The file system fails.
    #[error("cannot {action} `{}`", .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// A link leads out of the job, or to a folder.
    #[error("`{}` is a link that does not lead to a file of the job", .path.display())]
    Link { path: PathBuf },
}

impl JobFolder {
    /// The folder of a job below the folder of all jobs.
    pub(crate) fn new(jobs: &Path, job_name: &str) -> Self {
        Self { path: jobs.join(job_name), job_name: job_name.to_owned() }
    }

    /// The name of the folder that holds the source of the job.
    pub(crate) fn crate_folder(&self) -> String {
        format!("crate-{}", self.job_name)
    }

    /// The name of the program, and of its package.
    pub(crate) fn program(&self) -> String {
        format!("racetrack-job-program-{}", self.job_name)
    }

    /// Makes the folder hold the source and the program around it.
    pub(crate) fn write(&self, source: &Path, job_crate: &JobCrate) -> Result<(), JobFolderError> {
        let files = files(source)?;
        copy_changed(&files, &self.path.join(self.crate_folder()))?;
        write_changed(&self.path.join("Cargo.toml"), self.cargo_manifest(job_crate).as_bytes())?;
        let main = "//! Serves the function of the job.\n\n\
                    fn main() -> std::process::ExitCode {\n    racetrack_job_server::run(job::perform)\n}\n";
        write_changed(&self.path.join("src/main.rs"), main.as_bytes())?;
        // Cargo adds the program to the lock that the job brings, so that is only taken when it is another one.
        if let Some(lock) = files.get(Path::new("Cargo.lock")) {
            let of_job = self.path.join("Cargo.lock.of-job");
            let is_another = !is_same(lock, &of_job);
            if is_another {
                copy_content(lock, &of_job)?;
            }
            if is_another || !self.lock().exists() {
                copy_content(lock, &self.lock())?;
            }
        }
        Ok(())
    }

    /// Has cargo choose the versions of crates anew, as far as the job brings no lock. What it chose before is kept until
    /// [`Self::keep_lock`], in case that nothing comes of it.
    pub(crate) fn set_lock_aside(&self) -> Result<(), JobFolderError> {
        rename_if_there(&self.lock(), &self.former_lock())
    }

    /// Goes back to what cargo chose before, if that was set aside and nobody has kept what took its place.
    pub(crate) fn restore_lock(&self) -> Result<(), JobFolderError> {
        rename_if_there(&self.former_lock(), &self.lock())
    }

    /// Keeps what cargo has chosen.
    pub(crate) fn keep_lock(&self) -> Result<(), JobFolderError> {
        match std::fs::remove_file(self.former_lock()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(failed("remove", &self.former_lock())),
        }
    }

    fn lock(&self) -> PathBuf {
        self.path.join("Cargo.lock")
    }

    fn former_lock(&self) -> PathBuf {
        self.path.join("Cargo.lock.former")
    }

    fn cargo_manifest(&self, job_crate: &JobCrate) -> String {
        let (program, folder, package) = (self.program(), self.crate_folder(), &job_crate.package);
        format!(
            r#"# Generated for each build of the job.
[package]
name = "{program}"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
job = {{ path = "{folder}", package = "{package}" }}
racetrack-job-server = {{ path = "../../server" }}

[workspace]
exclude = ["{folder}"]

[profile.release]
strip = "symbols"
"#
        )
    }
}

/// Writes a file unless it is there with the same content; tells whether it was written.
pub(crate) fn write_changed(path: &Path, content: &[u8]) -> Result<bool, JobFolderError> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    make_parent(path)?;
    std::fs::write(path, content).map_err(failed("write", path))?;
    Ok(true)
}

/// Makes a folder an entry of the cache that is used now, so that image-builder removes it when it was not used for long.
pub(crate) fn note_use(folder: &Path) -> Result<(), JobFolderError> {
    let path = folder.join(CACHE_ENTRY_FILE);
    make_parent(&path)?;
    let made = std::fs::File::create(&path).and_then(|file| file.set_modified(SystemTime::now()));
    made.map_err(failed("write", &path))
}

/// Removes a folder that may be there.
pub(crate) fn remove(folder: &Path) -> Result<(), JobFolderError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed("remove", folder)),
    }
}

/// How much of a file is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// The files of a job, by their path in it.
fn files(source: &Path) -> Result<BTreeMap<PathBuf, PathBuf>, JobFolderError> {
    let root = source.canonicalize().map_err(failed("find", source))?;
    let mut files = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        let path = root.join(&folder);
        for entry in std::fs::read_dir(&path).map_err(failed("read", &path))? {
            let entry = entry.map_err(failed("read", &path))?;
            let relative = folder.join(entry.file_name());
            if NO_SOURCE.iter().any(|name| relative == Path::new(name)) {
                continue;
            }
            let kind = entry.file_type().map_err(failed("read", &entry.path()))?;
            if kind.is_dir() {
                waiting.push(relative);
            } else if kind.is_symlink() {
                let target = entry.path().canonicalize().ok();
                let target = target.filter(|target| target.starts_with(&root) && target.is_file());
                let target = target.ok_or_else(|| JobFolderError::Link { path: relative.clone() })?;
                files.insert(relative, target);
            } else if kind.is_file() {
                files.insert(relative, entry.path());
            }
        }
    }
    Ok(files)
}

/// Makes a folder hold exactly these files, touching only those that differ.
fn copy_changed(files: &BTreeMap<PathBuf, PathBuf>, folder: &Path) -> Result<(), JobFolderError> {
    std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
    remove_others(files, folder, Path::new(""))?;
    for (relative, source) in files {
        let target = folder.join(relative);
        if !is_same(source, &target) {
            make_parent(&target)?;
            std::fs::copy(source, &target).map_err(failed("write", &target))?;
        }
    }
    Ok(())
}

fn remove_others(
    files: &BTreeMap<PathBuf, PathBuf>,
    root: &Path,
    folder: &Path,
) -> Result<(), JobFolderError> {
    let path = root.join(folder);
    for entry in std::fs::read_dir(&path).map_err(failed("read", &path))? {
        let entry = entry.map_err(failed("read", &path))?;
        let relative = folder.join(entry.file_name());
        let is_folder = entry.file_type().map_err(failed("read", &entry.path()))?.is_dir();
        let holds_files = || files.keys().any(|file| file != &relative && file.starts_with(&relative));
        if !is_folder {
            if !files.contains_key(&relative) {
                std::fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
            }
        } else if holds_files() {
            remove_others(files, root, &relative)?;
        } else {
            std::fs::remove_dir_all(entry.path()).map_err(failed("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// Whether both files are there with the same content; their lengths usually tell. Files of jobs may be too large to be held in
/// memory.
fn is_same(source: &Path, target: &Path) -> bool {
    let length = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len()).ok();
    length(target).is_some_and(|old| length(source) == Some(old))
        && has_same_content(source, target).unwrap_or(false)
}

fn has_same_content(source: &Path, target: &Path) -> io::Result<bool> {
    let open = |path: &Path| File::open(path).map(|file| BufReader::with_capacity(PIECE, file));
    let (mut source, mut target) = (open(source)?, open(target)?);
    loop {
        let (new, old) = (source.fill_buf()?, target.fill_buf()?);
        let length = new.len().min(old.len());
        if new[..length] != old[..length] || (length == 0 && new.len() != old.len()) {
            return Ok(false);
        }
        if length == 0 {
            return Ok(true);
        }
        source.consume(length);
        target.consume(length);
    }
}

/// Writes what is in a file into another one, which keeps its mode.
fn copy_content(source: &Path, target: &Path) -> Result<(), JobFolderError> {
    let mut content = File::open(source).map_err(failed("read", source))?;
    let mut file = File::create(target).map_err(failed("write", target))?;
    io::copy(&mut content, &mut file).map_err(failed("write", target))?;
    Ok(())
}

fn rename_if_there(from: &Path, to: &Path) -> Result<(), JobFolderError> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.map_err(failed("rename", from)),
    }
}

fn make_parent(path: &Path) -> Result<(), JobFolderError> {
    path.parent().map_or(Ok(()), |parent| std::fs::create_dir_all(parent).map_err(failed("create", parent)))
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JobFolderError {
    let path = path.to_owned();
    move |source| JobFolderError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Case {
        root: tempfile::TempDir,
        folder: JobFolder,
    }

    impl Case {
        fn new() -> Self {
            let root = tempfile::tempdir().expect("a folder");
            let folder = JobFolder::new(&root.path().join("jobs"), "adder");
            let case = Self { root, folder };
            case.source("Cargo.toml", "[package]");
            case.source("src/lib.rs", "one");
            case
        }

        fn source(&self, path: &str, text: &str) {
            write_changed(&self.root.path().join("source").join(path), text.as_bytes())
                .expect("can be written");
        }

        fn write(&self) -> Result<(), String> {
            let job_crate = JobCrate { package: "adder".to_owned() };
            let written = self.folder.write(&self.root.path().join("source"), &job_crate);
            written.map_err(|error| error.to_string())
        }

        fn read(&self, path: &str) -> Option<String> {
            fs::read_to_string(self.folder.path.join(path)).ok()
        }
    }

    #[test]
    fn the_folder_follows_the_source_and_keeps_the_times_of_what_did_not_change() {
        let case = Case::new();
        case.source("src/old.rs", "old");
        case.source("data/old.txt", "old");
        case.source("target/release/adder", "no source");
        case.write().expect("can be laid out");
        assert!(case.read("Cargo.toml").is_some_and(|text| text.contains("job = { path = \"crate-adder\"")));
        assert_eq!(case.read("crate-adder/target/release/adder"), None);
        let modified = |path: &str| {
            fs::metadata(case.folder.path.join(path))
                .and_then(|metadata| metadata.modified())
                .expect("is there")
        };
        let (lib, manifest) = (modified("crate-adder/src/lib.rs"), modified("crate-adder/Cargo.toml"));

        // As an archive restores it: other content of the same length, and a time long ago.
        case.source("src/lib.rs", "two");
        let file = fs::File::options().write(true).open(case.root.path().join("source/src/lib.rs"));
        file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH)).expect("can be set");
        fs::remove_file(case.root.path().join("source/src/old.rs")).expect("is there");
        fs::remove_dir_all(case.root.path().join("source/data")).expect("is there");
        case.source("data", "a file where a folder was");
        case.write().expect("can be laid out");
        assert_eq!(case.read("crate-adder/src/lib.rs").as_deref(), Some("two"));
        assert!(modified("crate-adder/src/lib.rs") > lib);
        assert_eq!(modified("crate-adder/Cargo.toml"), manifest);
        assert_eq!(case.read("crate-adder/src/old.rs"), None);
        assert_eq!(case.read("crate-adder/data").as_deref(), Some("a file where a folder was"));
    }

    #[test]
    fn the_lock_of_the_job_is_taken_when_it_changes() {
        let case = Case::new();
        case.source("Cargo.lock", "1");
        case.write().expect("can be laid out");
        fs::write(case.folder.path.join("Cargo.lock"), "1, completed by cargo").expect("can be written");
        case.write().expect("can be laid out");
        assert_eq!(case.read("Cargo.lock").as_deref(), Some("1, completed by cargo"));
        case.source("Cargo.lock", "2");
        case.write().expect("can be laid out");
        assert_eq!(case.read("Cargo.lock").as_deref(), Some("2"));
    }

    #[test]
    fn the_lock_is_made_anew_and_comes_back_when_nothing_comes_of_it() {
        let case = Case::new();
        case.write().expect("can be laid out");
        case.folder.set_lock_aside().expect("there is none");
        let lock = || case.read("Cargo.lock");
        let chosen =
            |text: &str| fs::write(case.folder.path.join("Cargo.lock"), text).expect("can be written");
        chosen("old");
        case.folder.set_lock_aside().expect("can be renamed");
        case.write().expect("can be laid out");
        assert_eq!(lock(), None);
        chosen("new, and the job does not compile");
        case.folder.restore_lock().expect("can be renamed");
        assert_eq!(lock().as_deref(), Some("old"));
        case.folder.set_lock_aside().expect("can be renamed");
        chosen("new");
        case.folder.keep_lock().expect("can be removed");
        case.folder.restore_lock().expect("is kept");
        assert_eq!(lock().as_deref(), Some("new"));

        case.source("Cargo.lock", "of the job");
        case.write().expect("can be laid out");
        chosen("of the job, completed");
        case.folder.set_lock_aside().expect("can be renamed");
        case.write().expect("can be laid out");
        assert_eq!(lock().as_deref(), Some("of the job"), "the versions that the job brings stay");
    }

    #[test]
    fn links_lead_to_files_of_the_job_only() {
        let case = Case::new();
        let source = case.root.path().join("source");
        symlink("src/lib.rs", source.join("inside.rs")).expect("can be linked");
        case.write().expect("can be laid out");
        assert_eq!(case.read("crate-adder/inside.rs").as_deref(), Some("one"));
        for target in ["/etc/passwd", "..", "src", "nothing"] {
            symlink(target, source.join("link")).expect("can be linked");
            assert_eq!(
                case.write(),
                Err("`link` is a link that does not lead to a file of the job".to_owned())
            );
            fs::remove_file(source.join("link")).expect("is there");
        }
    }
}
