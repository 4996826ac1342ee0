//! The generated `Cargo.toml`: one package that is its own workspace, with everything it depends on inside.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use toml_edit::{DocumentMut, Item, Value};

use super::header::HEADER;
use crate::checkout::CORE;
use crate::declaration::{Profile, Profiles};
use crate::plan::{PlannedComponent, binary_package};

/// The parts of the checkout's Cargo.toml that its crates inherit.
#[derive(Debug)]
pub struct CheckoutManifest {
    document: DocumentMut,
}

impl CheckoutManifest {
    /// Reads the Cargo.toml of the checkout.
    pub fn load(root: &Path) -> Result<Self> {
        let path = root.join("Cargo.toml");
        let text = fs::read_to_string(&path)?;
        Self::parse(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        Ok(Self { document: text.parse()? })
    }

    /// A table below `[workspace]` as lines of a table called `header`, each entry on one line.
    fn workspace_table(&self, path: &[&str]) -> String {
        let mut item = self.document.get("workspace");
        for key in path {
            item = item.and_then(|item| item.get(key));
        }
        let mut text = String::new();
        let Some(table) = item.and_then(Item::as_table_like) else {
            return text;
        };
        write!(text, "\n[workspace.{}]\n", path.join(".")).expect("a String takes any text");
        for (key, item) in table.iter() {
            if let Ok(value) = item.clone().into_value() {
                let line = one_line(value);
                writeln!(text, "{} = {line}", toml_edit::Key::new(key)).expect("a String takes any text");
            }
        }
        text
    }

    fn workspace_tables_in(&self, key: &str) -> Vec<String> {
        let table = self
            .document
            .get("workspace")
            .and_then(|workspace| workspace.get(key))
            .and_then(Item::as_table_like);
        let tables = table.map(|table| table.iter().map(|(name, _)| name.to_owned()).collect());
        tables.unwrap_or_default()
    }
}

/// What a workspace is generated from, besides the plan.
pub struct Frame<'a> {
    /// The checkout's Cargo.toml.
    pub checkout: &'a CheckoutManifest,
    /// The crates of the checkout that the component needs.
    pub members: &'a BTreeSet<String>,
    /// The profiles of the declaration.
    pub profiles: &'a Profiles,
    /// The digest of the self-description; nothing while the crates are not known.
    pub description: Option<&'a str>,
}

/// The text of `Cargo.toml`.
pub(super) fn generate(component: &PlannedComponent, frame: &Frame<'_>, plan_digest: &str) -> String {
    let name = &component.declaration.name;
    let library = &component.declaration;
    let mut text = format!(
        "# {HEADER}\n\n\
         [package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [[bin]]\nname = \"{name}\"\npath = \"src/main.rs\"\n\n\
         # Cargo tells builds of one package apart by its features, not by its source text, and all declarations of a\n\
         # checkout share their intermediate artefacts.\n\
         [features]\ndefault = [\"plan-{plan_digest}\"]\nplan-{plan_digest} = []\n\n\
         [dependencies]\n",
        binary_package(name)
    );
    let mut line =
        |key: &str, value: &str| writeln!(text, "{key} = {value}").expect("a String takes any text");
    line("racetrack-core", &format!("{{ path = {CORE:?} }}"));
    line(&library.package, &format!("{{ path = {:?} }}", library.member));
    let mut plugins: Vec<_> = component.plugins.iter().collect();
    plugins.sort_by_key(|plugin| &plugin.identifier);
    for plugin in plugins {
        let path = format!("plugins/{}", plugin.folder);
        line(&plugin.identifier, &format!("{{ package = {:?}, path = {path:?} }}", plugin.package));
    }
    text.push_str("\n# Plugins are no members: two versions of one could not both be.\n[workspace]\nresolver = \"3\"\nmembers = [\n");
    for member in frame.members {
        writeln!(text, "    {member:?},").expect("a String takes any text");
    }
    text.push_str("]\nexclude = [\"plugins\"]\n");
    text.push_str(&frame.checkout.workspace_table(&["package"]));
    text.push_str(&frame.checkout.workspace_table(&["dependencies"]));
    for lints in frame.checkout.workspace_tables_in("lints") {
        text.push_str(&frame.checkout.workspace_table(&["lints", &lints]));
    }
    write!(
        text,
        "\n# Plugins ask for racetrack-core by version; there must be one copy, this checkout's.\n\
         [patch.crates-io]\nracetrack-core = {{ path = {CORE:?} }}\n",
    )
    .expect("a String takes any text");
    text.push_str(&profiles(frame.profiles));
    text
}

fn profiles(profiles: &Profiles) -> String {
    let mut text = String::new();
    for (name, profile) in &profiles.0 {
        write!(text, "\n[profile.{name}]\n").expect("a String takes any text");
        if name != profile.base {
            writeln!(text, "inherits = {:?}", profile.base).expect("a String takes any text");
        }
        text.push_str(&settings(profile));
    }
    text
}

fn settings(profile: &Profile) -> String {
    let lines: Vec<_> =
        profile.settings.iter().map(|(key, value)| format!("{} = {value}\n", key.as_str())).collect();
    lines.concat()
}

/// The value without comments and line breaks.
fn one_line(mut value: Value) -> String {
    fn tidy(value: &mut Value) {
        match value {
            Value::Array(array) => {
                array.iter_mut().for_each(tidy);
                array.set_trailing("");
                array.set_trailing_comma(false);
                array.fmt();
            }
            Value::InlineTable(table) => {
                table.iter_mut().for_each(|(_, value)| tidy(value));
                table.fmt();
            }
            _ => {}
        }
        value.decor_mut().clear();
    }
    tidy(&mut value);
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_tables_are_copied_line_by_line() {
        let text = "[workspace.dependencies]\n# why\na = \"1\" # c\nb = { version = \"2\", features = [\n \"x\", # d\n \"y\",\n] }\n\
                    [workspace.dependencies.c]\nversion = \"3\"\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        let manifest = CheckoutManifest::parse(text).unwrap();
        assert_eq!(manifest.workspace_tables_in("lints"), ["rust"]);
        assert_eq!(
            manifest.workspace_table(&["lints", "rust"]),
            "\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"
        );
        assert_eq!(manifest.workspace_table(&["package"]), "");
        insta::assert_snapshot!(manifest.workspace_table(&["dependencies"]), @r#"

        [workspace.dependencies]
        a = "1"
        b = { version = "2", features = ["x", "y"] }
        c = { version = "3" }
        "#);
    }
}
