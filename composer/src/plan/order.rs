//! The order of plugins: by ascending (priority, position), where constraints refine the positions within one priority.
//! Knows nothing of declarations.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

/// What decides where a plugin comes, constraints apart; the smaller one runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderKey {
    /// The priority of the plugin manifest.
    pub priority: i64,
    /// The place of the table among all `[[plugin]]` tables.
    pub position: usize,
}

/// One plugin runs before another; both are indices into the list that is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precedence {
    /// The one that runs first.
    pub first: usize,
    /// The one that runs after it.
    pub second: usize,
}

/// Precedences of which none can hold, by their index: each one's `second` is the next one's `first`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub(crate) Vec<usize>);

/// The order, as indices into `keys`: in each priority, repeatedly the plugin with the smallest position whose
/// predecessors are all placed. Precedences between priorities are left out, because priorities decide there.
///
/// # Errors
///
/// One shortest cycle for each set of plugins that wait for each other.
pub fn order(keys: &[OrderKey], precedences: &[Precedence]) -> Result<Vec<usize>, Vec<Cycle>> {
    let graph = Graph::new(keys, precedences);
    let mut waiting_for: Vec<_> = graph.incoming.iter().map(Vec::len).collect();
    let ready = (0..keys.len()).filter(|index| waiting_for[*index] == 0);
    let mut ready: BinaryHeap<_> = ready.map(|index| Reverse((keys[index], index))).collect();
    let mut order = Vec::with_capacity(keys.len());
    while let Some(Reverse((_, index))) = ready.pop() {
        order.push(index);
        for precedence in &graph.outgoing[index] {
            let second = precedences[*precedence].second;
            waiting_for[second] -= 1;
            if waiting_for[second] == 0 {
                ready.push(Reverse((keys[second], second)));
            }
        }
    }
    if order.len() == keys.len() { Ok(order) } else { Err(cycles(keys, precedences, &graph, &waiting_for)) }
}

/// The shortest way from one plugin to another along precedences of one priority, as indices of precedences. A plugin
/// does not lead to itself without a cycle.
pub fn path(keys: &[OrderKey], precedences: &[Precedence], from: usize, to: usize) -> Option<Vec<usize>> {
    Graph::new(keys, precedences).path(precedences, from, to)
}

/// The precedences that leave and reach each plugin, without those between priorities.
struct Graph {
    outgoing: Vec<Vec<usize>>,
    incoming: Vec<Vec<usize>>,
}

impl Graph {
    fn new(keys: &[OrderKey], precedences: &[Precedence]) -> Self {
        let mut graph =
            Self { outgoing: vec![Vec::new(); keys.len()], incoming: vec![Vec::new(); keys.len()] };
        for (index, Precedence { first, second }) in precedences.iter().enumerate() {
            if keys[*first].priority == keys[*second].priority {
                graph.outgoing[*first].push(index);
                graph.incoming[*second].push(index);
            }
        }
        graph
    }

    fn path(&self, precedences: &[Precedence], from: usize, to: usize) -> Option<Vec<usize>> {
        let mut reached_by: Vec<Option<usize>> = vec![None; self.outgoing.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(index) = queue.pop_front() {
            for precedence in &self.outgoing[index] {
                let second = precedences[*precedence].second;
                if reached_by[second].is_none() {
                    reached_by[second] = Some(*precedence);
                    queue.push_back(second);
                }
            }
        }
        let mut path = vec![reached_by[to]?];
        let mut first = precedences[path[0]].first;
        while first != from {
            let precedence = reached_by[first].expect("every plugin on the way was reached");
            path.push(precedence);
            first = precedences[precedence].first;
        }
        path.reverse();
        Some(path)
    }
}

fn cycles(keys: &[OrderKey], precedences: &[Precedence], graph: &Graph, waiting_for: &[usize]) -> Vec<Cycle> {
    let mut stuck: Vec<_> = (0..keys.len()).filter(|index| waiting_for[*index] > 0).collect();
    stuck.sort_by_key(|index| keys[*index]);
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in &stuck {
        if told.contains(start) {
            continue;
        }
        let Some(cycle) = graph.path(precedences, *start, *start) else {
            continue;
        };
        let there_and_back = |other: &&usize| {
            graph.path(precedences, *start, **other).is_some()
                && graph.path(precedences, **other, *start).is_some()
        };
        told.extend(stuck.iter().filter(there_and_back));
        cycles.push(Cycle(cycle));
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(priorities: &[i64]) -> Vec<OrderKey> {
        let keys = priorities.iter().enumerate();
        keys.map(|(position, priority)| OrderKey { priority: *priority, position }).collect()
    }

    fn precedences(pairs: &[(usize, usize)]) -> Vec<Precedence> {
        pairs.iter().map(|(first, second)| Precedence { first: *first, second: *second }).collect()
    }

    #[test]
    fn the_smallest_position_that_may_go_goes_first() {
        let order = |pairs: &[(usize, usize)]| order(&keys(&[0; 4]), &precedences(pairs)).unwrap();
        assert_eq!(order(&[]), [0, 1, 2, 3]);
        assert_eq!(order(&[(2, 0)]), [1, 2, 0, 3]);
        assert_eq!(order(&[(3, 1), (1, 0)]), [2, 3, 1, 0]);
        assert_eq!(order(&[(0, 1), (0, 1)]), [0, 1, 2, 3]);
    }

    #[test]
    fn priorities_win_over_precedences() {
        assert_eq!(order(&keys(&[5, 0, 5]), &precedences(&[(0, 1), (2, 0)])), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn every_knot_is_told_once_by_a_shortest_cycle() {
        let knots = precedences(&[(0, 1), (1, 2), (2, 0), (1, 0), (3, 3), (2, 4), (5, 6), (6, 5)]);
        let found = order(&keys(&[0, 0, 0, 0, 0, 1, 1]), &knots);
        assert_eq!(found, Err(vec![Cycle(vec![0, 3]), Cycle(vec![4]), Cycle(vec![6, 7])]));
    }

    #[test]
    fn ways_lead_along_precedences_of_one_priority() {
        let path = |from, to| path(&keys(&[0, 0, 0, 1]), &precedences(&[(0, 1), (1, 2), (2, 3)]), from, to);
        assert_eq!(path(0, 2), Some(vec![0, 1]));
        assert_eq!(path(2, 0), None);
        assert_eq!(path(2, 3), None);
        assert_eq!(path(0, 0), None);
    }
}
