//! The plugin that `plugin new` copies: the repository's `plugin_sample`, under another name.

use std::path::PathBuf;

use racetrack_bundle::SourceFile;
use racetrack_core::PluginName;

use crate::failure::Failure;
use crate::source::load;

const SAMPLE_NAME: &str = "skynet-watcher";
const SAMPLE_TYPE: &str = "SkynetWatcher";
const SAMPLE_VERSION: &str = "1.2.3";
const FIRST_VERSION: &str = "0.1.0";

/// Where a program finds `plugin_sample`.
#[derive(Debug)]
pub enum Sample {
    /// In this folder, of a checkout.
    Folder(PathBuf),
    /// In itself: the paths of the files and their texts.
    Carried(&'static [(&'static str, &'static str)]),
}

impl Sample {
    /// The files of a new plugin.
    pub(crate) fn renamed(&self, name: &PluginName) -> Result<Vec<SourceFile>, Failure> {
        let files = self.files()?;
        let type_name = type_name(name, &files);
        let rename = |text: &str| {
            text.replace(SAMPLE_NAME, name.as_str())
                .replace(SAMPLE_TYPE, &type_name)
                .replace(SAMPLE_VERSION, FIRST_VERSION)
                .split_inclusive('\n')
                // The home page is the sample's.
                .filter(|line| !line.starts_with("url:"))
                .collect::<String>()
        };
        let renamed = |SourceFile { path, content }| {
            let content = match String::from_utf8(content) {
                Ok(text) => rename(&text).into_bytes(),
                Err(no_text) => no_text.into_bytes(),
            };
            SourceFile { path, content }
        };
        Ok(files.into_iter().map(renamed).collect())
    }

    /// The files as they are. A folder may have what is no part of the plugin.
    fn files(&self) -> Result<Vec<SourceFile>, Failure> {
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: (*path).to_owned(),
            content: text.as_bytes().to_vec(),
        };
        match self {
            Self::Folder(folder) => Ok(load(folder)?.files),
            Self::Carried(files) => Ok(files.iter().map(file).collect()),
        }
    }
}

/// `my-plugin` as a type: `MyPlugin`, with a suffix where the sample's code uses that word for something else.
fn type_name(name: &PluginName, files: &[SourceFile]) -> String {
    let capitalized = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    let type_name: String = name.as_str().split('-').map(capitalized).collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let has_word = |text: &str| text.split(|c| !is_word(c)).any(|word| word == type_name);
    let is_taken = files.iter().any(|file| has_word(&String::from_utf8_lossy(&file.content)));
    let is_own = type_name == SAMPLE_TYPE;
    if is_taken && !is_own { format!("{type_name}Plugin") } else { type_name }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sample() -> Sample {
        Sample::Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin_sample"))
    }

    fn name(text: &str) -> PluginName {
        text.parse().expect("valid")
    }

    #[test]
    fn nothing_of_the_samples_name_is_left() {
        for file in sample().renamed(&name("my-plugin")).expect("no mistakes") {
            let text = String::from_utf8(file.content).expect("text");
            for old in [SAMPLE_NAME, SAMPLE_TYPE, SAMPLE_VERSION] {
                assert!(!text.contains(old), "{} has {old}", file.path);
            }
        }
    }

    #[test]
    fn type_names_do_not_clash_with_the_samples_code() {
        let files = sample().files().expect("no mistakes");
        let type_name = |text: &str| type_name(&name(text), &files);
        assert_eq!(type_name("python3-job-type"), "Python3JobType");
        assert_eq!(type_name("plugin"), "PluginPlugin");
        assert_eq!(type_name("self"), "SelfPlugin");
        assert_eq!(type_name("skynet-watcher"), "SkynetWatcher");
    }

    #[test]
    fn what_is_no_text_is_copied_as_it_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for SourceFile { path, content } in sample().files().expect("no mistakes") {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().expect("inside")).expect("created");
            fs_err::write(path, content).expect("written");
        }
        let content = b"\xff skynet-watcher";
        fs_err::write(folder.path().join("resources/logo"), content).expect("written");
        let files =
            Sample::Folder(folder.path().to_owned()).renamed(&name("my-plugin")).expect("no mistakes");
        assert!(files.iter().any(|file| file.path == "resources/logo" && file.content == content));
    }
}
