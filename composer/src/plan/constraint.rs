//! `before` and `after`: what the tables of the declaration say about each other's plugins, and where that cannot hold.

use std::collections::BTreeSet;
use std::ops::Range;

use racetrack_bundle::Diagnostics;
use racetrack_bundle::suggestion::suggestion;

use crate::codes;
use crate::declaration::Declaration;
use crate::plan::loaded_plugin::LoadedPlugin;
use crate::plan::order::{Cycle, Precedence, order};

/// One name in a `before` or an `after`, for one of the plugins that have the name.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// What it asks for, as indices of loaded plugins.
    pub precedence: Precedence,
    /// The key it stands in.
    pub key: &'static str,
    /// Where the name stands.
    pub place: Range<usize>,
}

/// Reads the constraints between `plugins`. Those that cannot hold are told and left out.
pub fn constraints(
    declaration: &Declaration,
    plugins: &[LoadedPlugin],
    diagnostics: &mut Diagnostics,
) -> Vec<Constraint> {
    let mut constraints = Vec::new();
    for (index, plugin) in plugins.iter().enumerate() {
        let written = &plugin.declaration.order;
        for (key, names) in [("before", &written.before), ("after", &written.after)] {
            for (name, place) in names {
                let Some(others) = others(declaration, plugins, index, (key, name, place), diagnostics)
                else {
                    continue;
                };
                let precedence = |other| match key {
                    "before" => Precedence { first: index, second: other },
                    _ => Precedence { first: other, second: index },
                };
                let wanted = others.into_iter().map(|other| Constraint {
                    precedence: precedence(other),
                    key,
                    place: place.clone(),
                });
                for constraint in wanted {
                    if !contradicts(declaration, plugins, &constraint, diagnostics) {
                        constraints.push(constraint);
                    }
                }
            }
        }
    }
    constraints
}

/// The indices of `plugins` in hook order. Of constraints that form a cycle none can hold: they are told.
pub fn hook_order(
    declaration: &Declaration,
    plugins: &[LoadedPlugin],
    constraints: &[Constraint],
    diagnostics: &mut Diagnostics,
) -> Vec<usize> {
    let keys: Vec<_> = plugins.iter().map(LoadedPlugin::order_key).collect();
    order(&keys, &precedences(constraints)).unwrap_or_else(|cycles| {
        for cycle in cycles {
            report_cycle(declaration, plugins, constraints, &cycle, diagnostics);
        }
        Vec::new()
    })
}

/// What the constraints ask for.
pub fn precedences(constraints: &[Constraint]) -> Vec<Precedence> {
    constraints.iter().map(|constraint| constraint.precedence).collect()
}

/// The plugins that a name stands for.
fn others(
    declaration: &Declaration,
    plugins: &[LoadedPlugin],
    index: usize,
    (key, name, place): (&str, &str, &Range<usize>),
    diagnostics: &mut Diagnostics,
) -> Option<Vec<usize>> {
    let name_of = |plugin: &LoadedPlugin| plugin.source.manifest.name.to_string();
    if name_of(&plugins[index]) == name {
        let message = format!("plugin `{name}` names itself in `{key}`");
        let help = "versions of one plugin run in the order of their tables; remove the name";
        let diagnostic = declaration.document.diagnostic(codes::NAMES_ITSELF, place.clone(), message);
        diagnostics.push(diagnostic.with_help(help));
        return None;
    }
    let others: Vec<_> = (0..plugins.len()).filter(|other| name_of(&plugins[*other]) == name).collect();
    if others.is_empty() {
        let known: BTreeSet<_> = plugins.iter().map(name_of).collect();
        let message = format!("no declared plugin is called `{name}`");
        let help = suggestion(name, "plugins", known.iter().map(String::as_str));
        let diagnostic = declaration.document.diagnostic(codes::UNKNOWN_PLUGIN, place.clone(), message);
        diagnostics.push(diagnostic.with_help(help));
        return None;
    }
    Some(others)
}

fn contradicts(
    declaration: &Declaration,
    plugins: &[LoadedPlugin],
    constraint: &Constraint,
    diagnostics: &mut Diagnostics,
) -> bool {
    let (first, second) = (&plugins[constraint.precedence.first], &plugins[constraint.precedence.second]);
    let (first_priority, second_priority) = (first.order_key().priority, second.order_key().priority);
    if first_priority <= second_priority {
        return false;
    }
    let who = |plugin: &LoadedPlugin, priority: i64| {
        format!("{} ({}, priority {priority})", plugin.title(), declaration.line_of(&plugin.declaration))
    };
    let (first_named, second_named) = (who(first, first_priority), who(second, second_priority));
    let message = format!("{first_named} cannot run before {second_named}: lower priorities run first");
    let written = |plugin: &LoadedPlugin| {
        plugin.priority_at().unwrap_or_else(|| format!("{} (by default)", plugin.manifest_file()))
    };
    let help = format!("or change a priority: {}, {}", written(first), written(second));
    let place = constraint.place.clone();
    let diagnostic = declaration.document.diagnostic(codes::CONTRADICTS_PRIORITY, place, message);
    let removing = "remove the name: `before` and `after` order plugins of one priority";
    diagnostics.push(diagnostic.with_help(removing).with_help(help));
    true
}

