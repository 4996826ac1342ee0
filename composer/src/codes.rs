//! The code of every mistake a declaration, or the way its plugins fit together, can have. `racetrack_bundle::codes`
//! lists those of a single plugin source.

use racetrack_bundle::Code;

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $text:literal;)+) => {
        $($(#[$doc])+ pub const $name: Code = Code($text);)+

        /// Every code of this package, sorted by text.
        #[cfg(test)]
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    /// A path of the declaration does not begin in the declaration's folder.
    ABSOLUTE_PATH = "absolute-path";
    /// A `[[plugin]]` names more than one source.
    AMBIGUOUS_SOURCE = "ambiguous-source";
    /// A cargo configuration file would change the profiles of generated workspaces.
    CARGO_CONFIG_PROFILE = "cargo-config-profile";
    /// The package of a component's crate is not the declared one.
    COMPONENT_PACKAGE = "component-package";
    /// Some builds would be without the plugin or one of its hooks.
    CONDITIONAL_PLUGIN = "conditional-plugin";
    /// A `before` or `after` asks for what the priorities forbid.
    CONTRADICTS_PRIORITY = "contradicts-priority";
    /// The declaration is larger than any hand-written one.
    DECLARATION_TOO_LARGE = "declaration-too-large";
    /// A fetched source is something else than the declaration says.
    DIGEST_MISMATCH = "digest-mismatch";
    /// One plugin, in one version, is declared twice.
    DUPLICATE_PLUGIN = "duplicate-plugin";
    /// One source is declared twice.
    DUPLICATE_SOURCE = "duplicate-source";
    /// A list that narrows something is empty, so nothing would be left.
    EMPTY_COMPONENTS = "empty-components";
    /// A text that has to name something is empty.
    EMPTY_TEXT = "empty-text";
    /// A source cannot be fetched from where it is.
    FETCH_FAILED = "fetch-failed";
    /// Hooks are written by a macro, so they are not known before they are compiled.
    HOOKS_FROM_MACRO = "hooks-from-macro";
    /// Two plugins would have one name in generated code.
    IDENTIFIER_CLASH = "identifier-clash";
    /// Two versions of a plugin that brings infrastructure targets: they would claim the same jobs.
    INFRASTRUCTURE_VERSIONS = "infrastructure-versions";
    /// A component has a name that cannot name a file, or that means something else in `.racetrack/`.
    INVALID_COMPONENT_NAME = "invalid-component-name";
    /// A profile has a name that cargo keeps to itself.
    INVALID_PROFILE_NAME = "invalid-profile-name";
    /// An address, a digest, a commit or a release that names no source.
    INVALID_SOURCE = "invalid-source";
    /// A value that cargo would not take.
    INVALID_VALUE = "invalid-value";
    /// The lock names a plugin that is not in it.
    LOCK_INCONSISTENT = "lock-inconsistent";
    /// `--locked` was asked for, and what would be built is not what the lock says.
    LOCK_MISMATCH = "lock-mismatch";
    /// The lock is of another version of its format.
    LOCK_VERSION = "lock-version";
    /// A key that belongs to another kind of source.
    MISPLACED_KEY = "misplaced-key";
    /// There is no crate at the path of a component.
    MISSING_COMPONENT = "missing-component";
    /// There is no declaration.
    MISSING_DECLARATION = "missing-declaration";
    /// A key that must be there is not.
    MISSING_KEY = "missing-key";
    /// `--locked` was asked for, and there is no lock.
    MISSING_LOCK = "missing-lock";
    /// A `[[plugin]]` names no source, or a folder or bundle that does not exist.
    MISSING_SOURCE = "missing-source";
    /// A `before` or `after` names the plugin it belongs to.
    NAMES_ITSELF = "names-itself";
    /// The declaration has no component to build.
    NO_COMPONENTS = "no-components";
    /// No type of the crate is marked as the plugin.
    NO_PLUGIN = "no-plugin";
    /// A source is not in the store, and the network may not be used.
    NOT_FETCHED = "not-fetched";
    /// The declaration is no UTF-8 text.
    NOT_UTF8 = "not-utf8";
    /// Plugins that are each to run before the other, by `before` and `after`.
    ORDER_CYCLE = "order-cycle";
    /// A path leaves the checkout.
    OUTSIDE_CHECKOUT = "outside-checkout";
    /// The plugin is marked elsewhere than in the root module of its crate.
    PLUGIN_NOT_IN_ROOT = "plugin-not-in-root";
    /// Profiles inherit from each other in a circle.
    PROFILE_CYCLE = "profile-cycle";
    /// The output folder would overwrite something that was written by hand.
    PROTECTED_OUT_DIR = "protected-out-dir";
    /// A component crate is at a place that generated workspaces use for something else.
    RESERVED_COMPONENT_PATH = "reserved-component-path";
    /// A source file of a plugin is no Rust.
    RUST_SYNTAX = "rust-syntax";
    /// More than one type of the crate is marked as the plugin.
    SEVERAL_PLUGINS = "several-plugins";
    /// The declaration is no TOML.
    TOML_SYNTAX = "toml-syntax";
    /// A component that the declaration does not have.
    UNKNOWN_COMPONENT = "unknown-component";
    /// A key that means nothing here.
    UNKNOWN_KEY = "unknown-key";
    /// A `before` or `after` names a plugin that is not declared.
    UNKNOWN_PLUGIN = "unknown-plugin";
    /// A profile that neither exists nor is declared.
    UNKNOWN_PROFILE = "unknown-profile";
    /// A plugin that is meant for none of the declared components.
    UNUSED_PLUGIN = "unused-plugin";
    /// The declaration gives a plugin a component that its manifest does not.
    WIDENS_COMPONENTS = "widens-components";
    /// A folder where a bundle belongs, or the other way round.
    WRONG_SOURCE_KIND = "wrong-source-kind";
    /// A value of another type than the key has.
    WRONG_TYPE = "wrong-type";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_sorted_and_distinct() {
        assert!(ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
