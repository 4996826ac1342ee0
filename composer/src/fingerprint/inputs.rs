//! Everything that decides the bytes of a binary, as far as it is known before cargo runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::identity::identity;
use super::source_tree::SourceTree;
use super::tools::Tools;
use super::{configuration, digest, variables};
use crate::cargo::cargo_configuration_files;
use crate::cargo::{self, CompileOptions};
use crate::checkout::{Checkout, HOST_TRIPLE};
use crate::workspace::assemble as workspace;
use crate::workspace::prepare::{BuildContext, Prepared};

/// Each input by what people call it, with what distinguishes it from another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs(pub(super) BTreeMap<String, String>);

/// The inputs of a prepared component; nothing when only cargo can know whether there is something to do.
/// `digests` are those of the crates of the checkout, by their folders.
pub fn inputs(
    prepared: &Prepared<'_>,
    digests: &BTreeMap<String, String>,
    out_dir: &Path,
    context: &BuildContext<'_>,
) -> Result<Option<Inputs>> {
    let (options, checkout, declaration) = (context.options, context.checkout(), context.declaration());
    // A vendor folder takes the place of registries, and its crates are not compared every time.
    if checkout.vendor.is_some() {
        return Ok(None);
    }
    let target_dir = workspace::target_dir(declaration, &prepared.component.declaration.name);
    let surroundings = Surroundings {
        checkout,
        options,
        variables: variables::variables(std::env::vars_os(), &cargo::changes(&target_dir, options, checkout)),
        folder: &prepared.folder,
        out_dir,
    };
    let Some(mut lines) = surroundings.lines()? else {
        return Ok(None);
    };
    lines.insert("build system".to_owned(), own_identity()?);
    for (label, content) in prepared.parts(context) {
        lines.insert(label, digest(&content));
    }
    let members = prepared.members();
    lines.extend(source_lines(digests.iter().filter(|(member, _)| members.contains(*member))));
    Ok(Some(Inputs(lines)))
}

/// The sources of crates of the checkout, by their folders.
pub fn trees(members: &BTreeSet<String>, root: &Path) -> Result<BTreeMap<String, SourceTree>> {
    members.iter().map(|member| Ok((member.clone(), SourceTree::read(&root.join(member))?))).collect()
}

/// The digest of each of the trees.
pub fn digests(trees: &BTreeMap<String, SourceTree>) -> BTreeMap<String, String> {
    trees.iter().map(|(member, tree)| (member.clone(), tree.digest())).collect()
}

/// What a build finds besides what it builds.
struct Surroundings<'a> {
    checkout: &'a Checkout,
    options: &'a CompileOptions,
    /// What cargo finds in its environment.
    variables: BTreeMap<OsString, OsString>,
    /// Where cargo runs.
    folder: &'a Path,
    out_dir: &'a Path,
}

impl Surroundings<'_> {
    fn lines(&self) -> Result<Option<BTreeMap<String, String>>> {
        let Self { checkout, options, variables, folder, out_dir } = self;
        let tools = Tools::new(variables);
        let files = cargo_configuration_files(folder, checkout);
        let Some(mut lines) = configuration::lines(&files, &tools)? else {
            return Ok(None);
        };
        let Some(programs) = tools.lines(&checkout.cargo, &[HOST_TRIPLE, options.target()])? else {
            return Ok(None);
        };
        lines.extend(programs);
        lines.extend(variables::lines(variables));
        lines.insert("output folder".to_owned(), digest(out_dir.as_os_str().as_encoded_bytes()));
        // How cargo is called, as far as it does not decide the bytes, is left out.
        let options = CompileOptions { locked: false, offline: false, ..(*options).clone() };
        lines.insert("build options".to_owned(), digest(format!("{options:?}").as_bytes()));
        Ok(Some(lines))
    }
}

fn source_lines<'a>(
    digests: impl Iterator<Item = (&'a String, &'a String)>,
) -> impl Iterator<Item = (String, String)> {
    digests.map(|(member, digest)| (format!("crate {member}"), digest.clone()))
}

