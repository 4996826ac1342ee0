//! The plugin that `racetrack plugin new` copies: the repository's `plugin_sample`, under another name.

use racetrack_core::PluginName;

const SAMPLE_NAME: &str = "skynet-watcher";
const SAMPLE_TYPE: &str = "SkynetWatcher";
const SAMPLE_VERSION: &str = "1.2.3";
const FIRST_VERSION: &str = "0.1.0";

const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../../plugin_sample/Cargo.toml")),
    ("README.md", include_str!("../../plugin_sample/README.md")),
    ("plugin-manifest.yaml", include_str!("../../plugin_sample/plugin-manifest.yaml")),
    ("resources/docs.md", include_str!("../../plugin_sample/resources/docs.md")),
    ("src/lib.rs", include_str!("../../plugin_sample/src/lib.rs")),
];

/// Paths and contents of the files of a new plugin.
pub(crate) fn renamed(name: &PluginName) -> Vec<(&'static str, String)> {
    let type_name = type_name(name);
    let rename = |content: &str| {
        content
            .replace(SAMPLE_NAME, name.as_str())
            .replace(SAMPLE_TYPE, &type_name)
            .replace(SAMPLE_VERSION, FIRST_VERSION)
            .split_inclusive('\n')
            // The home page is the sample's.
            .filter(|line| !line.starts_with("url:"))
            .collect()
    };
    FILES.iter().map(|(path, content)| (*path, rename(content))).collect()
}

/// `my-plugin` as a type: `MyPlugin`, with a suffix where the sample's code uses that word for something else.
fn type_name(name: &PluginName) -> String {
    let capitalized = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    let type_name: String = name.as_str().split('-').map(capitalized).collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_taken =
        FILES.iter().any(|(_, content)| content.split(|c| !is_word(c)).any(|word| word == type_name));
    let is_own = type_name == SAMPLE_TYPE;
    if is_taken && !is_own { format!("{type_name}Plugin") } else { type_name }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn name(text: &str) -> PluginName {
        text.parse().expect("valid")
    }

    #[test]
    fn every_file_of_the_sample_is_copied() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin_sample");
        let mut found = BTreeSet::new();
        let mut waiting = vec![folder.clone()];
        while let Some(current) = waiting.pop() {
            for entry in fs_err::read_dir(current).expect("listed") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    found.insert(
                        path.strip_prefix(&folder).expect("inside").to_str().expect("UTF-8").to_owned(),
                    );
                }
            }
        }
        assert_eq!(found, FILES.iter().map(|(path, _)| (*path).to_owned()).collect());
    }

    #[test]
    fn nothing_of_the_samples_name_is_left() {
        for (path, content) in renamed(&name("my-plugin")) {
            for old in [SAMPLE_NAME, SAMPLE_TYPE, SAMPLE_VERSION] {
                assert!(!content.contains(old), "{path} has {old}");
            }
        }
    }

    #[test]
    fn type_names_do_not_clash_with_the_samples_code() {
        assert_eq!(type_name(&name("python3-job-type")), "Python3JobType");
        assert_eq!(type_name(&name("plugin")), "PluginPlugin");
        assert_eq!(type_name(&name("self")), "SelfPlugin");
        assert_eq!(type_name(&name("skynet-watcher")), "SkynetWatcher");
    }
}
