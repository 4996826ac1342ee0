//! Attributes that leave out what they stand above.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Meta};

/// Those that are `cfg`, or become it by `cfg_attr`.
pub(crate) fn among(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => true,
        Meta::List(list) if list.path.is_ident("cfg_attr") => becomes_cfg(list.tokens.clone()),
        _ => false,
    })
}

/// Whether one of the attributes of `cfg_attr(PREDICATE, ATTRIBUTE, …)` is a `cfg`.
fn becomes_cfg(arguments: TokenStream) -> bool {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    arguments.split(is_comma).skip(1).any(|attribute| match attribute {
        [TokenTree::Ident(name), TokenTree::Group(_)] if name == "cfg" => true,
        [TokenTree::Ident(name), TokenTree::Group(group)] if name == "cfg_attr" => {
            becomes_cfg(group.stream())
        }
        _ => false,
    })
}
