//! The items of a Rust module as far as a plugin's hooks are concerned: attributes, modules, `impl` blocks.

use std::collections::BTreeSet;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};
use racetrack_core::Hook;

use super::attributes::{Attribute, inner_attributes};
use super::tokens::{is_punct, is_word};

/// Splits a module or the block of an `impl` into items: each ends with a `;` or a block. Where that is not how an item ends, its
/// rest is an item without meaning.
pub(super) struct Items(pub(super) IntoIter);

/// An item that is not understood any further.
pub(super) struct Item {
    /// Its `#[…]`.
    pub(super) attributes: Vec<Attribute>,
    /// Its tokens up to the `;` or the block.
    head: Vec<TokenTree>,
    /// Its block, if it ends with one.
    block: Option<Group>,
}

/// An `impl … for …` with the plugin attribute.
pub(super) struct PluginImpl {
    /// The hooks that the block holds, sorted by name.
    pub(super) hooks: Vec<&'static str>,
    /// The last word of the type.
    pub(super) type_name: String,
    /// Where the type is.
    pub(super) place: Range,
    /// Where conditions stand that may leave out the block or what makes it the plugin.
    pub(super) conditions: Vec<Range>,
    /// Where conditions stand that may leave out a hook, and the name of that.
    pub(super) hook_conditions: Vec<(String, Range)>,
    /// Where macros are called that may write hooks.
    pub(super) macros: Vec<Range>,
}

/// Where something begins and ends.
pub(super) type Range = std::ops::Range<LineColumn>;

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
                    item.attributes.push(Attribute::new(&group));
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
        let name = self.head.get(keyword + 1).filter(|token| matches!(token, TokenTree::Ident(_)))?;
        Some((unraw(name), self.block.as_ref().map(Group::stream)))
    }

    /// Whether a build that is no test is without the item.
    pub(super) fn is_for_tests(&self) -> bool {
        self.all_attributes().iter().any(Attribute::is_for_tests)
    }

    /// Where the first condition stands that may leave out the item.
    pub(super) fn condition(&self) -> Option<Range> {
        conditions(&self.attributes).next()
    }

    /// Whether the item brings a type of this name into the module.
    pub(super) fn defines(&self, name: &str) -> bool {
        let keywords = ["struct", "enum", "union", "type"];
        let is_definition = |pair: &[TokenTree]| {
            keywords.iter().any(|keyword| is_word(&pair[0], keyword)) && is_word(&pair[1], name)
        };
        let is_used = || {
            self.head.iter().any(|token| is_word(token, "use"))
                && self.tokens().any(|token| mentions(&token, name))
        };
        self.head.windows(2).any(is_definition) || is_used()
    }

    /// The plugin that the item implements.
    pub(super) fn as_plugin(&self) -> Option<PluginImpl> {
        if !self.attributes.iter().any(Attribute::may_be_plugin)
            || !self.head.iter().any(|token| is_word(token, "impl"))
        {
            return None;
        }
        // `for<'a>` belongs to a bound.
        let is_for = |pair: &[TokenTree]| is_word(&pair[0], "for") && !is_punct(&pair[1], '<');
        let keyword = self.head.windows(2).position(is_for)?;
        let implementor = &self.head[keyword + 1..];
        let block = self.block.as_ref()?.stream();
        let items: Vec<_> = Items(block.clone().into_iter()).collect();
        let hook_conditions = items.iter().flat_map(|item| {
            let name = item.function().unwrap_or_default();
            conditions(&item.all_attributes()).map(|place| (name.clone(), place)).collect::<Vec<_>>()
        });
        let path = implementor.iter().take_while(|token| !is_punct(token, '<'));
        Some(PluginImpl {
            hooks: hooks_in(block),
            type_name: path.last().map(unraw).unwrap_or_default(),
            place: implementor.first()?.span().start()..implementor.last()?.span().end(),
            conditions: conditions(&self.all_attributes()).collect(),
            hook_conditions: hook_conditions.collect(),
            macros: items.iter().filter_map(Self::called_macro).collect(),
        })
    }

    /// The attributes before the item and those at the beginning of its block.
    fn all_attributes(&self) -> Vec<Attribute> {
        let inner = self.block.iter().flat_map(|block| inner_attributes(block.stream()));
        self.attributes.iter().cloned().chain(inner).collect()
    }

    /// The name of the function that the item is.
    fn function(&self) -> Option<String> {
        let keyword = self.head.iter().position(|token| is_word(token, "fn"))?;
        self.head.get(keyword + 1).map(unraw)
    }

    /// Where the name of the macro is that the item calls.
    fn called_macro(&self) -> Option<Range> {
        let is_other = |token: &TokenTree| ["fn", "const", "type"].iter().any(|word| is_word(token, word));
        if self.head.iter().any(is_other) {
            return None;
        }
        let mark = self.head.iter().position(|token| is_punct(token, '!'))?;
        let name =
            self.head.get(mark.checked_sub(1)?).filter(|token| matches!(token, TokenTree::Ident(_)))?;
        Some(name.span().start()..name.span().end())
    }

    fn tokens(&self) -> impl Iterator<Item = TokenTree> {
        self.head.iter().cloned().chain(self.block.clone().map(TokenTree::Group))
    }

    fn is_after_hash(&self, group: &Group) -> bool {
        group.delimiter() == Delimiter::Bracket && self.head.last().is_some_and(|token| is_punct(token, '#'))
    }
}

