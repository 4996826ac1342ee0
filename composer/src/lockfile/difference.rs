//! How what would be built differs from what the lock says.

use std::fmt;

use super::order::{self, OrderDifference};
use super::{Lock, LockedComponent, LockedPlugin, Pairs};

/// The first digits of a digest tell it from another one.
const SHORT_DIGEST: usize = 12;

/// One difference. `Display` names the subject, the expected value (of the lock) and the actual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The toolchain is another one.
    Toolchain(Change),
    /// A plugin is declared and not locked.
    AddedPlugin(Subject),
    /// A plugin is locked and not declared.
    RemovedPlugin(Subject),
    /// A plugin is not as it was.
    Plugin {
        /// Its name, and the version it has now.
        subject: Subject,
        /// What is not as it was.
        change: Change,
    },
    /// A component is declared and not locked.
    AddedComponent(String),
    /// A component is locked and not declared.
    RemovedComponent(String),
    /// A component is not as it was.
    Component {
        /// Its name.
        name: String,
        /// What is not as it was.
        change: Change,
    },
    /// Plugins are in another order; not told of orders that other differences explain.
    Order(OrderDifference),
}

/// A plugin that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The name.
    pub name: String,
    /// The version, of the two the present one.
    pub version: String,
    /// The source, of the two the present one, with its kind.
    pub source: String,
}

/// A value that is not the locked one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key of the lock that has the value.
    pub field: &'static str,
    /// What the lock says.
    pub expected: String,
    /// What there is.
    pub actual: String,
}

impl Lock {
    /// Everything in which `actual` is not what this lock says. Nothing exactly if the two are equal.
    pub fn differences(&self, actual: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let pairs = Pairs::of(&self.plugins, &actual.plugins);
        differences.extend(pairs.added.iter().map(|plugin| Difference::AddedPlugin(Subject::of(plugin))));
        differences.extend(pairs.removed.iter().map(|plugin| Difference::RemovedPlugin(Subject::of(plugin))));
        for (expected, actual) in &pairs.both {
            let subject = Subject::of(actual);
            let of = |change| Difference::Plugin { subject: subject.clone(), change };
            differences.extend(plugin_changes(expected, actual).map(of));
        }
        let plugins_differ = !differences.is_empty();
        differences.extend(self.component_differences(actual));
        differences
            .extend(order::unexplained(self, actual, plugins_differ).into_iter().map(Difference::Order));
        if differences.is_empty() {
            differences.extend(self.plan_differences(actual));
        }
        let toolchain = Change::of("rustc", &self.toolchain.rustc, &actual.toolchain.rustc);
        toolchain.map(Difference::Toolchain).into_iter().chain(differences).collect()
    }

    fn component_differences(&self, actual: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for component in &actual.components {
            let name = component.name.clone();
            let Some(expected) = self.component(&name) else {
                differences.push(Difference::AddedComponent(name));
                continue;
            };
            let changes = [
                Change::of("package", &expected.package, &component.package),
                Change::of("path", &expected.path, &component.path),
            ];
            let of = |change| Difference::Component { name: name.clone(), change };
            differences.extend(changes.into_iter().flatten().map(of));
        }
        let removed = self.components.iter().filter(|one| actual.component(&one.name).is_none());
        differences.extend(removed.map(|one| Difference::RemovedComponent(one.name.clone())));
        differences
    }

    /// The plan digest changes with nearly everything, so it is worth a word only where nothing else differs.
    fn plan_differences(&self, actual: &Self) -> Vec<Difference> {
        let both = actual.components.iter().filter_map(|one| Some((self.component(&one.name)?, one)));
        both.filter_map(|(expected, component)| {
            let change = Change::of("plan", &expected.plan, &component.plan)?;
            Some(Difference::Component { name: component.name.clone(), change })
        })
        .collect()
    }

    pub(super) fn component(&self, name: &str) -> Option<&LockedComponent> {
        self.components.iter().find(|component| component.name == name)
    }
}

