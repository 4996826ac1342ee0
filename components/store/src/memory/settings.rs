//! The settings, in memory.

use std::collections::HashMap;

use serde_json::Value;

use crate::database::reader::Reader;
use crate::error::{StoreError, attempt};
use crate::records::setting;

/// Every setting, in memory. It has no `Debug` form: values may be secret.
pub(crate) struct Settings(HashMap<String, Value>);

impl Settings {
    pub(crate) async fn load(reader: &Reader) -> Result<Self, StoreError> {
        setting::all(reader).await.map(Self).map_err(attempt("read the settings"))
    }

    /// The value of a setting, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}
