//! Why one plugin runs before another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::plan::constraint::{Constraint, precedences};
use crate::plan::order::{OrderKey, Precedence, order, path};
use crate::plan::{Loaded, LoadedPlugin, PlannedComponent, PlannedPlugin};

/// Why the first of two plugins runs before the second; `kind` in JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// Its priority is lower.
    Priority,
    /// Their priorities are equal, and its table comes first.
    Position,
    /// Their priorities are equal, and constraints lead from the one to the other, perhaps by way of further plugins.
    Constraints {
        /// The constraints, each from the second plugin of the one above.
        chain: Vec<StatedConstraint>,
    },
    /// Their priorities are equal, and the second one has to wait for a plugin whose table comes after that of the first.
    Waits {
        /// That plugin.
        for_plugin: Party,
        /// The constraints that lead from it to the second plugin.
        chain: Vec<StatedConstraint>,
    },
}

/// A plugin with everything that decides about its place.
#[derive(Debug, Serialize)]
pub struct Party {
    /// The name.
    name: String,
    /// The version.
    version: String,
    /// The priority.
    priority: i64,
    /// The line of the plugin manifest that says so; nothing where the priority is the default.
    priority_at: Option<String>,
    /// The plugin manifest.
    manifest: String,
    /// The line that declares it.
    declared_at: String,
}

/// A constraint in words.
#[derive(Debug, Serialize)]
pub struct StatedConstraint {
    /// The plugin that runs first, as `name version`.
    first: String,
    /// The plugin that runs after it.
    second: String,
    /// `before` or `after`.
    key: &'static str,
    /// The line with the name.
    at: String,
}

/// Why two plugins that follow each other in a hook do so in this order.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The plugin that is called first.
    first: Party,
    /// The plugin that is called next.
    second: Party,
    /// Why.
    reason: Reason,
}

/// The explanations of each hook of a component, one less than the hook reaches plugins.
pub type Explanations = BTreeMap<&'static str, Vec<Explanation>>;

/// Explains the call order of every hook of a component.
pub fn explain(loaded: &Loaded, component: &PlannedComponent) -> Explanations {
    let subject = Subject::new(loaded);
    let explained = |plugins: Vec<&PlannedPlugin>| {
        let pairs = plugins.windows(2);
        pairs.map(|pair| subject.explanation(subject.index(pair[0]), subject.index(pair[1]))).collect()
    };
    component.hooks().into_iter().map(|(hook, plugins)| (hook, explained(plugins))).collect()
}

/// The explanations of a component for people.
pub fn text(component: &PlannedComponent, explanations: &Explanations) -> String {
    let mut text = format!("{} ({})\n", component.declaration.name, component.declaration.package);
    if explanations.is_empty() {
        text.push_str("  no plugin implements a hook\n");
    }
    for (hook, plugins) in component.hooks() {
        writeln!(text, "  {hook}").expect("a String takes any text");
        if let [alone] = plugins[..] {
            let PlannedPlugin { manifest, declared_at, .. } = alone;
            writeln!(text, "    {} {} ({declared_at}) alone", manifest.name, manifest.version)
                .expect("a String takes any text");
        }
        for Explanation { first, second, reason } in &explanations[hook] {
            let (earlier, later) = (first.title_and_line(), second.title_and_line());
            let reason = reason.sentence(first, second);
            writeln!(text, "    {earlier} before {later}\n      {reason}").expect("a String takes any text");
        }
    }
    text
}

/// The plugins of a declaration with what orders them.
struct Subject<'a> {
    loaded: &'a Loaded,
    keys: Vec<OrderKey>,
    precedences: Vec<Precedence>,
    order: Vec<usize>,
}

impl<'a> Subject<'a> {
    fn new(loaded: &'a Loaded) -> Self {
        let keys: Vec<_> = loaded.plugins.iter().map(LoadedPlugin::order_key).collect();
        let precedences = precedences(&loaded.plan.constraints);
        let order = order(&keys, &precedences).expect("a plan has no cycles");
        Self { loaded, keys, precedences, order }
    }

    fn index(&self, plugin: &PlannedPlugin) -> usize {
        let mut keys = self.keys.iter();
        keys.position(|key| key.position == plugin.position).expect("what is planned was loaded")
    }

    fn explanation(&self, first: usize, second: usize) -> Explanation {
        Explanation {
            first: self.party(first),
            second: self.party(second),
            reason: self.reason(first, second),
        }
    }

