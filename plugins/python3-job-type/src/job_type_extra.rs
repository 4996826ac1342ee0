//! What a job asks of this job type: the section `jobtype_extra` of its manifest.

use racetrack_core::JobManifest;
use serde_json::{Map, Value};

use crate::job_path;

/// The keys that are read here, or by the job runner.
const KEYS: [&str; 6] = [
    "entrypoint_class",
    "entrypoint_path",
    "home_page",
    "max_concurrency",
    "max_concurrency_queue",
    "requirements_path",
];

/// The section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobTypeExtra {
    /// The file with the class.
    pub(crate) entrypoint_path: String,
    /// The name of the class; the runner finds it if the file has only one.
    pub(crate) entrypoint_class: Option<String>,
    /// The file with the packages that the job needs, in pip's format.
    pub(crate) requirements_path: Option<String>,
}

/// The section breaks rules; the texts are told together.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub(crate) struct JobTypeExtraError(Vec<String>);

impl JobTypeExtra {
    /// Reads the section, under its name of today or one of its older names.
    pub(crate) fn read(manifest: &JobManifest) -> Result<Self, JobTypeExtraError> {
        let none = Map::new();
        let section = Section { name: name(manifest), keys: manifest.job_type_extra().unwrap_or(&none) };
        let mut broken = section.unknown_keys();
        let mut take = |result: Result<Option<String>, String>| {
            result.unwrap_or_else(|message| {
                broken.push(message);
                None
            })
        };
        let entrypoint_path = take(section.required("entrypoint_path", "adder.py").and_then(|path| {
            let path = section.path("entrypoint_path", path)?;
            if has_suffix(&path, ".py") {
                Ok(Some(path))
            } else {
                Err(section.rule("entrypoint_path", "must end with `.py`", &path))
            }
        }));
        let entrypoint_class = take(section.text("entrypoint_class").and_then(|class| match class {
            Some(class) if !is_class_name(&class) => {
                Err(section.rule("entrypoint_class", "must be the name of a class", &class))
            }
            class => Ok(class),
        }));
        let requirements_path = take(
            section
                .text("requirements_path")
                .and_then(|path| path.map(|path| section.path("requirements_path", path)).transpose()),
        );
        take(section.text("home_page"));
        take(section.count("max_concurrency"));
        take(section.count("max_concurrency_queue"));
        match entrypoint_path {
            Some(entrypoint_path) if broken.is_empty() => {
                Ok(Self { entrypoint_path, entrypoint_class, requirements_path })
            }
            _ => Err(JobTypeExtraError(broken)),
        }
    }
}

/// The section, with the name that its author gave it.
struct Section<'a> {
    name: &'static str,
    keys: &'a Map<String, Value>,
}

impl Section<'_> {
    fn unknown_keys(&self) -> Vec<String> {
        let unknown = self.keys.keys().filter(|key| !KEYS.contains(&key.as_str()));
        unknown.map(|key| format!("unknown key `{}.{key}`: {}", self.name, suggestion(key))).collect()
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.keys.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(format!("`{}.{key}` must be text, not {}", self.name, kind(other))),
        }
    }

    fn required(&self, key: &str, example: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| {
            format!("`{0}.{key}` is missing: write for example `{0}: {{{key}: {example}}}`", self.name)
        })
    }

    fn path(&self, key: &str, path: String) -> Result<String, String> {
        if job_path::is_inside(&path) {
            return Ok(path);
        }
        Err(self.rule(key, "must be a relative path without `..`, below the folder of the job", &path))
    }

    /// A whole number from 1; the runner also takes it as text.
    fn count(&self, key: &str) -> Result<Option<String>, String> {
        let is_count = match self.keys.get(key) {
            None | Some(Value::Null) => true,
            Some(Value::Number(number)) => number.as_u64().is_some_and(|number| number > 0),
            Some(Value::String(text)) => text.parse::<u32>().is_ok_and(|number| number > 0),
            Some(_) => false,
        };
        if is_count { Ok(None) } else { Err(format!("`{}.{key}` must be a whole number from 1", self.name)) }
    }

    fn rule(&self, key: &str, rule: &str, value: &str) -> String {
        format!("`{}.{key}` {rule}, not {value:?}", self.name)
    }
}

