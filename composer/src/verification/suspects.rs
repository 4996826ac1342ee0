//! Which crates make two builds of a component differ. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::artifacts::CompiledCrate;

/// A crate that came out differently although everything it depends on came out the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    /// What the crate is called.
    pub name: String,
    /// What probably makes the difference.
    pub cause: Cause,
}

/// What makes a crate come out differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its build script puts out something else each time: these values and files.
    BuildScript(Vec<String>),
    /// One of these macros, each of which is used in no crate that came out the same.
    Macros(Vec<String>),
    /// Its own sources.
    Sources,
    /// It is in one of the builds only.
    OnlyOnce,
}

/// The crates that differ between two builds, without those that differ because of a crate they depend on.
pub(super) fn suspects(
    first: &BTreeMap<String, CompiledCrate>,
    second: &BTreeMap<String, CompiledCrate>,
) -> Vec<Suspect> {
    let names: BTreeSet<_> = first.keys().chain(second.keys()).map(String::as_str).collect();
    let differs = |name: &str| match (first.get(name), second.get(name)) {
        (Some(first), Some(second)) => first.files != second.files,
        _ => true,
    };
    let different: BTreeSet<&str> = names.into_iter().filter(|name| differs(name)).collect();
    let is_root = |name: &&&str| {
        let dependencies = first.get(**name).into_iter().flat_map(|one| &one.dependencies);
        !dependencies.into_iter().any(|dependency| different.contains(dependency.as_str()))
    };
    let roots = different.iter().filter(is_root);
    roots.map(|name| Suspect { name: (*name).to_owned(), cause: cause(name, first, second) }).collect()
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuildScript(outputs) => {
                write!(f, "its build script puts out something else each time: {}", outputs.join(", "))
            }
            Self::Macros(macros) => write!(
                f,
                "a macro gives it other code each time, probably because of the order of a hash map: {}",
                macros.join(" or ")
            ),
            Self::Sources => f.write_str(
                "its sources use something of the machine or of the moment, such as a path, a time or an environment variable",
            ),
            Self::OnlyOnce => f.write_str("it is in one of the two builds only"),
        }
    }
}

fn cause(
    name: &str,
    first: &BTreeMap<String, CompiledCrate>,
    second: &BTreeMap<String, CompiledCrate>,
) -> Cause {
    let (Some(one), Some(other)) = (first.get(name), second.get(name)) else {
        return Cause::OnlyOnce;
    };
    let outputs: BTreeSet<_> = one.script.keys().chain(other.script.keys()).collect();
    let changed = outputs.into_iter().filter(|output| one.script.get(*output) != other.script.get(*output));
    let changed: Vec<_> = changed.cloned().collect();
    if !changed.is_empty() {
        return Cause::BuildScript(changed);
    }
    let is_cleared = |used: &String| {
        first.iter().any(|(user, one)| {
            one.dependencies.contains(used)
                && !one.files.is_empty()
                && second.get(user).is_some_and(|other| one.files == other.files)
        })
    };
    let is_macro = |used: &&String| first.get(*used).is_some_and(|used| used.is_macro);
    let macros: Vec<_> =
        one.dependencies.iter().filter(is_macro).filter(|used| !is_cleared(used)).cloned().collect();
    if macros.is_empty() { Cause::Sources } else { Cause::Macros(macros) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dependencies`, then the content of the library and of the build script's output.
    fn compiled(dependencies: &[&str], content: &str, script: &str) -> CompiledCrate {
        CompiledCrate {
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            is_macro: content == "macro",
            files: [("lib.rlib".to_owned(), blake3::hash(content.as_bytes()))].into(),
            script: [("`TIME`".to_owned(), script.to_owned())].into(),
        }
    }

    fn build<const N: usize>(crates: [(&str, CompiledCrate); N]) -> BTreeMap<String, CompiledCrate> {
        crates.map(|(name, compiled)| (name.to_owned(), compiled)).into()
    }

    #[test]
    fn equal_builds_have_no_suspects() {
        let one = build([("a", compiled(&[], "1", "")), ("b", compiled(&["a"], "1", ""))]);
        assert_eq!(suspects(&one, &one), []);
    }

    #[test]
    fn a_crate_is_not_blamed_for_what_it_depends_on() {
        let make = |moment: &str| {
            build([
                ("clock", compiled(&[], moment, moment)),
                ("main", compiled(&["clock", "path"], moment, "")),
                ("path", compiled(&[], moment, "")),
                ("same", compiled(&[], "same", "")),
            ])
        };
        let found = suspects(&make("1"), &make("2"));
        let expected = [("clock", Cause::BuildScript(vec!["`TIME`".to_owned()])), ("path", Cause::Sources)];
        assert_eq!(found, expected.map(|(name, cause)| Suspect { name: name.to_owned(), cause }));
    }

    #[test]
    fn a_macro_is_blamed_unless_another_crate_clears_it() {
        let make = |moment: &str| {
            build([
                ("derive", compiled(&[], "macro", "")),
                ("dice", compiled(&[], "macro", "")),
                ("fair", compiled(&["derive"], "same", "")),
                ("player", compiled(&["derive", "dice"], moment, "")),
            ])
        };
        let found = suspects(&make("1"), &make("2"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].cause, Cause::Macros(vec!["dice".to_owned()]));
    }

    #[test]
    fn a_crate_of_one_build_only_is_named() {
        let one = build([("a", compiled(&[], "1", ""))]);
        assert_eq!(suspects(&one, &BTreeMap::new())[0].cause, Cause::OnlyOnce);
    }
}
