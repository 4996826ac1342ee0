//! The schema of `racetrack.toml`.

use racetrack_core::plugin_name::MAX_LENGTH;
use serde_json::{Map, Value, json};

use super::common::{DIALECT, NAME};
use crate::declaration::keys::{Choice, DECLARATION, Key, Keys, Kind, TAKEN_NAMES, Values};

/// The names of the built-in profiles.
const BUILT_IN: [&str; 3] = ["dev", "quick", "release"];

/// What a declaration may say, as JSON.
pub(super) fn schema() -> Value {
    let mut schema = table(&DECLARATION);
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("racetrack.toml");
    schema
}

fn table(keys: &Keys) -> Value {
    let properties: Map<_, _> = keys.rows.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut schema = json!({
        "description": keys.doc,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    let required: Vec<_> = keys.rows.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !keys.one_of.is_empty() {
        schema["oneOf"] = keys.one_of.iter().map(|choice| json!({ "required": [choice.key] })).collect();
        let needs = keys.one_of.iter().filter(|choice| !choice.needs.is_empty());
        schema["dependentRequired"] =
            needs.map(|choice| (choice.key.to_owned(), json!(choice.needs))).collect::<Map<_, _>>().into();
        schema["dependentSchemas"] = companions(keys.one_of).into();
    }
    schema
}

/// What must be there where a key is that goes with some choices only: one of these.
fn companions(choices: &[Choice]) -> Map<String, Value> {
    let owners = |companion: &str| {
        let owners = choices.iter().filter(|choice| choice.companions().any(|other| other == companion));
        let owners: Vec<_> = owners.map(|choice| json!({ "required": [choice.key] })).collect();
        json!({ "anyOf": owners })
    };
    let companions = choices.iter().flat_map(Choice::companions);
    companions.map(|companion| (companion.to_owned(), owners(companion))).collect()
}

fn property(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Name => json!({ "type": "string", "pattern": "\\S" }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Texts { least } => {
            json!({ "type": "array", "items": { "type": "string" }, "minItems": least })
        }
        Kind::Setting(values) => setting(values),
        Kind::Table(keys) => table(keys),
        Kind::Tables(keys) => json!({ "type": "array", "items": table(keys) }),
        Kind::Components(keys) => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME, "maxLength": MAX_LENGTH, "not": { "enum": TAKEN_NAMES } },
            "additionalProperties": table(keys),
            "minProperties": 1,
        }),
        Kind::Profiles { built_in, own } => {
            let built_in: Map<_, _> =
                BUILT_IN.iter().map(|name| ((*name).to_owned(), table(built_in))).collect();
            json!({ "type": "object", "properties": built_in, "additionalProperties": table(own) })
        }
    };
    schema["description"] = json!(key.doc);
    if let Some(default) = key.default {
        schema["default"] = match key.kind {
            Kind::Switch => json!(default == "true"),
            _ => json!(default),
        };
    }
    schema
}

fn setting(values: &Values) -> Value {
    let mut choices = Vec::new();
    if values.switch {
        choices.push(json!({ "type": "boolean" }));
    }
    if let Some((smallest, largest)) = values.numbers {
        choices.push(json!({ "type": "integer", "minimum": smallest, "maximum": largest }));
    }
    if !values.words.is_empty() {
        choices.push(json!({ "enum": values.words }));
    }
    json!({ "anyOf": choices })
}

#[cfg(test)]
mod tests {
    use super::BUILT_IN;
    use crate::declaration::Profiles;

    #[test]
    fn the_built_in_profiles_are_those_of_the_reader() {
        assert_eq!(Profiles::default().names().collect::<Vec<_>>(), BUILT_IN);
    }
}
