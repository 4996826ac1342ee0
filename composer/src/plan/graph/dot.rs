//! The plan in the language of Graphviz.

use std::fmt::{self, Write as _};

use crate::plan::{BuildPlan, PlannedComponent};

/// A graph with a cluster per component; the edges of a hook are numbered in call order.
pub fn dot(plan: &BuildPlan) -> String {
    let mut text = String::from(
        "digraph plan {\n  fontname = \"sans-serif\";\n  node [fontname = \"sans-serif\"];\n  edge [fontname = \"sans-serif\"];\n",
    );
    for component in &plan.components {
        write_component(component, &mut text).expect("a String takes any text");
    }
    text + "}\n"
}

fn write_component(component: &PlannedComponent, text: &mut String) -> fmt::Result {
    let name = &component.declaration.name;
    let (cluster, label) = (quoted(&format!("cluster {name}")), quoted(name));
    writeln!(text, "  subgraph {cluster} {{\n    label = {label};")?;
    let node_of = |turn: usize| quoted(&format!("{name} plugin {turn}"));
    for (turn, plugin) in component.plugins.iter().enumerate() {
        let label = format!("{} {}", plugin.manifest.name, plugin.manifest.version);
        let priority = plugin.manifest.priority;
        writeln!(text, "    {} [shape = box, label = \"{label}\\npriority {priority}\"];", node_of(turn))?;
    }
    for turn in 1..component.plugins.len() {
        writeln!(text, "    {} -> {} [style = dotted, weight = 100];", node_of(turn - 1), node_of(turn))?;
    }
    for (hook, plugins) in component.hooks() {
        let node = quoted(&format!("{name} hook {hook}"));
        writeln!(text, "    {node} [label = {}];", quoted(hook))?;
        for (call, called) in plugins.iter().enumerate() {
            let turn = component.plugins.iter().position(|plugin| plugin.position == called.position);
            let turn = turn.expect("a hook reaches plugins of its component");
            writeln!(text, "    {node} -> {} [label = {}];", node_of(turn), call + 1)?;
        }
    }
    writeln!(text, "  }}")
}

/// Names of components, plugins and hooks need no escapes.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
