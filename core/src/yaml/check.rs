//! What would come of a text, counted event by event.

use std::collections::{BTreeMap, HashSet};

use super::error::YamlError;
use super::events::{Event, Events, Name, Place};
use super::limits::{Aliases, DuplicateKeys, YamlLimits};
use super::refusal::{Reason, Refusal};

/// The key that stands for the entries of another mapping, in YAML 1.1.
const MERGE: &[u8] = b"<<";

/// How a line begins that the parser compares with all lines before it that begin so, before it shows a first event.
const TAG_DIRECTIVE: &str = "%TAG";

/// How many of them it gets to see.
const MAX_TAG_DIRECTIVES: usize = 16;

/// How much of a name is shown.
const SHOWN_LENGTH: usize = 64;

/// What a node is made of, itself included.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
    /// How many sequences and mappings are inside one another.
    height: usize,
}

/// A sequence or a mapping that has begun.
struct Open {
    anchor: Option<Name>,
    weight: Weight,
    /// Nothing for a sequence.
    entries: Option<Entries>,
}

/// The entries of a mapping, as far as they are read.
#[derive(Default)]
struct Entries {
    keys: HashSet<Box<[u8]>>,
    /// Whether a value follows.
    has_key: bool,
    /// Where the key stands that the value belongs to, if that is [`MERGE`].
    merge: Option<Place>,
}

struct Check {
    limits: YamlLimits,
    open: Vec<Open>,
    /// What anchors name; nothing while that is read.
    anchors: BTreeMap<Name, Option<Weight>>,
    documents: usize,
}

/// Looks a text through without making anything of it. A text that is no YAML is for its reader to refuse: up to where it
/// goes wrong, it keeps the limits.
///
/// # Errors
/// [`YamlError::TooLarge`] or [`YamlError::Refused`].
pub fn check(text: &str, limits: YamlLimits) -> Result<(), YamlError> {
    if text.len() > limits.bytes {
        return Err(YamlError::TooLarge { limit: limits.bytes });
    }
    if let Some(place) = surplus_tag_directive(text) {
        return Err(Refusal { reason: Reason::TagDirective, place }.into());
    }
    let mut check = Check { limits, open: Vec::new(), anchors: BTreeMap::new(), documents: 0 };
    for (event, place) in Events::new(text) {
        check
            .take(event, place)
            .map_err(|reason| Refusal { place: check.place_of(&reason, place), reason })?;
    }
    Ok(())
}

/// Where a line begins that may be one tag directive too many. Inside a quoted text it is none, but nobody has so many there.
fn surplus_tag_directive(text: &str) -> Option<Place> {
    let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let begins_line = |offset: usize| offset == 0 || text[..offset].ends_with(is_break);
    let mut lines = text.match_indices(TAG_DIRECTIVE).filter(|(offset, _)| begins_line(*offset));
    let (offset, _) = lines.nth(MAX_TAG_DIRECTIVES)?;
    Some(Place { offset, line: text[..offset].matches(is_break).count() + 1, column: 1 })
}

