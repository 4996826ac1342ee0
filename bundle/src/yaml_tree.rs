//! A YAML text as a tree that keeps duplicate keys, and the place of each node of it.
//!
//! The parser tells places only with errors. So the text is parsed once into a tree, the tree is judged, and for
//! each mistake the text is parsed again with an error raised at the node in question.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};

/// A node of a YAML document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Entries in the order of the text, duplicates included.
    Mapping(Vec<(Node, Node)>),
}

/// One step from a node to a node inside it; numbers count entries and items from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(usize),
    Value(usize),
    Item(usize),
}

/// Why a text has no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    /// The byte where the parser stopped, if it tells.
    pub(crate) offset: Option<usize>,
}

impl Node {
    /// What the node is, with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a decimal number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// The trees of all documents of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let documents = serde_yaml::Deserializer::from_str(text);
    documents
        .map(|document| TreeSeed.deserialize(document).map_err(|error| syntax_error(text, &error)))
        .collect()
}

/// The bytes of a node that [`parse`] found. The end is that of the first line at most, for underlining.
pub(crate) fn locate(text: &str, document: usize, path: &[Step]) -> Range<usize> {
    let found = serde_yaml::Deserializer::from_str(text)
        .nth(document)
        .and_then(|document| LocatingSeed { path }.deserialize(document).err())
        .and_then(|error| error.location());
    token_at(text, found.map_or(0, |location| location.index()))
}

/// The bytes of what starts at `offset`, up to the end of its line at most, for underlining.
pub(crate) fn token_at(text: &str, offset: usize) -> Range<usize> {
    let start = offset.min(text.len());
    start..token_end(text, start)
}

fn syntax_error(text: &str, error: &serde_yaml::Error) -> SyntaxError {
    let full = error.to_string();
    let Some(location) = error.location() else {
        return SyntaxError { message: full, offset: None };
    };
    // The place is shown with the offending line; in the message it would repeat itself.
    let place = format!(" at line {} column {}", location.line(), location.column());
    SyntaxError { message: full.replace(&place, ""), offset: Some(location.index().min(text.len())) }
}

/// Where the scalar, or the first line of the collection, that starts at `start` ends.
fn token_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let line = rest.split(['\n', '\r']).next().unwrap_or(rest);
    let length = match line.chars().next() {
        Some(quote @ ('"' | '\'')) => line[1..].find(quote).map_or(line.len(), |end| end + 2),
        Some('[' | '{' | '-' | '&' | '*' | '!' | '|' | '>') => line.len(),
        _ => {
            let ends = [": ", " #", ",", "]", "}"].iter().filter_map(|end| line.find(end));
            let end = ends.min().unwrap_or(line.len());
            line[..end].trim_end_matches(':').len()
        }
    };
    start + line[..length].trim_end().len()
}

struct TreeSeed;

impl<'de> DeserializeSeed<'de> for TreeSeed {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeSeed {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML without tags")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(TreeSeed)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry_seed(TreeSeed, TreeSeed)? {
            mapping.push(entry);
        }
        Ok(Node::Mapping(mapping))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _tagged: A) -> Result<Node, A::Error> {
        Err(A::Error::custom("tags such as `!name` are not supported"))
    }
}

/// Raises an error at the node that `path` leads to.
struct LocatingSeed<'a> {
    path: &'a [Step],
}

impl LocatingSeed<'_> {
    /// The seed for a node that is one `step` inside, if that is the way to go.
    fn inside(&self, step: Step) -> Option<Self> {
        let (first, rest) = self.path.split_first()?;
        (*first == step).then_some(Self { path: rest })
    }
}

impl<'de> DeserializeSeed<'de> for LocatingSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LocatingSeed<'_> {
    type Value = ();

    /// The default `visit_…` methods fail with this text: a scalar is where every path ends.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node that is looked for")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            let more = match self.inside(Step::Item(index)) {
                Some(seed) => items.next_element_seed(seed)?.is_some(),
                None if self.path.is_empty() => false,
                None => items.next_element_seed(TreeSeed)?.is_some(),
            };
            if !more {
                break;
            }
        }
        Err(A::Error::custom("the node is here"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        for index in 0.. {
            if self.path.is_empty() {
                break;
            }
            let more = match self.inside(Step::Key(index)) {
                Some(seed) => entries.next_key_seed(seed)?.is_some(),
                None => entries.next_key_seed(TreeSeed)?.is_some(),
            };
            if !more {
                break;
            }
            match self.inside(Step::Value(index)) {
                Some(seed) => entries.next_value_seed(seed)?,
                None => drop(entries.next_value_seed(TreeSeed)?),
            }
        }
        Err(A::Error::custom("the node is here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_kept() {
        let tree = parse("a: 1\na: [x, 1.5, true, ~]\n").expect("valid");
        let list = vec![Node::Text("x".to_owned()), Node::Float(1.5), Node::Bool(true), Node::Null];
        let key = || Node::Text("a".to_owned());
        assert_eq!(tree, [Node::Mapping(vec![(key(), Node::Integer(1)), (key(), Node::List(list))])]);
    }

    #[test]
    fn every_node_is_found() {
        let text = "# žluť\r\nname: 'a b' # c\r\nlist:\r\n  - x\r\n  - {k: \"v\"}\r\n---\r\nsecond\r\n";
        let at = |document, path: &[Step]| &text[locate(text, document, path)];
        assert_eq!(at(0, &[]), "name");
        assert_eq!(at(0, &[Step::Key(0)]), "name");
        assert_eq!(at(0, &[Step::Value(0)]), "'a b'");
        assert_eq!(at(0, &[Step::Key(1)]), "list");
        assert_eq!(at(0, &[Step::Value(1), Step::Item(0)]), "x");
        assert_eq!(at(0, &[Step::Value(1), Step::Item(1)]), "{k: \"v\"}");
        assert_eq!(at(0, &[Step::Value(1), Step::Item(1), Step::Key(0)]), "k");
        assert_eq!(at(0, &[Step::Value(1), Step::Item(1), Step::Value(0)]), "\"v\"");
        assert_eq!(at(1, &[]), "second");
    }

    #[test]
    fn errors_carry_their_place_apart_from_the_message() {
        let error = parse("a: 1\nb: !tag x\n").expect_err("has a tag");
        assert_eq!(error.message, "b: tags such as `!name` are not supported");
        assert_eq!(error.offset, Some(8));
        assert!(parse("a: [1\n").is_err());
    }
}