fn name(manifest: &JobManifest) -> &'static str {
    if manifest.jobtype_extra.is_some() {
        "jobtype_extra"
    } else if manifest.golang.is_some() {
        "golang"
    } else if manifest.python.is_some() {
        "python"
    } else if manifest.wrapper_properties.is_some() {
        "wrapper_properties"
    } else {
        "jobtype_extra"
    }
}

fn suggestion(unknown: &str) -> String {
    let distance = |key: &&str| strsim::damerau_levenshtein(&unknown.to_lowercase(), key);
    let nearest =
        KEYS.into_iter().min_by_key(distance).filter(|key| distance(key) <= unknown.len().max(3) / 3);
    nearest.map_or_else(|| format!("known are {}", KEYS.join(", ")), |key| format!("did you mean `{key}`?"))
}

fn has_suffix(path: &str, suffix: &str) -> bool {
    path.len() > suffix.len() && path.ends_with(suffix)
}

fn is_class_name(name: &str) -> bool {
    let letter = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_numeric())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(section: &str) -> Result<JobTypeExtra, String> {
        let manifest = format!(
            "name: adder\nowner_email: a@example.com\njobtype: python3:latest\ngit: {{remote: 'https://example.com'}}\n{section}\n"
        );
        let manifest = JobManifest::parse(&manifest).expect("a valid manifest");
        JobTypeExtra::read(&manifest).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_read_under_every_name_of_the_section() {
        for name in ["jobtype_extra", "python", "wrapper_properties"] {
            let extra = read(&format!(
                "{name}: {{entrypoint_path: src/adder.py, entrypoint_class: Adder, requirements_path: requirements.txt, max_concurrency: 1}}"
            ));
            let extra = extra.expect("valid");
            assert_eq!(extra.entrypoint_path, "src/adder.py");
            assert_eq!(extra.entrypoint_class.as_deref(), Some("Adder"));
            assert_eq!(extra.requirements_path.as_deref(), Some("requirements.txt"));
        }
    }

    #[test]
    fn the_entrypoint_is_required() {
        let missing = "`jobtype_extra.entrypoint_path` is missing: write for example `jobtype_extra: {entrypoint_path: adder.py}`";
        assert_eq!(read(""), Err(missing.to_owned()));
        assert_eq!(read("jobtype_extra: {entrypoint_path: null}"), Err(missing.to_owned()));
    }

    #[test]
    fn all_mistakes_are_told_together() {
        let message = read(
            "python: {entrypoint_pth: a.py, entrypoint_path: ../a.py, entrypoint_class: 'A b', \
             requirements_path: /etc/passwd, max_concurrency: 0, home_page: [a], colour: red}",
        )
        .expect_err("full of mistakes");
        let told: Vec<_> = message.split("; ").collect();
        assert_eq!(
            told,
            [
                "unknown key `python.colour`: known are entrypoint_class, entrypoint_path, home_page, max_concurrency, max_concurrency_queue, requirements_path",
                "unknown key `python.entrypoint_pth`: did you mean `entrypoint_path`?",
                "`python.entrypoint_path` must be a relative path without `..`, below the folder of the job, not \"../a.py\"",
                "`python.entrypoint_class` must be the name of a class, not \"A b\"",
                "`python.requirements_path` must be a relative path without `..`, below the folder of the job, not \"/etc/passwd\"",
                "`python.home_page` must be text, not a list",
                "`python.max_concurrency` must be a whole number from 1",
            ]
        );
        assert!(
            read("python: {entrypoint_path: adder}").expect_err("no .py").contains("must end with `.py`")
        );
    }
}
