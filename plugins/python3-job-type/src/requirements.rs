//! The requirements of a job, as far as they decide whether packages in the cache are those that it needs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::job_path::{self, JobPathError};

/// The largest requirements file, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// How much of a file is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// What a job requires.
#[derive(Debug)]
pub(crate) struct Requirements {
    /// Whether nothing is required at all.
    pub(crate) is_empty: bool,
    files: BTreeSet<PathBuf>,
    /// Whether something is built from the source of the job, so that all of it decides.
    from_job: bool,
}

/// Why requirements cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequirementsError {
    /// The path cannot be used.
    #[error(transparent)]
    Path(#[from] JobPathError),
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Read { path: String, source: io::Error },
    /// The file is larger than [`FILE_BYTES`].
    #[error("`{path}` is larger than {FILE_BYTES} bytes")]
    TooLarge { path: String },
    /// A package is to be used where it lies.
    #[error(
        "{path}:{line}: an editable requirement would point into the folder of the build, which is gone when the job \
         runs: leave out `{option}`"
    )]
    Editable { path: String, line: usize, option: String },
}

impl Requirements {
    /// Reads a requirements file and those that it includes; `job` is the folder of the job with all links resolved.
    pub(crate) fn read(job: &Path, path: &str) -> Result<Self, RequirementsError> {
        let mut requirements = Self { is_empty: true, files: BTreeSet::new(), from_job: false };
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let file = job_path::resolve(job, &path)?;
            let relative = file.strip_prefix(job).expect("what is resolved lies in the job").to_owned();
            if !requirements.files.insert(relative.clone()) {
                continue;
            }
            let text = read(&file, &path)?;
            let folder = relative.parent().unwrap_or(Path::new(""));
            for (line, requirement) in logical_lines(&text) {
                match Requirement::parse(&requirement) {
                    Requirement::Include(included) => waiting.push(joined(folder, included)),
                    Requirement::Editable(option) => {
                        return Err(RequirementsError::Editable { path, line, option: option.to_owned() });
                    }
                    Requirement::Option => requirements.from_job |= names_file(job, &requirement),
                    Requirement::Package => {
                        requirements.is_empty = false;
                        requirements.from_job |= names_file(job, &requirement);
                    }
                }
            }
        }
        Ok(requirements)
    }

    /// Adds everything in the job that decides which packages there will be.
    pub(crate) fn add_to(&self, digest: &mut Sha256, job: &Path) -> Result<(), RequirementsError> {
        let mut files = self.files.clone();
        if self.from_job {
            add_files(job, Path::new(""), &mut files)?;
        }
        for file in files {
            let name = file.to_string_lossy();
            digest.update((name.len() as u64).to_le_bytes());
            digest.update(name.as_bytes());
            add_content(digest, &job.join(&file)).map_err(|source| unreadable(&file, source))?;
        }
        Ok(())
    }
}

/// A line of a requirements file.
enum Requirement<'a> {
    Include(&'a str),
    Editable(&'a str),
    Option,
    Package,
}

impl<'a> Requirement<'a> {
    fn parse(line: &'a str) -> Self {
        for option in ["-e", "--editable"] {
            if value_of(line, option).is_some() {
                return Self::Editable(option);
            }
        }
        for option in ["-r", "--requirement", "-c", "--constraint"] {
            // What is behind an address is pip's business; it does not decide about the cache.
            match value_of(line, option) {
                Some(address) if address.contains("://") => {
                    return if option.starts_with("-r") || option == "--requirement" {
                        Self::Package
                    } else {
                        Self::Option
                    };
                }
                Some(file) => return Self::Include(file),
                None => {}
            }
        }
        if line.starts_with('-') { Self::Option } else { Self::Package }
    }
}

/// The value in `-r value`, `-rvalue`, `--requirement value` and `--requirement=value`.
fn value_of<'a>(line: &'a str, option: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(option)?;
    let value = match rest.strip_prefix([' ', '\t', '=']) {
        Some(value) => value,
        None if option.starts_with("--") => return None,
        None => rest,
    };
    Some(value.trim().trim_matches(['"', '\'']))
}

/// The lines without comments, those that end with a backslash joined, each with its number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let (line, continues) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        let (_, joined) = open.get_or_insert((number, String::new()));
        joined.push_str(line);
        if !continues {
            lines.extend(open.take());
        }
    }
    lines.extend(open);
    let lines = lines.into_iter().map(|(number, line)| (number, without_comment(&line).trim().to_owned()));
    lines.filter(|(_, line)| !line.is_empty()).collect()
}

fn without_comment(line: &str) -> &str {
    let starts = line.match_indices('#').map(|(index, _)| index);
    let comment =
        starts.into_iter().find(|index| line[..*index].chars().next_back().is_none_or(char::is_whitespace));
    comment.map_or(line, |index| &line[..index])
}