    fn reason(&self, first: usize, second: usize) -> Reason {
        if self.keys[first].priority < self.keys[second].priority {
            return Reason::Priority;
        }
        if let Some(chain) = self.chain(first, second) {
            return Reason::Constraints { chain };
        }
        if self.keys[first].position < self.keys[second].position {
            return Reason::Position;
        }
        // When the first one was placed, the second one would have been preferred. So it had to wait: for plugins of
        // which the earliest had nothing to wait for itself, and was not preferred.
        let later = self.order.iter().skip_while(|index| **index != first).skip(1);
        let mut chains = later.filter_map(|index| Some((*index, self.chain(*index, second)?)));
        let (other, chain) = chains.next().expect("a plugin whose table comes first waits for another one");
        Reason::Waits { for_plugin: self.party(other), chain }
    }

    fn chain(&self, from: usize, to: usize) -> Option<Vec<StatedConstraint>> {
        let path = path(&self.keys, &self.precedences, from, to)?;
        Some(path.into_iter().map(|index| self.stated(&self.loaded.plan.constraints[index])).collect())
    }

    fn stated(&self, constraint: &Constraint) -> StatedConstraint {
        let Constraint { precedence: Precedence { first, second }, key, place } = constraint;
        StatedConstraint {
            first: self.party(*first).title(),
            second: self.party(*second).title(),
            key,
            at: self.loaded.declaration.line_at(place.clone()),
        }
    }

    fn party(&self, index: usize) -> Party {
        let plugin = &self.loaded.plugins[index];
        let manifest = &plugin.source.manifest;
        Party {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            priority: manifest.priority,
            priority_at: plugin.priority_at(),
            manifest: plugin.manifest_file(),
            declared_at: self.loaded.declaration.line_of(&plugin.declaration),
        }
    }
}

impl Party {
    fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    fn title_and_line(&self) -> String {
        format!("{} {} ({})", self.name, self.version, self.declared_at)
    }

    fn priority_place(&self) -> String {
        self.priority_at.clone().unwrap_or_else(|| format!("{} (default)", self.manifest))
    }
}

impl Reason {
    fn sentence(&self, first: &Party, second: &Party) -> String {
        let priority = first.priority;
        let equal = format!("equal priority {priority};");
        match self {
            Self::Priority => format!(
                "priority {priority} < {}: {}, {}",
                second.priority,
                first.priority_place(),
                second.priority_place()
            ),
            Self::Position => format!("{equal} the table of {} comes first", first.title()),
            Self::Constraints { chain } => format!("{equal} {}", sentence_of(chain)),
            Self::Waits { for_plugin, chain } => format!(
                "{equal} {} waits for {}, whose table comes later: {}",
                second.title(),
                for_plugin.title_and_line(),
                sentence_of(chain)
            ),
        }
    }
}

fn sentence_of(chain: &[StatedConstraint]) -> String {
    let stated = |one: &StatedConstraint| {
        let StatedConstraint { first, second, key, at } = one;
        format!("`{key}` at {at} puts {first} before {second}")
    };
    let stated: Vec<_> = chain.iter().map(stated).collect();
    stated.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::constraint::tests::{declared, satisfiable};
    use crate::plan::plan;
    use crate::plan::tests::declaration;

    /// The index of a plugin of [`declared`].
    fn index(name: &str) -> usize {
        name.split(' ')
            .next()
            .and_then(|name| name.strip_prefix('p')?.parse().ok())
            .expect("a name such as p1")
    }

    /// Whether the constraints are declared, and lead from one plugin to another.
    fn leads(chain: &[StatedConstraint], pairs: &[(usize, usize, bool)], from: usize, to: usize) -> bool {
        let mut steps = chain.iter().map(|one| (index(&one.first), index(&one.second), one.key == "before"));
        let end =
            steps.try_fold(from, |place, step| (pairs.contains(&step) && place == step.0).then_some(step.1));
        !chain.is_empty() && end == Some(to)
    }

    proptest! {
        /// Any two plugins follow each other in some component, so any two must be explained.
        #[test]
        fn every_reason_is_true((priorities, pairs) in satisfiable()) {
            let plugins = declared(&priorities, &pairs);
            let plan = plan(&declaration(&["a"]), &plugins).expect("the constraints can hold");
            let loaded = Loaded { declaration: declaration(&["a"]), plugins, plan };
            let subject = Subject::new(&loaded);
            for (turn, first) in subject.order.iter().enumerate() {
                for second in &subject.order[turn + 1..] {
                    let (first, second) = (*first, *second);
                    let is_equal = priorities[first] == priorities[second];
                    let is_true = match subject.reason(first, second) {
                        Reason::Priority => priorities[first] < priorities[second],
                        Reason::Position => is_equal && first < second,
                        Reason::Constraints { chain } => is_equal && leads(&chain, &pairs, first, second),
                        Reason::Waits { for_plugin, chain } => {
                            let other = index(&for_plugin.name);
                            is_equal && first < other && leads(&chain, &pairs, other, second)
                        }
                    };
                    prop_assert!(is_true, "{first} before {second}: {:?}", subject.reason(first, second));
                }
            }
        }
    }
}
