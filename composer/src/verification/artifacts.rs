//! What cargo has made of each crate of a component, from what it says of a build in which nothing is left to do.

use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{BuildScript, Message, PackageId, TargetKind};
use fs_err as fs;

use crate::cargo::environment::remaps;
use crate::cargo::name_and_version;
use crate::cargo::{CompileOptions, graph, messages};
use crate::checkout::Checkout;

/// One crate of a component, as it was compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CompiledCrate {
    /// The crates it depends on, also for its build script and as macros.
    pub dependencies: BTreeSet<String>,
    /// Whether other crates use it as a macro, while they are compiled.
    pub is_macro: bool,
    /// The digest of each file that cargo made of its library, by file name.
    pub files: BTreeMap<String, blake3::Hash>,
    /// What its build script has put out: values by name, and the digest of each file by path.
    pub script: BTreeMap<String, String>,
}

/// The crates of the component in the workspace `folder`, by a name that is the same in every checkout.
pub(super) fn compiled_crates(
    folder: &Path,
    target_dir: &Path,
    options: &CompileOptions,
    session: &Session,
) -> Result<BTreeMap<String, CompiledCrate>> {
    let checkout = &session.checkout;
    let renamed = |text: &str| neutral(text, checkout);
    let mut crates: BTreeMap<String, CompiledCrate> = BTreeMap::new();
    for message in messages(folder, target_dir, options, session)? {
        match message {
            Message::CompilerArtifact(artifact) => {
                let entry = crates.entry(title(&artifact.package_id, checkout)).or_default();
                if artifact.target.kind.contains(&TargetKind::CustomBuild) || artifact.target.is_bin() {
                    continue;
                }
                entry.is_macro |= artifact.target.kind.contains(&TargetKind::ProcMacro);
                for file in &artifact.filenames {
                    let name = file.file_name().context("an artefact has a name")?;
                    entry.files.insert(name.to_owned(), blake3::hash(&fs::read(file.as_std_path())?));
                }
            }
            Message::BuildScriptExecuted(script) => {
                let entry = crates.entry(title(&script.package_id, checkout)).or_default();
                entry.script.extend(script_output(&script, &renamed)?);
            }
            _ => {}
        }
    }
    for node in graph(folder, target_dir, options, checkout)?.nodes {
        let dependencies = node.dependencies.iter().map(|id| title(id, checkout));
        if let Some(entry) = crates.get_mut(&title(&node.id, checkout)) {
            entry.dependencies.extend(dependencies);
        }
    }
    Ok(crates)
}

fn script_output(script: &BuildScript, renamed: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, String>> {
    let mut output: BTreeMap<_, _> =
        script.env.iter().map(|(name, value)| (format!("`{name}`"), renamed(value))).collect();
    output.insert("its settings for the compiler".to_owned(), script.cfgs.join(" "));
    let mut waiting = vec![script.out_dir.as_std_path().to_path_buf()];
    while let Some(folder) = waiting.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let content = fs::read(&path)?;
            let digest = std::str::from_utf8(&content)
                .map_or_else(|_| blake3::hash(&content), |text| blake3::hash(renamed(text).as_bytes()));
            let relative = path.strip_prefix(script.out_dir.as_std_path()).unwrap_or(&path);
            output.insert(format!("`OUT_DIR/{}`", relative.display()), digest.to_hex().to_string());
        }
    }
    Ok(output)
}

/// `name 1.2.3`, with the folder for crates of the checkout: two versions of a plugin may bring equal crates.
fn title(id: &PackageId, checkout: &Checkout) -> String {
    let text = neutral(&id.repr, checkout);
    let Some((name, version)) = name_and_version(&text) else {
        return text;
    };
    let folder = text.strip_prefix("path+file://").and_then(|rest| rest.rsplit_once('#'));
    let Some((folder, _)) = folder else {
        return format!("{name} {version}");
    };
    let place = folder.split_once("/.racetrack/").map_or(folder, |(_, rest)| rest);
    // The first part is the component's folder.
    let place = place.split_once('/').map_or(place, |(_, rest)| rest);
    format!("{name} {version} ({place})")
}

/// The text with the paths of this checkout called as they are in every checkout.
fn neutral(text: &str, checkout: &Checkout) -> String {
    let mut text = text.to_owned();
    // A path inside another one comes last in the list, and must be found first.
    for remap in remaps(checkout).iter().rev() {
        let path = remap.from.to_string_lossy();
        text = text.replace(&*path, &remap.to).replace(&path.replace(' ', "%20"), &remap.to);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_called_alike_in_every_checkout() {
        let titled = |root: &str, id: &str| {
            let checkout = Checkout {
                root: root.into(),
                cargo: "cargo".into(),
                cargo_home: "/h/.cargo".into(),
                homes: Vec::new(),
                offline: false,
                vendor: None,
            };
            title(&PackageId { repr: id.to_owned() }, &checkout)
        };
        assert_eq!(titled("/a", "registry+https://index#serde@1.0.2"), "serde 1.0.2");
        assert_eq!(titled("/a", "git+https://host.invalid/x/y?rev=ab/c#1.0.0"), "y 1.0.0");
        for root in ["/a", "/another%20root/b c"] {
            let place = format!("path+file://{}/.racetrack/tiny", root.replace(' ', "%20"));
            assert_eq!(
                titled(root, &format!("{place}/plugins/clock-1.0.0-ab#clock@1.0.0")),
                "clock 1.0.0 (plugins/clock-1.0.0-ab)"
            );
            assert_eq!(titled(root, &format!("{place}/core#0.1.0")), "core 0.1.0 (core)");
        }
    }
}
