//! Files that use each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::arrows::{Arrow, Arrows};

/// The files of one circle, in the order of their names.
pub type Circle = Vec<PathBuf>;

/// All circles: the largest sets of files in which each reaches each other.
pub fn circles(arrows: &Arrows) -> Vec<Circle> {
    let edges = arrows.names.keys().map(|Arrow { from, to }| (from.as_path(), to.as_path()));
    let reached = reached(edges.collect());
    let mut circles: Vec<Circle> = Vec::new();
    for file in &arrows.files {
        let leads = |from: &Path, to: &Path| reached.get(from).is_some_and(|files| files.contains(to));
        if !leads(file, file) || circles.iter().any(|circle| circle.contains(file)) {
            continue;
        }
        let members = arrows.files.iter().filter(|other| leads(file, other) && leads(other, file));
        circles.push(members.cloned().collect());
    }
    circles
}

/// For each node, all that it reaches over one edge or more.
pub(crate) fn reached<'graph, Node: Ord + ?Sized>(
    edges: BTreeSet<(&'graph Node, &'graph Node)>,
) -> BTreeMap<&'graph Node, BTreeSet<&'graph Node>> {
    let mut next: BTreeMap<&Node, Vec<&Node>> = BTreeMap::new();
    for (from, to) in edges {
        next.entry(from).or_default().push(to);
    }
    let reached_from = |start: &'graph Node| {
        let mut seen = BTreeSet::new();
        let mut pending = vec![start];
        while let Some(node) = pending.pop() {
            pending.extend(next.get(node).into_iter().flatten().copied().filter(|node| seen.insert(*node)));
        }
        seen
    };
    next.keys().map(|node| (*node, reached_from(node))).collect()
}