/// Whether the line names a file or folder, which then may be one of the job.
fn names_file(job: &Path, line: &str) -> bool {
    let mut words = line.split([' ', '\t', '=', '@', '[', ';']).filter(|word| !word.is_empty());
    words.any(|word| word.starts_with(['.', '/']) || word.starts_with("file:") || job.join(word).exists())
}

fn joined(folder: &Path, file: &str) -> String {
    folder.join(file).to_string_lossy().into_owned()
}

fn read(file: &Path, path: &str) -> Result<String, RequirementsError> {
    let failed = |source| RequirementsError::Read { path: path.to_owned(), source };
    if std::fs::metadata(file).map_err(failed)?.len() > FILE_BYTES {
        return Err(RequirementsError::TooLarge { path: path.to_owned() });
    }
    let text = std::fs::read_to_string(file).map_err(failed)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Adds the files below a folder of the job; links are not followed, as pip packs them as they are.
fn add_files(job: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), RequirementsError> {
    let failed = |source| unreadable(folder, source);
    for entry in std::fs::read_dir(job.join(folder)).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = folder.join(entry.file_name());
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            add_files(job, &path, files)?;
        } else if kind.is_file() {
            files.insert(path);
        }
    }
    Ok(())
}

/// Adds the length and the content of a file, which may be too large to be held in memory.
fn add_content(digest: &mut Sha256, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    digest.update(file.metadata()?.len().to_le_bytes());
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            length => digest.update(&piece[..length]),
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> RequirementsError {
    RequirementsError::Read { path: path.to_string_lossy().into_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Job(tempfile::TempDir);

    impl Job {
        fn new(files: &[(&str, &str)]) -> Self {
            let job = Self(tempfile::tempdir().expect("a folder"));
            files.iter().for_each(|(path, text)| job.write(path, text));
            job
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().expect("has a parent")).expect("can be made");
            std::fs::write(path, text).expect("can be written");
        }

        fn read(&self, path: &str) -> Result<Requirements, String> {
            let job = self.0.path().canonicalize().expect("is there");
            Requirements::read(&job, path).map_err(|error| error.to_string())
        }

        fn digest(&self) -> [u8; 32] {
            let mut digest = Sha256::new();
            self.read("requirements.txt")
                .expect("valid")
                .add_to(&mut digest, self.0.path())
                .expect("readable");
            digest.finalize().into()
        }
    }

    #[test]
    fn included_files_decide_and_others_do_not() {
        let job = Job::new(&[
            ("requirements.txt", "-r more/base.txt\n--constraint=limits.txt # why\n"),
            ("more/base.txt", "humanize\\\n==4.9.0\n-r ../requirements.txt"),
            ("limits.txt", "numpy<2"),
            ("adder.py", "1"),
        ]);
        let requirements = job.read("requirements.txt").expect("valid");
        assert!(!requirements.is_empty && !requirements.from_job);
        assert_eq!(requirements.files.len(), 3);
        let before = job.digest();
        job.write("adder.py", "2");
        assert_eq!(job.digest(), before);
        job.write("limits.txt", "numpy<3");
        assert_ne!(job.digest(), before);
    }

    #[test]
    fn the_source_of_the_job_decides_where_a_package_is_built_from_it() {
        for line in ["./lib", "adder @ file:lib", "wheels/a.whl", "--find-links wheels\nadder"] {
            let job = Job::new(&[("requirements.txt", line), ("wheels/a.whl", "1"), ("lib/a.py", "1")]);
            let before = job.digest();
            job.write("lib/a.py", "2");
            assert_ne!(job.digest(), before, "{line}");
        }
    }

    #[test]
    fn comments_and_blank_lines_require_nothing() {
        for text in ["", "\n \n# humanize\n  # x", "--index-url https://example.com/#a\n"] {
            assert!(Job::new(&[("r.txt", text)]).read("r.txt").expect("valid").is_empty, "{text:?}");
        }
        let job = Job::new(&[("r.txt", "git+https://example.com/a.git#egg=a")]);
        assert!(!job.read("r.txt").expect("valid").is_empty);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_place() {
        let message = |text: &str| Job::new(&[("r.txt", text)]).read("r.txt").expect_err(text);
        assert!(message("humanize\n-e ./lib").starts_with("r.txt:2: an editable requirement"));
        assert!(message("--editable=.").contains("leave out `--editable`"));
        assert_eq!(
            message("-r ../../../../etc/passwd"),
            "`../../../../etc/passwd` leads out of the folder of the job"
        );
        assert_eq!(message("-c limits.txt"), "the job has no file `limits.txt`");
    }
}
