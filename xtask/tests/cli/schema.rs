//! `schema`, and what the committed schemas say of declarations and plugin manifests, by a validator of their own.

use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use fs_err as fs;
use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox};

/// Mistakes that a schema can see. It sees nothing of the disk, and nothing of what names refer to.
const SEEN: [&str; 9] = [
    "ambiguous-source",
    "empty-components",
    "empty-text",
    "invalid-component-name",
    "invalid-value",
    "misplaced-key",
    "missing-key",
    "unknown-key",
    "wrong-type",
];

/// Mistakes of which a schema sees some, or whose text is no TOML at all.
const SEEN_AT_TIMES: [&str; 4] = ["invalid-profile-name", "missing-source", "no-components", "toml-syntax"];

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the checkout").to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).expect("the file is readable")
}

/// Whether a value is as one of the committed schemas says.
fn is_valid(schema: &str, value: &Value) -> bool {
    let text = read(checkout().join("docs/schemas").join(schema));
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    let schema = serde_json::from_str(&text).expect("the schema is JSON");
    compiler.add_resource("schema.json", schema).expect("the schema has an address");
    let schema = compiler.compile("schema.json", &mut schemas).expect("the schema is one");
    schemas.validate(value, schema).is_ok()
}

fn is_valid_declaration(text: &str) -> bool {
    let table: toml::Table = text.parse().expect("the declaration is TOML");
    is_valid("racetrack.toml.schema.json", &serde_json::to_value(table).expect("the declaration fits JSON"))
}

fn is_valid_manifest(text: &str) -> bool {
    is_valid("plugin-manifest.schema.json", &serde_yaml::from_str(text).expect("the manifest is YAML"))
}

/// Whether the declaration has one of these mistakes; the lock may have the like.
fn has(outcome: &Outcome, codes: &[&str]) -> bool {
    let lines: Vec<_> = outcome.stderr.lines().collect();
    let in_declaration = lines.windows(2).filter(|pair| pair[1].contains("--> racetrack.toml"));
    in_declaration
        .into_iter()
        .any(|pair| codes.iter().any(|code| pair[0].starts_with(&format!("error[{code}]"))))
}

#[test]
fn the_committed_schemas_are_up_to_date() {
    let outcome = Sandbox::new().run(&["schema", "--check"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}

#[test]
fn schemas_are_written_and_drift_is_told() {
    let sandbox = Sandbox::new();
    sandbox.write("xtask/Cargo.toml", "");
    let xtask = sandbox.path("xtask").display().to_string();
    let run = |arguments: &[&str]| sandbox.run_with(arguments, &[("CARGO_MANIFEST_DIR", &xtask)]);
    insta::assert_snapshot!(run(&["schema", "--check"]).stderr, @"error: out of date: docs/schemas/racetrack.toml.schema.json, docs/schemas/plugin-manifest.schema.json; `cargo xtask schema` writes them");
    insta::assert_snapshot!(run(&["schema"]).stderr, @r"
     Writing docs/schemas/racetrack.toml.schema.json
     Writing docs/schemas/plugin-manifest.schema.json
    Finished the schemas are up to date
    ");
    assert_eq!(run(&["schema", "--check"]).code, 0);
    let path = "docs/schemas/plugin-manifest.schema.json";
    assert_eq!(sandbox.read(path), read(checkout().join(path)));
    sandbox.write(path, sandbox.read(path).replace("plugin", "module"));
    let outcome = run(&["schema", "--check"]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stderr, @"error: out of date: docs/schemas/plugin-manifest.schema.json; `cargo xtask schema` writes them");
}

#[test]
fn what_is_in_use_is_valid() {
    assert!(is_valid_declaration(&read(checkout().join("racetrack.toml"))));
    assert!(is_valid_declaration(&Sandbox::new().read("racetrack.toml")));
    let every_key = "[build]\nprofile = \"small\"\nout-dir = \"bin\"\n[components.a]\npackage = \"a\"\npath = \"a\"\n\
                     [profile.release]\nlto = true\n[profile.small]\ninherits = \"release\"\nopt-level = \"z\"\n\
                     [[plugin]]\nzip = \"b.zip\"\ncomponents = [\"a\"]\nallow-build-script = true\n\
                     before = [\"c\"]\nafter = []\n\
                     [[plugin]]\nurl = \"https://host/c.zip\"\nsha256 = \"0\"\n\
                     [[plugin]]\nrelease = \"github.com/a/d==1.0.0\"\nsha256 = \"0\"\n\
                     [[plugin]]\ngit = \"https://host/e\"\nrev = \"0\"\nsubfolder = \"e\"\n";
    assert!(is_valid_declaration(every_key));
    let plugins = fs::read_dir(checkout().join("plugins")).expect("there are plugins");
    let folders = plugins.map(|plugin| plugin.expect("readable").path());
    let manifests: Vec<_> = folders
        .chain([checkout().join("plugin_sample")])
        .map(|folder| folder.join("plugin-manifest.yaml"))
        .filter(|manifest| manifest.exists())
        .collect();
    assert!(manifests.len() > 3, "{manifests:?}");
    for manifest in manifests {
        assert!(is_valid_manifest(&read(&manifest)), "{}", manifest.display());
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses_and_nothing_else() {
    let fixtures = fs::read_dir(checkout().join("xtask/tests/fixtures/bad")).expect("there are fixtures");
    let (mut refused, mut accepted) = (0, 0);
    for fixture in fixtures {
        let name = fixture.expect("readable").file_name().into_string().expect("a text");
        let sandbox = Sandbox::with(&format!("bad/{name}"));
        let outcome = sandbox.run(&["check"]);
        if has(&outcome, &SEEN) {
            assert!(!is_valid_declaration(&sandbox.read("racetrack.toml")), "{name}: {}", outcome.stderr);
            refused += 1;
        } else if !has(&outcome, &SEEN_AT_TIMES) {
            assert!(is_valid_declaration(&sandbox.read("racetrack.toml")), "{name}: {}", outcome.stderr);
            accepted += 1;
        }
    }
    assert!(refused > 5 && accepted > 20, "{refused} refused, {accepted} accepted");
    for name in ["manifest-unknown-key", "manifest-wrong-type"] {
        let manifest = Sandbox::with(&format!("bad/{name}")).read("plugins/p/plugin-manifest.yaml");
        assert!(!is_valid_manifest(&manifest), "{name}");
    }
}
