use proc_macro::TokenStream;
/// Under construction.
#[proc_macro_attribute]
pub fn plugin(_: TokenStream, item: TokenStream) -> TokenStream { item }
