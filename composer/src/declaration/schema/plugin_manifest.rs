//! The schema of `plugin-manifest.yaml`.

use racetrack_bundle::manifest::{FILE_NAME, KEYS, Key, Kind};
use racetrack_core::Category;
use racetrack_core::plugin_name::MAX_LENGTH;
use serde_json::{Map, Value, json};

use super::common::{DIALECT, NAME};

/// `X.Y.Z` and any label.
const VERSION: &str = "^[0-9]+\\.[0-9]+\\.[0-9]+";

/// What a plugin manifest may say, as JSON.
pub(super) fn schema() -> Value {
    let properties: Map<_, _> = KEYS.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<_> = KEYS.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({
        "$schema": DIALECT,
        "title": FILE_NAME,
        "description": "A plugin's description of itself.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "required": required,
    })
}

fn property(key: &Key) -> Value {
    let schema = match key.kind {
        Kind::Name => json!({ "type": "string", "pattern": NAME, "maxLength": MAX_LENGTH }),
        Kind::Version => json!({ "type": "string", "pattern": VERSION }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Category => json!({ "enum": Category::ALL.map(Category::as_str) }),
        Kind::Components => json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true }),
    };
    // An absent value counts as an absent key.
    let mut schema = if key.required { schema } else { json!({ "anyOf": [schema, { "type": "null" }] }) };
    schema["description"] = json!(key.doc);
    schema
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Whether the reader takes a value to be of the right type for the key.
    fn reader_takes(key: &Key, value: &str) -> bool {
        let others = KEYS.iter().filter(|other| other.required && other.name != key.name);
        let example = |other: &Key| if other.kind == Kind::Name { "name: a\n" } else { "version: 1.0.0\n" };
        let text: String = others.map(example).collect();
        let text = format!("{text}{}: {value}\n", key.name);
        let found = racetrack_bundle::manifest::parse(text.as_bytes(), Path::new(FILE_NAME), None);
        found.is_ok()
    }

    #[test]
    fn the_reader_takes_what_the_schema_says() {
        // Values of YAML, and the kinds of keys that may have them.
        let samples: [(&str, &[Kind]); 6] = [
            ("a-b", &[Kind::Name, Kind::Text]),
            ("1.2.3", &[Kind::Version, Kind::Text]),
            ("7", &[Kind::Integer]),
            ("job-type", &[Kind::Name, Kind::Text, Kind::Category]),
            ("[a, b]", &[Kind::Components]),
            ("{a: b}", &[]),
        ];
        for key in KEYS {
            for (value, kinds) in samples {
                assert_eq!(reader_takes(&key, value), kinds.contains(&key.kind), "{}: {value}", key.name);
            }
            assert_eq!(reader_takes(&key, "~"), !key.required, "{}: ~", key.name);
        }
    }

    #[test]
    fn the_schema_has_the_keys_of_the_type() {
        let manifest = racetrack_core::PluginManifest::new("a".parse().unwrap(), "1.0.0".parse().unwrap());
        let fields = serde_json::to_value(manifest).unwrap();
        let mut fields: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
        let mut keys: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        fields.sort();
        keys.sort();
        assert_eq!(keys, fields);
    }
}