impl Inputs {
    /// Whether everything that people and tools write is the same in both; what a build itself writes, the generated workspace and
    /// the lock, may be another one.
    pub fn is_given_like(&self, other: &Self) -> bool {
        let is_given =
            |label: &str| !["generated ", "link ", "locks/"].iter().any(|prefix| label.starts_with(prefix));
        let given = |inputs: &Self| {
            let kept = inputs.0.iter().filter(|(label, _)| is_given(label));
            kept.map(|(label, value)| (label.clone(), value.clone())).collect::<Vec<_>>()
        };
        given(self) == given(other)
    }

    /// What is another one than before, in the words of people: the first such input, and how many more there are.
    pub fn difference(&self, former: &Self) -> Option<String> {
        let changed = self.0.iter().filter(|(label, value)| former.0.get(*label) != Some(value));
        let gone = former.0.keys().filter(|label| !self.0.contains_key(*label));
        let mut labels: Vec<_> = changed.map(|(label, _)| label).chain(gone).collect();
        // Sources are what people change; the rest follows.
        let is_source = |label: &str| label.starts_with("crate ") || label.starts_with("plugin ");
        labels.sort_by_key(|label| (!is_source(label), label.as_str()));
        let first = labels.first()?;
        Some(match labels.len() - 1 {
            0 => format!("{first} changed"),
            more => format!("{first} and {more} more changed"),
        })
    }
}

/// This program, which may have been replaced on disk while it runs.
fn own_identity() -> Result<String> {
    let proc = Path::new("/proc/self/exe");
    let path = if proc.exists() { proc.to_owned() } else { std::env::current_exe()? };
    identity(&path).context("cannot look at the build system's own binary").map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::fingerprint::arbitrary::{Change, Machine, change};

    #[test]
    fn differences_name_sources_first() {
        let inputs = |lines: &[(&str, &str)]| {
            Inputs(lines.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect())
        };
        let former = inputs(&[("crate core", "1"), ("build options", "1")]);
        assert_eq!(former.difference(&former), None);
        let changed = inputs(&[("crate core", "2"), ("build options", "1")]);
        assert_eq!(changed.difference(&former).unwrap(), "crate core changed");
        let other = inputs(&[("crate core", "2"), ("build options", "2")]);
        assert_eq!(other.difference(&former).unwrap(), "crate core and 1 more changed");
        assert_eq!(inputs(&[("crate core", "1")]).difference(&former).unwrap(), "build options changed");
    }

    fn read(machine: &Machine) -> BTreeMap<String, String> {
        let surroundings = Surroundings {
            checkout: &machine.checkout(),
            options: &machine.options(),
            variables: machine.variables(),
            folder: &machine.folder(),
            out_dir: Path::new("/dist"),
        };
        let mut lines = surroundings.lines().unwrap().unwrap();
        let member = machine.member();
        let trees = BTreeMap::from([("core".to_owned(), SourceTree::read(&member).unwrap())]);
        lines.extend(source_lines(digests(&trees).iter()));
        lines
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every change makes a file older than all changes before.
        #[test]
        fn inputs_are_the_same_exactly_when_everything_is(changes in vec(change(), 1..16)) {
            let mut machine = Machine::new();
            let first = (machine.state(), read(&machine));
            let mut seen = vec![first.clone()];
            for change in changes {
                machine.apply(change);
                let now = (machine.state(), read(&machine));
                for before in &seen {
                    prop_assert_eq!(before.0 == now.0, before.1 == now.1, "{:?} and {:?}", before, &now);
                }
                seen.push(now);
            }
            let undone = machine.undo_all();
            prop_assert!(!undone || read(&machine) == first.1);
        }
    }

    #[test]
    fn each_change_alone_counts_and_can_be_taken_back() {
        let mut machine = Machine::new();
        for change in Change::each() {
            let before = read(&machine);
            machine.apply(change);
            assert_ne!(read(&machine), before, "{change:?}");
            if machine.undo_all() {
                assert_eq!(read(&machine), before, "{change:?}");
            }
        }
    }

    #[test]
    fn a_proxy_of_the_toolchain_is_not_one() {
        let machine = Machine::new();
        let tools = |cargo: Checkout| {
            let variables = machine.variables();
            Tools::new(&variables).lines(&cargo.cargo, &[HOST_TRIPLE]).unwrap()
        };
        assert!(tools(machine.checkout()).is_some());
        std::fs::remove_dir_all(machine.toolchain().join("lib")).unwrap();
        assert_eq!(tools(machine.checkout()), None);
    }
}