impl Check {
    fn take(&mut self, event: Event, place: Place) -> Result<(), Reason> {
        match event {
            Event::DocumentStart { has_tag_directives } => self.start_document(has_tag_directives),
            Event::Alias(name) => {
                let weight = self.alias(&name)?;
                self.begin_node(None, place)?;
                self.add(weight)
            }
            Event::Scalar { anchor, value, is_plain } => {
                self.anchor(anchor.as_ref())?;
                self.begin_node(Some((&value, is_plain)), place)?;
                let weight = Weight { nodes: 1, bytes: value.len(), height: 0 };
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor, Some(weight));
                }
                self.add(weight)
            }
            Event::SequenceStart { anchor } => self.open(anchor, None, place),
            Event::MappingStart { anchor } => self.open(anchor, Some(Entries::default()), place),
            Event::CollectionEnd => {
                let Open { anchor, weight, .. } = self.open.pop().expect("what ends has begun");
                let weight = Weight { height: weight.height + 1, ..weight };
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor, Some(weight));
                }
                self.add(weight)
            }
        }
    }

    fn start_document(&mut self, has_tag_directives: bool) -> Result<(), Reason> {
        self.documents += 1;
        match self.documents {
            1 if has_tag_directives => Err(Reason::TagDirective),
            1 => Ok(()),
            _ => Err(Reason::SecondDocument),
        }
    }

    fn anchor(&self, name: Option<&Name>) -> Result<(), Reason> {
        match name {
            Some(name) if self.limits.aliases == Aliases::Refused => Err(Reason::Anchor(shown(name))),
            _ => Ok(()),
        }
    }

    /// The weight of what is repeated. What is unknown is for the reader to refuse.
    fn alias(&self, name: &Name) -> Result<Weight, Reason> {
        match self.anchors.get(name) {
            _ if self.limits.aliases == Aliases::Refused => Err(Reason::Alias(shown(name))),
            Some(None) => Err(Reason::Endless(shown(name))),
            Some(Some(weight)) => Ok(*weight),
            None => Ok(Weight::default()),
        }
    }

    fn open(&mut self, anchor: Option<Name>, entries: Option<Entries>, place: Place) -> Result<(), Reason> {
        self.anchor(anchor.as_ref())?;
        self.begin_node(None, place)?;
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), None);
        }
        self.open.push(Open { anchor, weight: Weight { nodes: 1, ..Weight::default() }, entries });
        self.compare(Weight::default())
    }

    /// Notes a node of the innermost mapping, which is a key or a value. Of a scalar, its text and whether it is plain.
    fn begin_node(&mut self, scalar: Option<(&[u8], bool)>, place: Place) -> Result<(), Reason> {
        let duplicate_keys = self.limits.duplicate_keys;
        let Some(Open { entries: Some(entries), .. }) = self.open.last_mut() else { return Ok(()) };
        if std::mem::take(&mut entries.has_key) {
            // As a mere text, the key means nothing special.
            let merges = entries.merge.is_some() && scalar.is_none();
            return if merges { Err(Reason::MergeKey) } else { Ok(()) };
        }
        entries.has_key = true;
        entries.merge = scalar.filter(|scalar| *scalar == (MERGE, true)).map(|_| place);
        match scalar {
            Some((key, _))
                if duplicate_keys == DuplicateKeys::Refused && !entries.keys.insert(key.into()) =>
            {
                Err(Reason::DuplicateKey(shown(key)))
            }
            _ => Ok(()),
        }
    }

    /// Adds a node that is complete to what it is in.
    fn add(&mut self, weight: Weight) -> Result<(), Reason> {
        self.compare(weight)?;
        if let Some(Open { weight: outer, .. }) = self.open.last_mut() {
            outer.nodes = outer.nodes.saturating_add(weight.nodes);
            outer.bytes = outer.bytes.saturating_add(weight.bytes);
            outer.height = outer.height.max(weight.height);
        }
        Ok(())
    }

    /// Compares all that has begun, with one more node, with the limits.
    fn compare(&self, more: Weight) -> Result<(), Reason> {
        let YamlLimits { bytes, nodes, depth, .. } = self.limits;
        let sum = |of: fn(&Weight) -> usize| {
            self.open.iter().map(|open| of(&open.weight)).fold(of(&more), usize::saturating_add)
        };
        if self.open.len() + more.height > depth {
            Err(Reason::Depth { limit: depth })
        } else if sum(|weight| weight.nodes) > nodes {
            Err(Reason::Nodes { limit: nodes })
        } else if sum(|weight| weight.bytes) > bytes {
            Err(Reason::Expansion { limit: bytes })
        } else {
            Ok(())
        }
    }

    /// Where to look for what was refused at `place`.
    fn place_of(&self, reason: &Reason, place: Place) -> Place {
        let merge = self.open.last().and_then(|open| open.entries.as_ref()?.merge);
        merge.filter(|_| *reason == Reason::MergeKey).unwrap_or(place)
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(SHOWN_LENGTH).collect::<String>().escape_debug().to_string()
}
