//! What an attribute says about the item it stands above: whether it is compiled, where its content is, what it is.

use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};

use super::tokens::{is_punct, is_word};

/// A `#[…]`, or one of the attributes of a `#[cfg_attr(…, …)]`.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    tokens: Vec<TokenTree>,
    /// Where it begins.
    pub(super) start: LineColumn,
    /// Where it ends.
    pub(super) end: LineColumn,
}

impl Attribute {
    /// The attribute in the brackets.
    pub(super) fn new(brackets: &Group) -> Self {
        let span = brackets.span();
        Self { tokens: brackets.stream().into_iter().collect(), start: span.start(), end: span.end() }
    }

    /// Whether it leaves the item out of every build that is no test.
    pub(super) fn is_for_tests(&self) -> bool {
        self.arguments_of("cfg").is_some_and(|predicate| needs_test(&predicate))
    }

    /// Whether it may leave the item out, or what makes it the plugin.
    pub(super) fn is_condition(&self) -> bool {
        let is_decisive = |attribute: &Self| {
            attribute.arguments_of("cfg").is_some() || attribute.is_plugin() || attribute.is_condition()
        };
        self.arguments_of("cfg").is_some() || self.applied().iter().any(is_decisive)
    }

    /// Whether it is `plugin`, `racetrack_core::plugin` or `::racetrack_core::plugin`.
    pub(super) fn is_plugin(&self) -> bool {
        let words: Vec<_> = self.tokens.iter().filter(|token| !is_punct(token, ':')).collect();
        match words[..] {
            [name] => is_word(name, "plugin"),
            [package, name] => is_word(package, "racetrack_core") && is_word(name, "plugin"),
            _ => false,
        }
    }

    /// Whether it is the plugin's attribute where a condition holds.
    pub(super) fn may_be_plugin(&self) -> bool {
        self.is_plugin() || self.applied().iter().any(Self::may_be_plugin)
    }

    /// The files that it, or one that it becomes, names as the content of a module.
    pub(super) fn module_paths(&self) -> Vec<String> {
        match &self.tokens[..] {
            [name, equals, TokenTree::Literal(path)] if is_word(name, "path") && is_punct(equals, '=') => {
                vec![path.to_string().trim_matches('"').to_owned()]
            }
            _ => self.applied().iter().flat_map(Self::module_paths).collect(),
        }
    }

    /// Whether it says for certain where the content of a module is.
    pub(super) fn is_module_path(&self) -> bool {
        self.tokens.first().is_some_and(|name| is_word(name, "path"))
    }

    /// What a `cfg_attr` becomes where its condition holds; its place is that of the whole.
    fn applied(&self) -> Vec<Self> {
        let arguments = self.arguments_of("cfg_attr").unwrap_or_default();
        let attributes = split(&arguments).skip(1);
        attributes.map(|tokens| Self { tokens: tokens.to_vec(), start: self.start, end: self.end }).collect()
    }

    /// The arguments, if it has this name and some.
    fn arguments_of(&self, wanted: &str) -> Option<Vec<TokenTree>> {
        match &self.tokens[..] {
            [name, TokenTree::Group(group)] if is_word(name, wanted) => Some(inside(group)),
            _ => None,
        }
    }
}

/// The attributes `#![…]` at the beginning of a block or a file.
pub(super) fn inner_attributes(tokens: TokenStream) -> Vec<Attribute> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let attributes = tokens.chunks(3).map_while(|chunk| match chunk {
        [hash, mark, TokenTree::Group(group)]
            if is_punct(hash, '#') && is_punct(mark, '!') && group.delimiter() == Delimiter::Bracket =>
        {
            Some(Attribute::new(group))
        }
        _ => None,
    });
    attributes.collect()
}

/// Whether a predicate of `cfg` holds for tests alone.
fn needs_test(predicate: &[TokenTree]) -> bool {
    match predicate {
        [word] => is_word(word, "test"),
        [word, TokenTree::Group(group)] if is_word(word, "all") => split(&inside(group)).any(needs_test),
        _ => false,
    }
}

fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// What stands between commas.
fn split(tokens: &[TokenTree]) -> impl Iterator<Item = &[TokenTree]> {
    tokens.split(|token| is_punct(token, ',')).filter(|tokens| !tokens.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(text: &str) -> Attribute {
        inner_attributes(format!("#![{text}]").parse().unwrap()).remove(0)
    }

    #[test]
    fn conditions_are_found_in_every_disguise() {
        for text in [
            "cfg(test)",
            "cfg(feature = \"x\")",
            "cfg(true)",
            "cfg_attr(a, cfg(b))",
            "cfg_attr(all(a, b), doc = \"x\", cfg_attr(c, cfg(d)),)",
            "cfg_attr(a, racetrack_core::plugin)",
        ] {
            assert!(attribute(text).is_condition(), "{text}");
        }
        for text in [
            "plugin",
            "doc(cfg(a))",
            "doc = \"cfg(a)\"",
            "cfg_attr(cfg, allow(cfg))",
            "cfg_attr(docsrs, doc(cfg(a)))",
            "cfg_attr(a)",
            "my::cfg(a)",
        ] {
            assert!(!attribute(text).is_condition(), "{text}");
        }
    }

    #[test]
    fn what_is_for_tests_alone_is_known() {
        for (text, expected) in [
            ("cfg(test)", true),
            ("cfg(all(unix, test))", true),
            ("cfg(all(a, all(test)))", true),
            ("cfg(not(test))", false),
            ("cfg(any(test, unix))", false),
            ("cfg(feature = \"test\")", false),
            ("test", false),
        ] {
            assert_eq!(attribute(text).is_for_tests(), expected, "{text}");
        }
    }

    #[test]
    fn places_of_modules_are_read() {
        assert_eq!(attribute("path = \"x/y.rs\"").module_paths(), ["x/y.rs"]);
        assert_eq!(attribute("cfg_attr(a, path = \"x.rs\")").module_paths(), ["x.rs"]);
        assert_eq!(attribute("doc = \"x.rs\"").module_paths(), [""; 0]);
    }

    #[test]
    fn inner_attributes_end_where_something_else_begins() {
        let count = |text: &str| inner_attributes(text.parse().unwrap()).len();
        assert_eq!(count("#![a] //! b\n #![cfg(c)] struct S; #[d] struct T;"), 3);
        assert_eq!(count("#[a] struct S;"), 0);
        assert_eq!(count(""), 0);
    }
}
