//! Whether the manifest in the repository is the one that was submitted. People forget to push.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use racetrack_core::JobManifest;
use racetrack_core::error::chain;
use racetrack_core::job_manifest::{JobManifestError, MAX_SIZE};
use racetrack_core::yaml::{self, YamlError, YamlLimits};
use serde_json::{Map, Value};
use serde_yaml::Value as Yaml;

use super::FetchedSource;

/// The manifest's file, and its older name.
const FILE_NAMES: [&str; 2] = ["job.yaml", "fatman.yaml"];

/// The key of a manifest that names the one it completes.
const EXTENDS: &str = "extends";

/// How much of a value is shown, in characters.
const MAX_SHOWN: usize = 200;

/// Why the manifest in the repository cannot be compared.
#[derive(Debug, thiserror::Error)]
enum RepositoryManifestError {
    #[error("there is no {} in the folder of the job", FILE_NAMES[0])]
    Missing,
    #[error("`{}` cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is larger than {MAX_SIZE} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("`{}` cannot be read as YAML", path.display())]
    Yaml {
        path: PathBuf,
        #[source]
        source: YamlError,
    },
    #[error("extends path should be relative, and stay inside the repository")]
    ExtendsPath,
    #[error("base manifest cannot extend another one")]
    ExtendsTwice,
    #[error("it is not a job manifest")]
    Manifest(#[from] JobManifestError),
}

/// What the owner of the job should know about the manifest in the repository; `None` if it is the submitted one.
pub(crate) fn warning(source: &FetchedSource, submitted: &JobManifest) -> Option<String> {
    let found = match load(source) {
        Ok(found) => difference(&fields(&found), &fields(submitted)),
        Err(error) => Some(chain(&error)),
    };
    found.map(|found| {
        format!(
            "The submitted job manifest is not the one in the repository. Did you forget to do \"git push\"? \
             Difference: {found}"
        )
    })
}

fn load(source: &FetchedSource) -> Result<JobManifest, RepositoryManifestError> {
    let path = FILE_NAMES.iter().map(|name| source.job.join(name)).find(|path| path.is_file());
    let path = path.ok_or(RepositoryManifestError::Missing)?;
    let overlay = read(source, &path)?;
    let Some(base) = extends(&overlay) else {
        return parse(&overlay);
    };
    let base = Path::new(&base);
    let inside = source.job.join(base).canonicalize().ok();
    let inside = inside.filter(|path| !base.is_absolute() && path.starts_with(&source.root));
    let base = read(source, &inside.ok_or(RepositoryManifestError::ExtendsPath)?)?;
    if extends(&base).is_some() {
        return Err(RepositoryManifestError::ExtendsTwice);
    }
    let mut merged = merge(base, overlay);
    if let Yaml::Mapping(keys) = &mut merged {
        keys.remove(EXTENDS);
    }
    parse(&merged)
}

fn read(source: &FetchedSource, path: &Path) -> Result<Yaml, RepositoryManifestError> {
    let shown = || path.strip_prefix(&source.root).unwrap_or(path).to_owned();
    let failed = |source| RepositoryManifestError::Read { path: shown(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_SIZE as u64 {
        return Err(RepositoryManifestError::TooLarge(shown()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    yaml::read(&text, YamlLimits::JOB_MANIFEST)
        .map_err(|source| RepositoryManifestError::Yaml { path: shown(), source })
}

fn parse(yaml: &Yaml) -> Result<JobManifest, RepositoryManifestError> {
    let manifest: Result<JobManifest, _> = serde_yaml::from_value(yaml.clone());
    Ok(manifest.map_err(|error| JobManifestError::Shape(error.into()))?)
}

fn extends(yaml: &Yaml) -> Option<String> {
    yaml.get(EXTENDS)?.as_str().map(str::to_owned)
}

/// Lays a manifest over another one: mappings key by key, everything else as a whole.
fn merge(base: Yaml, overlay: Yaml) -> Yaml {
    match (base, overlay) {
        (Yaml::Mapping(mut base), Yaml::Mapping(overlay)) => {
            for (key, value) in overlay {
                let below = base.remove(&key);
                let value = match below {
                    Some(below) => merge(below, value),
                    None => value,
                };
                base.insert(key, value);
            }
            Yaml::Mapping(base)
        }
        (_, overlay) => overlay,
    }
}

fn fields(manifest: &JobManifest) -> Map<String, Value> {
    match serde_json::to_value(manifest) {
        Ok(Value::Object(mut fields)) => {
            fields.remove(EXTENDS);
            fields
        }
        other => unreachable!("a manifest is a mapping: {other:?}"),
    }
}

/// The keys whose values differ, with both values.
fn difference(repository: &Map<String, Value>, submitted: &Map<String, Value>) -> Option<String> {
    let keys: BTreeSet<_> = repository.keys().chain(submitted.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), shown);
    let differing = keys.into_iter().filter(|key| repository.get(*key) != submitted.get(*key)).map(|key| {
        let (repository, submitted) = (shown(repository.get(key)), shown(submitted.get(key)));
        format!("{key}: {repository} in the repository, {submitted} submitted")
    });
    let differing: Vec<_> = differing.collect();
    if differing.is_empty() { None } else { Some(format!("{{{}}}", differing.join("; "))) }
}

/// A value, cut where it gets long: the warning is kept with the deployment.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDER: &str =
        "name: adder\nowner_email: a@example.com\njobtype: python3:1.0.0\ngit:\n  remote: https://x/y\n";

    fn check(files: &[(&str, &str)], submitted: &str) -> Option<String> {
        let folder = tempfile::tempdir().expect("can be made");
        let root = folder.path().canonicalize().expect("is there").join("repository");
        let job = root.join("job");
        std::fs::create_dir_all(&job).expect("can be made");
        std::fs::write(root.join("../outside.yaml"), ADDER).expect("can be written");
        for (path, text) in files {
            std::fs::write(root.join(path), text).expect(path);
        }
        let source = FetchedSource { job, root, git_version: String::new() };
        warning(&source, &JobManifest::parse(submitted).expect("valid"))
    }

    #[track_caller]
    fn warned(files: &[(&str, &str)], submitted: &str, text: &str) {
        let warning = check(files, submitted).expect("differs");
        assert!(
            warning.contains("Did you forget to do \"git push\"?") && warning.contains(text),
            "{warning}"
        );
    }

    #[test]
    fn the_same_manifest_is_no_warning() {
        assert_eq!(check(&[("job/job.yaml", ADDER)], ADDER), None);
        assert_eq!(check(&[("job/fatman.yaml", ADDER)], &format!("{ADDER}version: 0.0.1\n")), None);
        let overlay = "extends: ../base.yaml\ngit: {directory: job}\n";
        let whole = ADDER.replace("https://x/y\n", "https://x/y\n  directory: job\n");
        assert_eq!(check(&[("job/job.yaml", overlay), ("base.yaml", ADDER)], &whole), None);
    }

    #[test]
    fn differences_are_told() {
        let newer = format!("{ADDER}version: 0.0.2\n");
        warned(
            &[("job/job.yaml", ADDER)],
            &newer,
            r#"{version: "0.0.1" in the repository, "0.0.2" submitted}"#,
        );
        let more = format!("{ADDER}replicas: 2\nimage_type: docker\nruntime_env: {{A: b}}\n");
        warned(
            &[("job/job.yaml", ADDER)],
            &more,
            r#"runtime_env: nothing in the repository, {"A":"b"} submitted"#,
        );
    }

    #[test]
    fn long_values_are_cut() {
        let long = format!("{ADDER}labels: {{a: {}}}\n", "ä".repeat(10_000));
        let text = format!(
            "labels: {{\"a\":\"{}… (20008 bytes) in the repository, nothing submitted",
            "ä".repeat(194)
        );
        warned(&[("job/job.yaml", &long)], ADDER, &text);
    }

    #[test]
    fn a_manifest_that_cannot_be_compared_is_told() {
        warned(&[], ADDER, "there is no job.yaml");
        warned(&[("job/job.yaml", "a: [")], ADDER, "`job/job.yaml` cannot be read as YAML: ");
        let square = format!("labels: {{a: &a [{}], b: [{}]}}", "0,".repeat(6000), "*a,".repeat(6000));
        let place = "`job/job.yaml` cannot be read as YAML: the anchor `&a` is not allowed at line 1 column 13; write";
        warned(&[("job/job.yaml", &square)], ADDER, place);
        let overlay = ("job/job.yaml", "extends: ../base.yaml\n");
        let place = "`base.yaml` cannot be read as YAML: the anchor `&a` is not allowed at line 1 column 13";
        warned(&[overlay, ("base.yaml", &square)], ADDER, place);
        warned(&[("job/job.yaml", "color: red")], ADDER, "unknown field `color`");
        warned(&[("job/job.yaml", &"#".repeat(300_000))], ADDER, "is larger than");
        for base in ["../../outside.yaml", "/etc/hostname", "missing.yaml"] {
            warned(
                &[("job/job.yaml", &format!("extends: {base}\n"))],
                ADDER,
                "extends path should be relative",
            );
        }
        let files = [("job/job.yaml", "extends: a.yaml\n"), ("job/a.yaml", "extends: b.yaml\n")];
        warned(&files, ADDER, "base manifest cannot extend another one");
    }
}