/// Where attributes stand that may leave out their item.
pub(super) fn conditions(attributes: &[Attribute]) -> impl Iterator<Item = Range> {
    attributes
        .iter()
        .filter(|attribute| attribute.is_condition())
        .map(|attribute| attribute.start..attribute.end)
}

fn hooks_in(block: TokenStream) -> Vec<&'static str> {
    let tokens: Vec<_> = block.into_iter().collect();
    let functions = tokens.windows(2).filter(|pair| is_word(&pair[0], "fn"));
    let hooks: BTreeSet<_> =
        functions.filter_map(|pair| Hook::named(&unraw(&pair[1]))).map(Hook::name).collect();
    hooks.into_iter().collect()
}

/// Whether the word is, or is inside of, the token.
fn mentions(token: &TokenTree, word: &str) -> bool {
    match token {
        TokenTree::Group(group) => group.stream().into_iter().any(|token| mentions(&token, word)),
        token => is_word(token, word),
    }
}

/// The word without the `r#` that it may be written with.
fn unraw(token: &TokenTree) -> String {
    let name = token.to_string();
    name.strip_prefix("r#").map_or_else(|| name.clone(), str::to_owned)
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
                    fn f<const N: usize>() -> A<{ 1 }> where A: B { mod inner {} } static S: u8 = 1; pub mod yes;";
        let modules: Vec<_> = items(text).iter().filter_map(Item::as_module).map(|(name, _)| name).collect();
        assert_eq!(modules, ["yes"]);
    }

    #[test]
    fn conditions_and_macros_that_hide_hooks_are_found() {
        let found = |text: &str| {
            let plugin = items(text).iter().find_map(Item::as_plugin).expect("there is one");
            let hooks: Vec<_> = plugin.hook_conditions.into_iter().map(|(hook, _)| hook).collect();
            (plugin.conditions.len(), hooks.join(" "), plugin.macros.len())
        };
        let nothing = (0, String::new(), 0);
        assert_eq!(
            found("#[plugin] impl Plugin for P { #[allow(x)] async fn run_action() { m!(x); } }"),
            nothing
        );
        assert_eq!(
            found("#[plugin] impl Plugin for P { fn a() -> ! { x } const B: u8 = m!(x); type C = m!(); }"),
            nothing
        );
        assert_eq!(found("#[cfg(a)] #[plugin] #[cfg(b)] impl Plugin for P { #![cfg(c)] }").0, 3);
        assert_eq!(found("#[cfg_attr(a, plugin)] impl Plugin for P {}").0, 1);
        let hooks =
            "#[plugin] impl Plugin for P { #[cfg(a)] fn x() {} fn y() { #![cfg(b)] } #[cfg(c)] fn r#z() {} }";
        assert_eq!(found(hooks).1, "x y z");
        assert_eq!(found("#[plugin] impl Plugin for P { m!(); a::m! {} m![]; }").2, 3);
    }

    #[test]
    fn definitions_of_the_type_are_found() {
        let defines = |text: &str| {
            let item = &items(text)[0];
            item.defines("P").then(|| item.condition().is_some())
        };
        for text in [
            "struct P;",
            "pub enum P {}",
            "type P = Q;",
            "use a::{b::P, c};",
            "use a::B as P;",
            "pub struct P(u8);",
        ] {
            assert_eq!(defines(text), Some(false), "{text}");
            assert_eq!(defines(&format!("#[cfg(a)] {text}")), Some(true), "{text}");
        }
        for text in ["struct Q { p: P }", "impl P {}", "fn f(p: P) {}", "#[cfg(a)] impl Plugin for P {}"] {
            assert_eq!(defines(text), None, "{text}");
        }
    }

    #[test]
    fn module_attributes_are_read() {
        let items =
            items("#[cfg(test)] mod a { } #[path = \"x/y.rs\"] mod b; mod r#c; mod d { #![cfg(test)] }");
        assert_eq!(items.iter().map(Item::is_for_tests).collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!(items[1].attributes[0].module_paths(), ["x/y.rs"]);
        assert_eq!(items[2].as_module().map(|(name, _)| name).as_deref(), Some("c"));
    }
}