fn report_cycle(
    declaration: &Declaration,
    plugins: &[LoadedPlugin],
    constraints: &[Constraint],
    Cycle(cycle): &Cycle,
    diagnostics: &mut Diagnostics,
) {
    let steps: Vec<_> = cycle
        .iter()
        .map(|index| {
            let Constraint { precedence: Precedence { first, second }, key, place } = &constraints[*index];
            let (first, second) = (plugins[*first].title(), plugins[*second].title());
            format!("{first} before {second} (`{key}` at {})", declaration.line_at(place.clone()))
        })
        .collect();
    let message = format!("these plugins wait for each other: {}", steps.join(", "));
    let place = constraints[cycle[0]].place.clone();
    let diagnostic = declaration.document.diagnostic(codes::ORDER_CYCLE, place, message);
    diagnostics.push(diagnostic.with_help("remove one of these names"));
}

#[cfg(test)]
pub mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::declaration::DeclaredOrder;
    use crate::plan::plan;
    use crate::plan::tests::{declaration, plugin};

    const MOST_PLUGINS: usize = 12;

    /// Two plugins by index, and whether the first one says `before`; otherwise the second one says `after`.
    type Pair = (usize, usize, bool);

    /// Plugins with these priorities and constraints.
    pub fn declared(priorities: &[i64], pairs: &[Pair]) -> Vec<LoadedPlugin> {
        let name = |index: usize| format!("p{index}");
        let numbered = priorities.iter().enumerate();
        let mut plugins: Vec<_> =
            numbered.map(|(index, priority)| plugin(index, &name(index), "1.0.0", *priority)).collect();
        for (first, second, is_before) in pairs {
            let (owner, other) = if *is_before { (first, second) } else { (second, first) };
            let DeclaredOrder { before, after } = &mut plugins[*owner].declaration.order;
            (if *is_before { before } else { after }).push((name(*other), 0..0));
        }
        plugins
    }

    /// The positions of the plugins of each component, in hook order and in the order that the components sort by.
    fn orders(plugins: &[LoadedPlugin]) -> Result<Vec<[Vec<usize>; 2]>, Vec<&'static str>> {
        let codes = |found: Diagnostics| found.0.iter().map(|one| one.code.0).collect::<Vec<_>>();
        let plan = plan(&declaration(&["a", "b"]), plugins).map_err(codes)?;
        let orders = plan.components.iter().map(|component| {
            let mut sorted = component.plugins.clone();
            sorted.sort_by_key(|plugin| (plugin.manifest.priority, component.rank(plugin)));
            [&component.plugins, &sorted]
                .map(|plugins| plugins.iter().map(|plugin| plugin.position).collect())
        });
        Ok(orders.collect())
    }

    /// Tries, place after place, every plugin that is left: priorities and constraints as they are written.
    fn oracle(priorities: &[i64], pairs: &[Pair]) -> Option<Vec<usize>> {
        let mut left: Vec<usize> = (0..priorities.len()).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let may_go =
                |one: &&usize| !pairs.iter().any(|(first, second, _)| second == *one && left.contains(first));
            let next = *left.iter().filter(may_go).min_by_key(|one| (priorities[**one], **one))?;
            order.push(next);
            left.retain(|one| *one != next);
        }
        order.is_sorted_by_key(|one| priorities[*one]).then_some(order)
    }

    fn pairs(plugins: usize) -> impl Strategy<Value = Vec<Pair>> {
        vec((0..plugins.max(1), 0..plugins.max(1), any::<bool>()), 0..=plugins)
            .prop_map(|pairs| pairs.into_iter().filter(|(first, second, _)| first != second).collect())
    }

    /// Priorities, and constraints that can hold together: ranks make them agree.
    pub fn satisfiable() -> impl Strategy<Value = (Vec<i64>, Vec<Pair>)> {
        let parts = |count| (vec(-1_i64..=1, count), vec(any::<u32>(), count), pairs(count));
        (0..=MOST_PLUGINS).prop_flat_map(parts).prop_map(|(priorities, ranks, mut pairs)| {
            let rank = |one: usize| (priorities[one], ranks[one], one);
            for (first, second, _) in &mut pairs {
                if rank(*first) > rank(*second) {
                    std::mem::swap(first, second);
                }
            }
            (priorities, pairs)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn constrained_order_is_the_smallest_one_that_holds(
            (priorities, pairs) in satisfiable(),
            in_b in vec(any::<bool>(), MOST_PLUGINS),
        ) {
            let mut plugins = declared(&priorities, &pairs);
            for (plugin, _) in plugins.iter_mut().zip(&in_b).filter(|(_, in_b)| !**in_b) {
                plugin.source.manifest.components = vec!["a".to_owned()];
            }
            let all = oracle(&priorities, &pairs).expect("the constraints can hold");
            let some: Vec<_> = all.iter().copied().filter(|index| in_b[*index]).collect();
            prop_assert_eq!(orders(&plugins), Ok(vec![[all.clone(), all], [some.clone(), some]]));
        }

        #[test]
        fn what_cannot_hold_is_refused(
            (priorities, pairs) in (0..=5_usize).prop_flat_map(|count| (vec(0_i64..=1, count), pairs(count))),
        ) {
            let contradicts = pairs.iter().any(|(first, second, _)| priorities[*first] > priorities[*second]);
            let found = orders(&declared(&priorities, &pairs));
            match oracle(&priorities, &pairs) {
                Some(order) if !contradicts => prop_assert_eq!(&found.unwrap()[0][0], &order),
                _ if contradicts => prop_assert_eq!(found.unwrap_err()[0], "contradicts-priority"),
                _ => prop_assert_eq!(found.unwrap_err()[0], "order-cycle"),
            }
        }
    }
}
