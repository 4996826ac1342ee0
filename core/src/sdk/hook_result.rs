//! What a hook returns.

use std::collections::BTreeMap;
use std::error::Error;

/// Any error a hook returns. The registry adds the names of the plugin and of the hook, so the text only has to say
/// what went wrong. `?` converts every error type, and `"text".into()` makes one from text. A [`Refusal`](crate::Refusal) says that whoever
/// asked made the mistake.
pub type PluginError = Box<dyn Error + Send + Sync>;

/// What a hook returns.
pub type HookResult<T = ()> = Result<T, PluginError>;

/// Environment variables: name to value.
pub type EnvVars = BTreeMap<String, String>;
