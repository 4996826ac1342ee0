//! What `cargo tree` prints, as a graph.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

/// The `--format` to ask for, with `--prefix depth`: depth, package, licence.
pub const FORMAT: &str = "\t{p}\t{l}";

/// A package as the tree names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreePackage {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Where it is from, where that is not the default registry.
    pub place: Option<String>,
    /// The licence as the manifest writes it.
    pub licence: Option<String>,
}

/// A graph of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Each package once, in the order they are first named.
    pub packages: Vec<TreePackage>,
    /// Who depends on whom, as places in `packages`.
    pub edges: BTreeSet<(usize, usize)>,
}

impl Tree {
    /// Reads lines made with [`FORMAT`]. What depends on what follows from their depths; what is under a package that was
    /// named before is not repeated.
    pub fn parse(text: &str) -> Result<Self> {
        let mut tree = Self::default();
        let mut places = BTreeMap::new();
        let mut path = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (depth, package) =
                parse_line(line).with_context(|| format!("cannot read `{line}` in cargo's tree"))?;
            let next = tree.packages.len();
            let place = *places.entry(package.clone()).or_insert(next);
            if place == next {
                tree.packages.push(package);
            }
            path.truncate(depth);
            if let Some(parent) = path.last() {
                tree.edges.insert((*parent, place));
            }
            path.push(place);
        }
        Ok(tree)
    }
}

fn parse_line(line: &str) -> Option<(usize, TreePackage)> {
    let mut fields = line.strip_suffix(" (*)").unwrap_or(line).split('\t');
    let (depth, package, licence) = (fields.next()?, fields.next()?, fields.next()?);
    let (name, rest) = package.split_once(" v")?;
    let (version, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let rest = rest.strip_prefix("(proc-macro)").unwrap_or(rest).trim_start();
    let place = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let package = TreePackage {
        name: name.to_owned(),
        version: version.to_owned(),
        place: place.map(str::to_owned),
        licence: (!licence.is_empty()).then(|| licence.to_owned()),
    };
    Some((depth.parse().ok()?, package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_become_edges() {
        let text = "0\ta v1.0.0 (/with (odd) blank/w)\t\n1\tb v1.0.0 (proc-macro)\tMIT\n2\tc v1.0.0+meta\tMIT\n1\tc v1.0.0+meta\tMIT\n\
                    1\td v1.0.0 (proc-macro) (/w/d)\tMIT\n2\tb v1.0.0 (proc-macro)\tMIT (*)\n";
        let tree = Tree::parse(text).unwrap();
        let names: Vec<_> = tree.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert_eq!(tree.edges, BTreeSet::from([(0, 1), (0, 2), (0, 3), (1, 2), (3, 1)]));
        assert_eq!(tree.packages[0].place.as_deref(), Some("/with (odd) blank/w"));
        assert_eq!(tree.packages[0].licence, None);
        assert_eq!(tree.packages[1].place, None);
        assert_eq!(tree.packages[2].version, "1.0.0+meta");
        assert_eq!(tree.packages[3].place.as_deref(), Some("/w/d"));
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        let message = Tree::parse("0\ta v1\tMIT\nwarning: odd\n").unwrap_err().to_string();
        assert_eq!(message, "cannot read `warning: odd` in cargo's tree");
    }
}
