//! The items of a Rust module as far as a plugin's hooks are concerned: attributes, modules, `impl` blocks.

use std::collections::BTreeSet;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};
use racetrack_core::Hook;

/// Splits a module into items: each ends with a `;` or a block. Where that is not how an item ends, its rest is an
/// item without meaning.
pub(super) struct Items(pub(super) IntoIter);

/// An item that is not understood any further.
pub(super) struct Item {
    /// The insides of its `#[…]`.
    pub(super) attributes: Vec<TokenStream>,
    /// Its tokens up to the `;` or the block.
    head: Vec<TokenTree>,
    /// Its block, if it ends with one.
    block: Option<Group>,
}

/// An `impl … for …` with the plugin attribute.
pub(super) struct PluginImpl {
    /// The hooks that the block holds, sorted by name.
    pub(super) hooks: Vec<&'static str>,
    /// Where the type begins.
    pub(super) start: LineColumn,
    /// Where it ends.
    pub(super) end: LineColumn,
}

impl Iterator for Items {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let mut item = Item { attributes: Vec::new(), head: Vec::new(), block: None };
        for token in self.0.by_ref() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ';' => return Some(item),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    item.block = Some(group);
                    return Some(item);
                }
                TokenTree::Group(group) if item.is_after_hash(&group) => {
                    item.head.pop();
                    item.attributes.push(group.stream());
                }
                token => item.head.push(token),
            }
        }
        None
    }
}

impl Item {
    /// The module that the item is: its name, and its content unless that is in another file.
    pub(super) fn as_module(&self) -> Option<(String, Option<TokenStream>)> {
        let keyword = self.head.iter().position(|token| is_word(token, "mod"))?;
        let name = match self.head.get(keyword + 1)? {
            TokenTree::Ident(name) => name.to_string(),
            _ => return None,
        };
        let name = name.strip_prefix("r#").map_or_else(|| name.clone(), str::to_owned);
        Some((name, self.block.as_ref().map(Group::stream)))
    }

    /// The plugin that the item implements.
    pub(super) fn as_plugin(&self) -> Option<PluginImpl> {
        if !self.attributes.iter().any(is_plugin_attribute)
            || !self.head.iter().any(|token| is_word(token, "impl"))
        {
            return None;
        }
        // `for<'a>` belongs to a bound.
        let is_for = |pair: &[TokenTree]| is_word(&pair[0], "for") && !is_punct(&pair[1], '<');
        let keyword = self.head.windows(2).position(is_for)?;
        let implementor = &self.head[keyword + 1..];
        Some(PluginImpl {
            hooks: hooks_in(self.block.as_ref()?.stream()),
            start: implementor.first()?.span().start(),
            end: implementor.last()?.span().end(),
        })
    }

    fn is_after_hash(&self, group: &Group) -> bool {
        group.delimiter() == Delimiter::Bracket && self.head.last().is_some_and(|token| is_punct(token, '#'))
    }
}

/// Whether an attribute is `cfg(test)`.
pub(super) fn is_cfg_test(attribute: &TokenStream) -> bool {
    let tokens: Vec<_> = attribute.clone().into_iter().collect();
    match &tokens[..] {
        [name, TokenTree::Group(group)] => is_word(name, "cfg") && group.stream().to_string() == "test",
        _ => false,
    }
}

/// The file that an attribute `path = "…"` names.
pub(super) fn path_attribute(attribute: &TokenStream) -> Option<String> {
    let tokens: Vec<_> = attribute.clone().into_iter().collect();
    match &tokens[..] {
        [name, equals, TokenTree::Literal(path)] if is_word(name, "path") && is_punct(equals, '=') => {
            Some(path.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}

/// `plugin`, `racetrack_core::plugin` or `::racetrack_core::plugin`.
fn is_plugin_attribute(attribute: &TokenStream) -> bool {
    let words: Vec<_> = attribute.clone().into_iter().filter(|token| !is_punct(token, ':')).collect();
    match &words[..] {
        [name] => is_word(name, "plugin"),
        [package, name] => is_word(package, "racetrack_core") && is_word(name, "plugin"),
        _ => false,
    }
}

fn hooks_in(block: TokenStream) -> Vec<&'static str> {
    let tokens: Vec<_> = block.into_iter().collect();
    let functions = tokens.windows(2).filter(|pair| is_word(&pair[0], "fn"));
    let hooks: BTreeSet<_> =
        functions.filter_map(|pair| Hook::named(&pair[1].to_string())).map(Hook::name).collect();
    hooks.into_iter().collect()
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if *ident == word)
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<Item> {
        Items(text.parse::<TokenStream>().unwrap().into_iter()).collect()
    }

    #[test]
    fn plugins_are_told_from_other_impls() {
        let hooks = |text: &str| items(text).iter().find_map(Item::as_plugin).map(|found| found.hooks);
        assert_eq!(hooks("#[plugin] impl Plugin for P {}"), Some(vec![]));
        assert_eq!(hooks("#[::racetrack_core::plugin] impl Plugin for P {}"), Some(vec![]));
        assert_eq!(
            hooks("#[doc = \"x\"] #[plugin] unsafe impl<T: for<'a> F<'a>> Plugin for P<T> {}"),
            Some(vec![])
        );
        assert_eq!(hooks("impl Plugin for P {}"), None);
        assert_eq!(hooks("#[plugin] impl P {}"), None);
        assert_eq!(hooks("#[other::plugin] impl Plugin for P {}"), None);
        assert_eq!(
            hooks("#[plugin] impl Plugin for P { async fn run_action() { fn job_types() {} } fn x() {} }"),
            Some(vec!["run_action"])
        );
    }

    #[test]
    fn items_of_every_shape_are_passed_over() {
        let text = "#![deny(x)] use a::{b, c}; const X: [u8; 2] = { [1, 2] }; m! { mod no } struct S(u8); \
                    fn f<const N: usize>() -> A<{ 1 }> where A: B { mod inner {} } static S: u8 = 1; pub(crate) mod yes;";
        let modules: Vec<_> = items(text).iter().filter_map(Item::as_module).map(|(name, _)| name).collect();
        assert_eq!(modules, ["yes"]);
    }

    #[test]
    fn module_attributes_are_read() {
        let items = items("#[cfg(test)] mod a { } #[path = \"x/y.rs\"] mod b; #[cfg(not(test))] mod r#c;");
        assert!(is_cfg_test(&items[0].attributes[0]) && !is_cfg_test(&items[2].attributes[0]));
        assert_eq!(path_attribute(&items[1].attributes[0]).as_deref(), Some("x/y.rs"));
        assert_eq!(items[2].as_module().map(|(name, _)| name).as_deref(), Some("c"));
    }
}
