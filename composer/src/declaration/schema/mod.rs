//! JSON Schemas (draft 2020-12) of the files that people write, for editors. Made from the tables of keys that the readers
//! go by, so they cannot say anything else.

mod common;
mod declaration;
mod plugin_manifest;

use serde_json::Value;

/// A schema and the file it belongs into.
#[derive(Debug)]
pub struct Schema {
    /// Relative to the checkout.
    pub path: &'static str,
    /// The schema.
    pub value: Value,
}

/// All schemas.
pub fn schemas() -> [Schema; 2] {
    [
        Schema { path: "docs/schemas/racetrack.toml.schema.json", value: declaration::schema() },
        Schema { path: "docs/schemas/plugin-manifest.schema.json", value: plugin_manifest::schema() },
    ]
}

impl Schema {
    /// The text of the file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.value).expect("values of JSON can be written") + "\n"
    }
}
