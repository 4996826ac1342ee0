//! The software bill of materials of a component binary: `CycloneDX` 1.6, as JSON. It lists what is linked, and nothing else.
//!
//! The same bytes on every machine: no time, no path, and a serial number that follows from the content.

use serde_json::{Map, Value, json};

use crate::cargo::crates::{Crate, CrateSet, CrateSource};
use crate::plan::PlannedComponent;

/// The text of the bill for a component whose binary has this SHA-256.
pub fn generate(component: &PlannedComponent, crates: &CrateSet, binary_digest: &str) -> String {
    let name = &component.declaration.name;
    let listed = crates.linked().filter(|one| !one.is_root());
    let dependencies = crates.linked().map(|one| {
        let on: Vec<_> = one.linked_dependencies.iter().map(|at| reference(&crates.0[*at], name)).collect();
        json!({ "ref": reference(one, name), "dependsOn": on })
    });
    let mut bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{ "phase": "build" }],
            "tools": {
                "components": [
                    { "type": "application", "name": "racetrack-xtask", "version": env!("CARGO_PKG_VERSION") },
                ],
            },
            "component": {
                "type": "application",
                "bom-ref": binary_reference(name),
                "name": name,
                "hashes": [{ "alg": "SHA-256", "content": binary_digest }],
            },
        },
        "components": listed.map(|one| library(one, component)).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    });
    // With or without the feature of serde_json that keeps the order of keys.
    bill.sort_all_objects();
    bill["serialNumber"] = serial_number(&bill).into();
    pretty(bill)
}

/// A package URL. Crates of folders have none: a scanner would take it for a crate of that name in the registry.
pub fn package_url(one: &Crate) -> Option<String> {
    let qualifiers = match &one.source {
        CrateSource::Binary | CrateSource::Checkout(_) | CrateSource::Plugin(_) => return None,
        CrateSource::DefaultRegistry => String::new(),
        CrateSource::Registry(index) => {
            let index = index.split_once('+').map_or(index.as_str(), |(_, address)| address);
            format!("?repository_url={}", percent_encoded(index))
        }
        // `git+ADDRESS?rev=REV#COMMIT` in the lock is `git+ADDRESS@COMMIT` here.
        CrateSource::Git(address) => {
            let (address, commit) = address.rsplit_once('#').unwrap_or((address, ""));
            let address = address.split('?').next().unwrap_or(address);
            format!("?vcs_url={}", percent_encoded(&format!("{address}@{commit}")))
        }
    };
    Some(format!("pkg:cargo/{}@{}{qualifiers}", one.name, percent_encoded(&one.version)))
}

/// JSON for files, the same for the same content.
pub fn pretty(mut value: Value) -> String {
    value.sort_all_objects();
    serde_json::to_string_pretty(&value).expect("a value is JSON") + "\n"
}

fn library(one: &Crate, component: &PlannedComponent) -> Value {
    let mut library = Map::from_iter([
        ("type".to_owned(), json!("library")),
        ("bom-ref".to_owned(), json!(reference(one, &component.declaration.name))),
        ("name".to_owned(), json!(one.name)),
        ("version".to_owned(), json!(one.version)),
        ("scope".to_owned(), json!("required")),
    ]);
    let mut add = |key: &str, value: Value| library.insert(key.to_owned(), value);
    if let Some(licence) = &one.licence {
        // Older manifests separate alternatives by a slash, which is no SPDX.
        add("licenses", json!([{ "expression": licence.replace('/', " OR ") }]));
    }
    if let Some(url) = package_url(one) {
        add("purl", json!(url));
    }
    if let Some(checksum) = &one.checksum {
        add("hashes", json!([{ "alg": "SHA-256", "content": checksum }]));
    }
    let property = |name: &str, value: &str| json!({ "name": format!("racetrack:{name}"), "value": value });
    match &one.source {
        CrateSource::Checkout(folder) => {
            add("properties", json!([property("source", "checkout"), property("folder", folder)]));
        }
        CrateSource::Plugin(folder) => {
            let plugin = component.plugins.iter().find(|plugin| plugin.folder == *folder);
            let plugin = plugin.expect("the crate of a plugin is that of a planned one");
            add("hashes", json!([{ "alg": "BLAKE3", "content": plugin.digest }]));
            add("properties", json!([property("source", "plugin"), property("declared", &plugin.source)]));
        }
        _ => {}
    }
    Value::Object(library)
}

fn reference(one: &Crate, component: &str) -> String {
    match &one.source {
        CrateSource::Binary => binary_reference(component),
        CrateSource::Checkout(_) => format!("checkout:{}@{}", one.name, one.version),
        CrateSource::Plugin(_) => format!("plugin:{}@{}", one.name, one.version),
        _ => package_url(one).expect("crates of registries and repositories have an address"),
    }
}

fn binary_reference(component: &str) -> String {
    format!("component:{component}")
}

/// A UUID (version 8, RFC 9562) made of a digest of the bill.
fn serial_number(bill: &Value) -> String {
    let digest = blake3::hash(bill.to_string().as_bytes());
    let mut bytes: [u8; 16] = digest.as_bytes()[..16].try_into().expect("the digest is long enough");
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("urn:uuid:{}", parts.join("-"))
}

fn percent_encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let encoded = text.bytes().map(|byte| match byte {
        byte if is_plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::crates::tests::crate_set;
    use crate::plan::view::tests::component;

    #[test]
    fn the_bill_lists_what_is_linked() {
        let bill = generate(&component(), &crate_set(), &"cd".repeat(32));
        insta::assert_snapshot!("bill", bill);
        assert_eq!(bill, generate(&component(), &crate_set(), &"cd".repeat(32)));
    }

    #[test]
    fn another_binary_has_another_serial_number() {
        let serial = |digest: &str| {
            let bill: Value = serde_json::from_str(&generate(&component(), &crate_set(), digest)).unwrap();
            bill["serialNumber"].as_str().unwrap().to_owned()
        };
        assert_ne!(serial("a"), serial("b"));
    }

    #[test]
    fn package_urls_escape_what_is_not_plain() {
        let mut one = crate_set().0.remove(1);
        assert_eq!(
            package_url(&one).unwrap(),
            "pkg:cargo/forked@2.0.0?vcs_url=git%2Bhttps://host.invalid/x%401234567890"
        );
        one.source = CrateSource::Registry("sparse+https://host.invalid/a b/".to_owned());
        one.version = "2.0.0+meta".to_owned();
        assert_eq!(
            package_url(&one).unwrap(),
            "pkg:cargo/forked@2.0.0%2Bmeta?repository_url=https://host.invalid/a%20b/"
        );
    }
}
