//! What keeps the hooks that the source shows from being those of every build. A plan is made before anything is compiled, and
//! holds for all profiles, targets and features.

use proc_macro2::TokenStream;
use racetrack_bundle::{Diagnostic, Location};

use super::attributes::inner_attributes;
use super::items::{Item, Items, PluginImpl, Range, conditions};
use crate::codes;

/// Why it is not known which hooks a build has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HiddenHooks {
    /// A hook is there under a condition.
    Hook(String),
    /// So is the whole plugin.
    Plugin,
    /// So is its type.
    Type(String),
    /// A macro may write hooks.
    Macro,
}

impl HiddenHooks {
    /// The mistake, at its place.
    pub(super) fn at(&self, place: Location) -> Diagnostic {
        let inside = "write `if cfg!(…)` inside of the hook";
        let (code, message, help) = match self {
            Self::Hook(name) => {
                let message = format!(
                    "some builds would be without the hook `{name}`, and the plan holds for all of them"
                );
                (codes::CONDITIONAL_PLUGIN, message, inside)
            }
            Self::Plugin => {
                let message = "some builds would be without the plugin, and the plan holds for all of them";
                let help = "remove the condition; a build that is to be without the plugin has a declaration without it";
                (codes::CONDITIONAL_PLUGIN, message.to_owned(), help)
            }
            Self::Type(name) => {
                let message = format!("some builds would be without `{name}`, which is the plugin");
                let help = "define the type for every build, and write `if cfg!(…)` inside of hooks";
                (codes::CONDITIONAL_PLUGIN, message, help)
            }
            Self::Macro => {
                let message = "this macro may write hooks, which nobody knows before it is compiled";
                let help = "write the hooks into the block, and call macros inside of them";
                (codes::HOOKS_FROM_MACRO, message.to_owned(), help)
            }
        };
        Diagnostic::new(code, place, message).with_help(help)
    }
}

/// All of it for a plugin, with places; `root` is the content of the root module, if the plugin is in there.
pub(super) fn hidden_hooks(plugin: &PluginImpl, root: TokenStream) -> Vec<(HiddenHooks, Range)> {
    let mut hidden: Vec<_> = conditions(&inner_attributes(root.clone()))
        .chain(plugin.conditions.iter().cloned())
        .map(|place| (HiddenHooks::Plugin, place))
        .collect();
    let is_definition = |item: &Item| !item.is_for_tests() && item.defines(&plugin.type_name);
    let definitions: Vec<_> = Items(root.into_iter()).filter(is_definition).collect();
    // Of several definitions each has a condition, and together they may be there always.
    if let [definition] = &definitions[..] {
        let condition = definition.condition();
        hidden.extend(condition.map(|place| (HiddenHooks::Type(plugin.type_name.clone()), place)));
    }
    let hooks = plugin.hook_conditions.iter();
    hidden.extend(hooks.map(|(hook, place)| (HiddenHooks::Hook(hook.clone()), place.clone())));
    hidden.extend(plugin.macros.iter().map(|place| (HiddenHooks::Macro, place.clone())));
    hidden
}