fn plugin_changes(expected: &LockedPlugin, actual: &LockedPlugin) -> impl Iterator<Item = Change> {
    let absent = || "none".to_owned();
    let digest = |digest: &Option<String>| digest.clone().unwrap_or_else(absent);
    let changes = [
        Change::of("version", &expected.version, &actual.version),
        Change::of("source", &expected.source, &actual.source),
        Change::of("digest", &expected.digest, &actual.digest),
        Change::of("sha256", &digest(&expected.sha256), &digest(&actual.sha256)),
        Change::of("priority", &expected.priority.to_string(), &actual.priority.to_string()),
        Change::of("components", &list(&expected.components, "all"), &list(&actual.components, "all")),
        Change::of("hooks", &list(&expected.hooks, "none"), &list(&actual.hooks, "none")),
        Change::of(
            "allow-build-script",
            &expected.allow_build_script.to_string(),
            &actual.allow_build_script.to_string(),
        ),
    ];
    changes.into_iter().flatten()
}

fn list(items: &[String], empty: &str) -> String {
    if items.is_empty() { empty.to_owned() } else { items.join(", ") }
}

impl Subject {
    fn of(plugin: &LockedPlugin) -> Self {
        let LockedPlugin { name, version, source, .. } = plugin.clone();
        Self { name, version, source }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` {}", self.name, self.version)
    }
}

impl Change {
    fn of(field: &'static str, expected: &str, actual: &str) -> Option<Self> {
        let (expected, actual) = (expected.to_owned(), actual.to_owned());
        (expected != actual).then_some(Self { field, expected, actual })
    }

    /// With digests cut to what tells them apart.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        if ["digest", "sha256", "plan"].contains(&self.field) {
            for digest in [&mut self.expected, &mut self.actual] {
                digest.truncate(digest.floor_char_boundary(SHORT_DIGEST));
            }
        }
        self
    }
}

impl Difference {
    /// With digests cut to what tells them apart.
    #[must_use]
    pub fn shortened(self) -> Self {
        match self {
            Self::Plugin { subject, change } => Self::Plugin { subject, change: change.shortened() },
            Self::Component { name, change } => Self::Component { name, change: change.shortened() },
            other => other,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |f: &mut fmt::Formatter<'_>, Change { field, expected, actual }: &Change, subject: &str| {
            write!(f, "`{field}` of {subject}: expected `{expected}`, actual `{actual}`")
        };
        match self {
            Self::Toolchain(change) => of(f, change, "the toolchain"),
            Self::AddedPlugin(subject) => {
                write!(f, "{subject} is not locked: expected no such plugin, actual `{}`", subject.source)
            }
            Self::RemovedPlugin(subject) => {
                write!(f, "{subject} is not declared: expected `{}`, actual no such plugin", subject.source)
            }
            Self::Plugin { subject, change } => of(f, change, &subject.to_string()),
            Self::AddedComponent(name) => {
                write!(f, "component `{name}` is not locked: expected no such component, actual one")
            }
            Self::RemovedComponent(name) => {
                write!(f, "component `{name}` is not declared: expected one, actual no such component")
            }
            Self::Component { name, change } => of(f, change, &format!("component `{name}`")),
            Self::Order(order) => order.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::lockfile::arbitrary;

    proptest! {
        #[test]
        fn no_difference_means_equal(one in arbitrary::lock(), other in arbitrary::lock()) {
            prop_assert_eq!(one.differences(&one), []);
            prop_assert_eq!(one.differences(&other).is_empty(), one == other);
        }

        #[test]
        fn any_edit_is_a_difference((lock, edited) in arbitrary::edited()) {
            prop_assert_eq!(lock.differences(&edited).is_empty(), lock == edited, "{:?}", edited);
            prop_assert_eq!(edited.differences(&lock).is_empty(), lock == edited, "{:?}", edited);
        }
    }
}
