//! Orders of plugins that are not the locked ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Lock, LockedComponent, LockedPlugin, Pairs};

/// A list of plugins that is not the locked one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderDifference {
    /// What is in that order.
    pub list: List,
    /// The titles of the lock; a plugin that only changed its version has the present one.
    pub expected: Vec<String>,
    /// The titles there are.
    pub actual: Vec<String>,
}

/// What is in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// The tables of the declaration.
    Declaration,
    /// The plugins of a component.
    Component(String),
    /// The calls of a hook in a component.
    Hook {
        /// The component.
        component: String,
        /// The hook.
        hook: String,
    },
}

impl List {
    /// Whether this is the order of the component of that name.
    pub fn is_component(&self, name: &str) -> bool {
        matches!(self, Self::Component(own) if own == name)
    }
}

impl OrderDifference {
    /// The difference as a unified diff.
    pub fn unified_diff(&self) -> String {
        let text = |titles: &[String]| titles.join("\n") + if titles.is_empty() { "" } else { "\n" };
        let (expected, actual) = (text(&self.expected), text(&self.actual));
        let diff = similar::TextDiff::from_lines(expected.as_str(), actual.as_str());
        let name = self.list.to_string();
        diff.unified_diff().header(&format!("locked: {name}"), &format!("planned: {name}")).to_string()
    }

    /// Whether it is only the order that differs, of the same plugins.
    pub fn is_of_same_plugins(&self) -> bool {
        let expected: BTreeSet<_> = self.expected.iter().collect();
        expected == self.actual.iter().collect()
    }

    fn of(
        list: List,
        expected: &[String],
        actual: &[String],
        renamed: &BTreeMap<String, String>,
    ) -> Option<Self> {
        let present = |title: &String| renamed.get(title).unwrap_or(title).clone();
        let expected: Vec<_> = expected.iter().map(present).collect();
        (expected != actual).then(|| Self { list, expected, actual: actual.to_vec() })
    }

    /// Whether plugins that both lists have changed places.
    fn moves(&self) -> bool {
        let shared = |titles: &[String], others: &[String]| {
            let others: BTreeSet<_> = others.iter().collect();
            titles.iter().filter(|title| others.contains(title)).cloned().collect::<Vec<_>>()
        };
        shared(&self.expected, &self.actual) != shared(&self.actual, &self.expected)
    }
}

/// Every order in which a component of both locks, or a hook of it, reaches other plugins, or in another order.
pub(super) fn hook_orders(expected: &Lock, actual: &Lock) -> Vec<OrderDifference> {
    let renamed = renamed(expected, actual);
    let both = actual.components.iter().filter_map(|one| Some((expected.component(&one.name)?, one)));
    both.flat_map(|(expected, actual)| component_orders(expected, actual, &renamed)).collect()
}

/// The orders that differ for no other reason: plugins changed places, or a list lacks a plugin although no plugin
/// differs. Orders of hooks are left out where the order of the component says it all.
pub(super) fn unexplained(expected: &Lock, actual: &Lock, plugins_differ: bool) -> Vec<OrderDifference> {
    let renamed = renamed(expected, actual);
    let is_unexplained = |order: &OrderDifference| order.moves() || !plugins_differ;
    let mut orders = Vec::new();
    for component in &actual.components {
        let Some(locked) = expected.component(&component.name) else {
            continue;
        };
        let mut found: Vec<_> =
            component_orders(locked, component, &renamed).into_iter().filter(is_unexplained).collect();
        if matches!(found.first(), Some(OrderDifference { list: List::Component(_), .. })) {
            found.truncate(1);
        }
        orders.extend(found);
    }
    let titles = |lock: &Lock| lock.plugins.iter().map(LockedPlugin::title).collect::<Vec<_>>();
    let tables = OrderDifference::of(List::Declaration, &titles(expected), &titles(actual), &renamed);
    if orders.is_empty() {
        orders.extend(tables.filter(is_unexplained));
    }
    orders
}

/// The order of the component first, then those of its hooks.
fn component_orders(
    expected: &LockedComponent,
    actual: &LockedComponent,
    renamed: &BTreeMap<String, String>,
) -> Vec<OrderDifference> {
    let name = || actual.name.clone();
    let own = OrderDifference::of(List::Component(name()), &expected.plugins, &actual.plugins, renamed);
    let hooks: BTreeSet<_> = expected.hooks.keys().chain(actual.hooks.keys()).collect();
    let hooks = hooks.into_iter().filter_map(|hook| {
        let titles = |component: &LockedComponent| component.hooks.get(hook).cloned().unwrap_or_default();
        let list = List::Hook { component: name(), hook: hook.clone() };
        OrderDifference::of(list, &titles(expected), &titles(actual), renamed)
    });
    own.into_iter().chain(hooks).collect()
}

/// The present titles of plugins that changed their version, by the locked ones.
fn renamed(expected: &Lock, actual: &Lock) -> BTreeMap<String, String> {
    let both = Pairs::of(&expected.plugins, &actual.plugins).both.into_iter();
    both.map(|(locked, plugin)| (locked.title(), plugin.title())).collect()
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declaration => f.write_str("tables of the declaration"),
            Self::Component(name) => write!(f, "plugins of component `{name}`"),
            Self::Hook { component, hook } => write!(f, "hook `{hook}` of component `{component}`"),
        }
    }
}

impl fmt::Display for OrderDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let same = self.expected.iter().zip(&self.actual).take_while(|(left, right)| left == right).count();
        let at = |titles: &[String]| {
            titles.get(same).map_or_else(|| "the end".to_owned(), |title| format!("`{title}`"))
        };
        let (expected, actual) = (at(&self.expected), at(&self.actual));
        write!(f, "order of the {}, place {}: expected {expected}, actual {actual}", self.list, same + 1)
    }
}
