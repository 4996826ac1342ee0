//! What a new lock accepts, for people to read.

use super::Lock;
use super::difference::{Change, Difference};
use super::order::{List, OrderDifference, hook_orders};

impl Lock {
    /// What was added, removed and changed since `former`, and the orders that changed as unified diffs; nothing if the
    /// two are equal.
    pub fn changes_since(&self, former: &Self) -> String {
        let differences = former.differences(self).into_iter();
        let lines: String = differences.map(|difference| line(difference.shortened())).collect();
        let orders = hook_orders(former, self);
        let is_told = |order: &&OrderDifference| match &order.list {
            List::Hook { component, .. } => !orders.iter().any(|other| other.list.is_component(component)),
            List::Component(_) | List::Declaration => true,
        };
        lines + &orders.iter().filter(is_told).map(OrderDifference::unified_diff).collect::<String>()
    }
}

fn line(difference: Difference) -> String {
    match difference {
        Difference::AddedPlugin(subject) => format!("+ {subject} from `{}`\n", subject.source),
        Difference::RemovedPlugin(subject) => format!("- {subject} from `{}`\n", subject.source),
        Difference::AddedComponent(name) => format!("+ component `{name}`\n"),
        Difference::RemovedComponent(name) => format!("- component `{name}`\n"),
        Difference::Plugin { subject, change } => changed(&subject.to_string(), &change),
        Difference::Component { name, change } => changed(&format!("component `{name}`"), &change),
        Difference::Toolchain(change) => changed("toolchain", &change),
        Difference::Order(order) if order.list == List::Declaration => order.unified_diff(),
        // It is among the orders of hooks.
        Difference::Order(_) => String::new(),
    }
}

fn changed(subject: &str, Change { field, expected, actual }: &Change) -> String {
    format!("~ {subject}: {field} {expected} -> {actual}\n")
}
