//! The `#[plugin]` attribute of racetrack-core, which documents it.

mod conditions;

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Error, Ident, ImplItem, ItemImpl, Type};

/// The hooks, sorted by name. A test of racetrack-core holds this list to the catalogue there.
const HOOKS: &[&str] = &[
    "infrastructure_targets",
    "job_runtime_env_vars",
    "job_types",
    "markdown_docs",
    "post_job_delete",
    "post_job_deploy",
    "run_action",
    "validate_job_manifest",
];

/// Registers the plugin that an `impl Plugin for …` block implements; see `racetrack_core::plugin`.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(&arguments.into(), &item.into()).into()
}

/// The names of the hooks this macro knows, for the test that compares them with the catalogue.
#[doc(hidden)]
#[proc_macro]
pub fn __hook_names(_: TokenStream) -> TokenStream {
    let names = HOOKS;
    quote!([#(#names),*]).into()
}

/// Errors are collected, and what can be kept of the block is still emitted, so that rustc does not add noise.
fn expand(arguments: &Tokens, item: &Tokens) -> Tokens {
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else {
        let message = "`#[racetrack_core::plugin]` belongs above an `impl Plugin for …` block";
        let error = Error::new(item.span(), message).into_compile_error();
        return quote!(#item #error);
    };
    let mut errors = Vec::new();
    if !arguments.is_empty() {
        errors.push(Error::new(arguments.span(), "`#[racetrack_core::plugin]` takes no arguments"));
    }
    check_header(&block, &mut errors);
    if !errors.is_empty() {
        let errors = errors.iter().map(Error::to_compile_error);
        return quote!(#block #(#errors)*);
    }
    let hooks = take_hooks(&mut block, &mut errors);
    let registration = errors.is_empty().then(|| register(&block.self_ty, &hooks));
    let errors = errors.iter().map(Error::to_compile_error);
    quote! {
        #[::racetrack_core::__private::async_trait]
        #block
        #registration
        #(#errors)*
    }
}

fn check_header(block: &ItemImpl, errors: &mut Vec<Error>) {
    let is_plugin = |path: &syn::Path| path.segments.last().is_some_and(|segment| segment.ident == "Plugin");
    match &block.trait_ {
        Some((path, _)) if is_plugin(path) => {}
        Some((path, _)) => {
            errors.push(Error::new(
                path.span(),
                "`#[racetrack_core::plugin]` is for `Plugin`, not for another trait",
            ));
        }
        None => {
            let message =
                "`#[racetrack_core::plugin]` is for an `impl Plugin for …` block, not for inherent methods";
            errors.push(Error::new(block.self_ty.span(), message));
        }
    }
    if !block.generics.params.is_empty() {
        errors.push(Error::new(
            block.generics.span(),
            "a plugin has no generic parameters: it is constructed once",
        ));
    }
}

/// The hooks that the block implements. Methods that are no hooks are reported and removed, and so is what hides hooks.
fn take_hooks(block: &mut ItemImpl, errors: &mut Vec<Error>) -> Vec<Ident> {
    let mut hooks = Vec::new();
    block.items.retain(|item| {
        let method = match item {
            ImplItem::Fn(method) => method,
            ImplItem::Macro(call) => {
                let message = "hooks are written out in this block: those that a macro makes would be in no plan";
                errors.push(Error::new(call.mac.path.span(), message));
                return false;
            }
            _ => return true,
        };
        let name = &method.sig.ident.unraw();
        for condition in conditions::among(&method.attrs) {
            let message = format!(
                "the plan lists a hook for every build, so `{name}` is under no `cfg`: write `if cfg!(…)` inside of it"
            );
            errors.push(Error::new(condition.path().span(), message));
        }
        if !HOOKS.iter().any(|hook| name == hook) {
            errors.push(Error::new(name.span(), unknown_hook(&name.to_string())));
            return false;
        }
        if method.sig.asyncness.is_none() {
            let message = format!("the hook `{name}` is asynchronous: write `async fn {name}`");
            errors.push(Error::new(method.sig.fn_token.span, message));
            return false;
        }
        hooks.push(name.clone());
        true
    });
    hooks
}

fn unknown_hook(name: &str) -> String {
    let distance = |hook: &str| strsim::damerau_levenshtein(hook, name);
    let nearest = HOOKS.iter().min_by_key(|hook| distance(hook)).filter(|hook| distance(hook) <= 4);
    let known = HOOKS.join("`, `");
    match nearest {
        Some(hook) => format!("`{name}` is no hook of a plugin; did you mean `{hook}`?"),
        None => format!("`{name}` is no hook of a plugin; the hooks are `{known}`"),
    }
}

/// The constant has a fixed name in the root module, which the generated `main.rs` refers to: that links the crate,
/// lets rustc compare name and version with the plan, and makes a second plugin in one crate a compile error.
fn register(plugin: &Type, hooks: &[Ident]) -> Tokens {
    let variants = hooks.iter().map(variant);
    let type_name = quote!(#plugin).to_string();
    quote! {
        #[doc(hidden)]
        pub const __RACETRACK_PLUGIN: ::racetrack_core::registration::Registration =
            ::racetrack_core::registration::Registration {
                name: ::core::env!("CARGO_PKG_NAME"),
                version: ::core::env!("CARGO_PKG_VERSION"),
                type_name: #type_name,
                hooks: ::racetrack_core::hook::HookSet::EMPTY #(.with(::racetrack_core::Hook::#variants))*,
                construct: |context| {
                    let plugin = <#plugin as ::racetrack_core::FromContext>::from_context(context)?;
                    ::core::result::Result::Ok(::std::boxed::Box::new(plugin))
                },
            };

        ::racetrack_core::__private::inventory::submit! { __RACETRACK_PLUGIN }
    }
}

/// `post_job_deploy` → `PostJobDeploy`
fn variant(hook: &Ident) -> Ident {
    let hook = hook.to_string();
    let words = hook.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
    format_ident!("{}", words.collect::<String>(), span = Span::call_site())
}
