//! Mistakes in a `plugin-manifest.yaml`.

use insta::assert_snapshot;
use racetrack_bundle::{limits, manifest};

use crate::support::PluginFolder;

/// What a plugin with that manifest gives.
fn refused(manifest: impl AsRef<[u8]>) -> String {
    PluginFolder::new().with("plugin-manifest.yaml", manifest).refused()
}

/// The same, for a manifest with the required keys and more lines.
fn refused_lines(lines: &str) -> String {
    refused(format!("name: my-plugin\nversion: 1.2.3\n{lines}\n"))
}

#[test]
fn missing_manifest() {
    assert_snapshot!(PluginFolder::new().without("plugin-manifest.yaml").refused(), @r"
    error[manifest-missing]: the plugin has no `plugin-manifest.yaml`
    --> plugin
     = help: put it beside `Cargo.toml`, and leave it out of `.racetrackignore`
    ");
}

#[test]
fn missing_keys() {
    assert_snapshot!(refused("url: https://example.org\n"), @r"
    error[manifest-missing-key]: the required key `name` is missing
     --> plugin/plugin-manifest.yaml:1:1
      |
    1 | url: https://example.org
      | ^^^
      |
      = help: write for example `name: my-plugin`

    error[manifest-missing-key]: the required key `version` is missing
     --> plugin/plugin-manifest.yaml:1:1
      |
    1 | url: https://example.org
      | ^^^
      |
      = help: write for example `version: 1.0.0`
    ");
}

#[test]
fn key_without_value() {
    assert_snapshot!(refused("name:\nversion: 1.2.3\n"), @r"
    error[manifest-missing-key]: the key `name` has no value
     --> plugin/plugin-manifest.yaml:1:1
      |
    1 | name:
      | ^^^^
      |
      = help: write for example `name: my-plugin`
    ");
}

#[test]
fn unknown_key() {
    assert_snapshot!(refused_lines("componets: [lifecycle]"), @r"
    error[manifest-unknown-key]: unknown key `componets`
     --> plugin/plugin-manifest.yaml:3:1
      |
    3 | componets: [lifecycle]
      | ^^^^^^^^^
      |
      = help: did you mean `components`?
    ");
}

#[test]
fn unknown_key_far_from_any() {
    assert_snapshot!(refused_lines("requires: []"), @r"
    error[manifest-unknown-key]: unknown key `requires`
     --> plugin/plugin-manifest.yaml:3:1
      |
    3 | requires: []
      | ^^^^^^^^
      |
      = help: known keys: `name`, `version`, `url`, `priority`, `category`, `components`, `build_date`
    ");
}

#[test]
fn duplicate_key() {
    assert_snapshot!(refused_lines("url: a\nname: my-plugin"), @r"
    error[manifest-duplicate-key]: the key `name` is given twice
     --> plugin/plugin-manifest.yaml:4:1
      |
    4 | name: my-plugin
      | ^^^^
      |
      = help: keep one of the two lines
    ");
}

#[test]
fn key_that_is_no_text() {
    assert_snapshot!(refused_lines("1: a"), @r"
    error[manifest-wrong-type]: a key must be a text, this is an integer
     --> plugin/plugin-manifest.yaml:3:1
      |
    3 | 1: a
      | ^
      |
      = help: remove the entry, or quote the key; known keys: `name`, `version`, `url`, `priority`, `category`, `components`, `build_date`
    ");
}

#[test]
fn merge_key() {
    assert_snapshot!(refused_lines("<<: {priority: 1}"), @r"
    error[manifest-syntax]: the merge key `<<` is not supported
     --> plugin/plugin-manifest.yaml:3:1
      |
    3 | <<: {priority: 1}
      | ^^
      |
      = help: write out the entries it stands for; a key of that name stands in quotes
    ");
}

#[test]
fn bad_name() {
    assert_snapshot!(refused("name: My_Plugin\nversion: 1.2.3\n"), @r"
    error[manifest-bad-name]: a plugin name must start with a lower-case ASCII letter, not with 'M'
     --> plugin/plugin-manifest.yaml:1:7
      |
    1 | name: My_Plugin
      |       ^^^^^^^^^
      |
      = help: write a name such as `my-plugin`
    ");
}

#[test]
fn name_that_is_a_truth_value() {
    assert_snapshot!(refused("name: true\nversion: 1.2.3\n"), @r"
    error[manifest-wrong-type]: `name` must be a text, this is a truth value
     --> plugin/plugin-manifest.yaml:1:7
      |
    1 | name: true
      |       ^^^^
      |
      = help: write a name such as `my-plugin`
    ");
}

#[test]
fn bad_version() {
    assert_snapshot!(refused("name: my-plugin\nversion: v1.2\n"), @r"
    error[manifest-bad-version]: `v1.2` is no version of the form X.Y.Z[label]
     --> plugin/plugin-manifest.yaml:2:10
      |
    2 | version: v1.2
      |          ^^^^
      |
      = help: write a version such as `1.0.0` or `1.0.0-rc1`
    ");
}

#[test]
fn version_that_is_a_number() {
    assert_snapshot!(refused("name: my-plugin\nversion: 1.10\n"), @r"
    error[manifest-wrong-type]: `version` must be a text, this is a decimal number
     --> plugin/plugin-manifest.yaml:2:10
      |
    2 | version: 1.10
      |          ^^^^
      |
      = help: write a version such as `1.0.0` or `1.0.0-rc1`
    ");
}

#[test]
fn priority_that_is_a_text() {
    assert_snapshot!(refused_lines("priority: high"), @r"
    error[manifest-wrong-type]: `priority` must be an integer, this is a text
     --> plugin/plugin-manifest.yaml:3:11
      |
    3 | priority: high
      |           ^^^^
      |
      = help: write an integer; plugins run by ascending priority, the default is 0
    ");
}

#[test]
fn priority_that_is_a_fraction() {
    assert_snapshot!(refused_lines("priority: 1.5"), @r"
    error[manifest-wrong-type]: `priority` must be an integer, this is a decimal number
     --> plugin/plugin-manifest.yaml:3:11
      |
    3 | priority: 1.5
      |           ^^^
      |
      = help: write an integer; plugins run by ascending priority, the default is 0
    ");
}

#[test]
fn priority_out_of_range() {
    assert_snapshot!(refused_lines("priority: 9223372036854775808"), @r"
    error[manifest-wrong-type]: the priority is not between -9223372036854775808 and 9223372036854775807
     --> plugin/plugin-manifest.yaml:3:11
      |
    3 | priority: 9223372036854775808
      |           ^^^^^^^^^^^^^^^^^^^
      |
      = help: write an integer; plugins run by ascending priority, the default is 0
    ");
}

#[test]
fn unknown_category() {
    assert_snapshot!(refused_lines("category: infrastucture"), @r"
    error[manifest-unknown-category]: unknown category `infrastucture`
     --> plugin/plugin-manifest.yaml:3:11
      |
    3 | category: infrastucture
      |           ^^^^^^^^^^^^^
      |
      = help: did you mean `infrastructure`?
    ");
}

#[test]
fn unknown_component() {
    assert_snapshot!(refused_lines("components: [lifecycle, image-bulder, pub]"), @r"
    error[manifest-unknown-component]: unknown component `image-bulder`
     --> plugin/plugin-manifest.yaml:3:25
      |
    3 | components: [lifecycle, image-bulder, pub]
      |                         ^^^^^^^^^^^^
      |
      = help: did you mean `image-builder`?

    error[manifest-unknown-component]: unknown component `pub`
     --> plugin/plugin-manifest.yaml:3:39
      |
    3 | components: [lifecycle, image-bulder, pub]
      |                                       ^^^
      |
      = help: known components: `image-builder`, `lifecycle`
    ");
}

#[test]
fn duplicate_component() {
    assert_snapshot!(refused_lines("components:\n  - lifecycle\n  - lifecycle"), @r"
    error[manifest-duplicate-component]: the component `lifecycle` is listed twice
     --> plugin/plugin-manifest.yaml:5:5
      |
    5 |   - lifecycle
      |     ^^^^^^^^^
      |
      = help: remove one of the two
    ");
}

#[test]
fn components_that_are_no_list() {
    assert_snapshot!(refused_lines("components: lifecycle"), @r"
    error[manifest-wrong-type]: `components` must be a list of component names, this is a text
     --> plugin/plugin-manifest.yaml:3:13
      |
    3 | components: lifecycle
      |             ^^^^^^^^^
      |
      = help: write a list: `components: [lifecycle]`; without the key, the plugin is for all components
    ");
}

#[test]
fn component_that_is_no_text() {
    assert_snapshot!(refused_lines("components: [1, [lifecycle]]"), @r"
    error[manifest-wrong-type]: a component's name must be a text, this is an integer
     --> plugin/plugin-manifest.yaml:3:14
      |
    3 | components: [1, [lifecycle]]
      |              ^
      |
      = help: write a component's name, such as `lifecycle`

    error[manifest-wrong-type]: a component's name must be a text, this is a list
     --> plugin/plugin-manifest.yaml:3:17
      |
    3 | components: [1, [lifecycle]]
      |                 ^^^^^^^^^^^^
      |
      = help: write a component's name, such as `lifecycle`
    ");
}

#[test]
fn url_that_is_a_mapping() {
    assert_snapshot!(refused_lines("url:\n  a: b"), @r"
    error[manifest-wrong-type]: `url` must be a text, this is a mapping
     --> plugin/plugin-manifest.yaml:4:3
      |
    4 |   a: b
      |   ^
      |
      = help: put it in quotes
    ");
}

#[test]
fn build_date_that_is_a_number() {
    assert_snapshot!(refused_lines("build_date: 2026"), @r"
    error[manifest-wrong-type]: `build_date` must be a text, this is an integer
     --> plugin/plugin-manifest.yaml:3:13
      |
    3 | build_date: 2026
      |             ^^^^
      |
      = help: put it in quotes
    ");
}

#[test]
fn empty_manifest() {
    assert_snapshot!(refused("# nothing\n"), @r"
    error[manifest-empty]: the manifest is empty
     --> plugin/plugin-manifest.yaml:1:1
      |
    1 | # nothing
      | ^
      |
      = help: write at least `name: …` and `version: …`
    ");
}

#[test]
fn several_documents() {
    assert_snapshot!(refused("name: my-plugin\nversion: 1.2.3\n---\nname: other\n"), @r"
    error[manifest-several-documents]: there is more than one document: another one starts
     --> plugin/plugin-manifest.yaml:3:1
      |
    3 | ---
      | ^^^
      |
      = help: keep one document: remove the line `---` and what belongs to the other
    ");
}

#[test]
fn list_instead_of_a_mapping() {
    assert_snapshot!(refused("- name: my-plugin\n- version: 1.2.3\n"), @r"
    error[manifest-not-a-mapping]: the manifest must be a mapping of keys to values, this is a list
     --> plugin/plugin-manifest.yaml:1:1
      |
    1 | - name: my-plugin
      | ^^^^^^^^^^^^^^^^^
      |
      = help: write one `key: value` per line
    ");
}

#[test]
fn no_yaml() {
    assert_snapshot!(refused("name: my-plugin\n  version: 1.2.3\n"), @r"
    error[manifest-syntax]: the manifest is no valid YAML: mapping values are not allowed in this context
     --> plugin/plugin-manifest.yaml:2:10
      |
    2 |   version: 1.2.3
      |          ^
      |
      = help: write one `key: value` per line
    ");
}

#[test]
fn unclosed_bracket() {
    assert_snapshot!(refused_lines("components: [lifecycle"), @r"
    error[manifest-syntax]: the manifest is no valid YAML: did not find expected ',' or ']', while parsing a flow sequence at line 3 column 13
     --> plugin/plugin-manifest.yaml:3:24
      |
    3 | components: [lifecycle
      |                       ^
      |
      = help: write one `key: value` per line
    ");
}

#[test]
fn tab_as_indentation() {
    assert_snapshot!(refused_lines("components:\n\t- lifecycle"), @r"
    error[manifest-syntax]: the manifest is no valid YAML: found character that cannot start any token, while scanning for the next token
     --> plugin/plugin-manifest.yaml:4:1
      |
    4 |     - lifecycle
      | ^
      |
      = help: write one `key: value` per line
    ");
}

#[test]
fn tag() {
    assert_snapshot!(refused_lines("url: !secret x"), @r"
    error[manifest-syntax]: the manifest is no valid YAML: url: tags such as `!name` are not supported
     --> plugin/plugin-manifest.yaml:3:6
      |
    3 | url: !secret x
      |      ^
      |
      = help: write one `key: value` per line
    ");
}

#[test]
fn alias_of_itself() {
    assert_snapshot!(refused_lines("url: &a [*a]"), @r"
    error[manifest-syntax]: the anchor `&a` is not allowed
     --> plugin/plugin-manifest.yaml:3:6
      |
    3 | url: &a [*a]
      |      ^^^^^^^
      |
      = help: write the value out wherever it is needed; a text that begins with `&` or `*` stands in quotes
    ");
}

#[test]
fn alias_of_nothing() {
    assert_snapshot!(refused_lines("url: *nowhere"), @r"
    error[manifest-syntax]: the alias `*nowhere` is not allowed
     --> plugin/plugin-manifest.yaml:3:6
      |
    3 | url: *nowhere
      |      ^^^^^^^^
      |
      = help: write the value out wherever it is needed; a text that begins with `&` or `*` stands in quotes
    ");
}

#[test]
fn many_aliases() {
    let level =
        |level: u32| format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 9].join(","));
    let lines = format!("a0: &a0 x\n{}", (1..=9).map(level).collect::<Vec<_>>().join("\n"));
    assert_snapshot!(refused_lines(&lines), @r"
    error[manifest-syntax]: the anchor `&a0` is not allowed
     --> plugin/plugin-manifest.yaml:3:5
      |
    3 | a0: &a0 x
      |     ^^^^^
      |
      = help: write the value out wherever it is needed; a text that begins with `&` or `*` stands in quotes
    ");
}

#[test]
fn deep_nesting() {
    assert_snapshot!(refused_lines(&format!("url: {}", "[".repeat(1000))), @r"
    error[manifest-syntax]: more than 16 sequences and mappings are inside one another
     --> plugin/plugin-manifest.yaml:3:21
      |
    3 | ...[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: use fewer levels
    ");
}

#[test]
fn deep_nesting_without_brackets() {
    assert_snapshot!(refused_lines(&format!("url:\n {}x", "- ".repeat(30_000))), @r"
    error[manifest-syntax]: more than 16 sequences and mappings are inside one another
     --> plugin/plugin-manifest.yaml:4:32
      |
    4 | ... - - - - - - - - - - - - - - - - - - - - - - - -...- - - - - - - - - - - - - - - - - - - - - - x
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: use fewer levels
    ");
}

#[test]
fn manifest_too_large() {
    assert_snapshot!(refused("#".repeat(limits::MANIFEST_BYTES + 1)), @r"
    error[manifest-too-large]: the manifest has 65537 bytes, the limit is 65536
    --> plugin/plugin-manifest.yaml
     = help: keep the manifest to its keys; other data belongs into resource files
    ");
}

#[test]
fn not_utf8() {
    assert_snapshot!(refused(b"name: my-plugin\nversion: 1.2.3\nurl: \xff\n"), @r"
    error[not-utf8]: the file is not UTF-8: byte 37 (line 3) is wrong
    --> plugin/plugin-manifest.yaml
     = help: save the file as UTF-8
    ");
}

#[test]
fn several_mistakes_are_reported_together() {
    assert_snapshot!(refused("versio: 1.2.3\nname: 7up\npriority: x\ncategory: cor\ncomponents: [lifecycel]\nname: a\n"), @r"
    error[manifest-unknown-key]: unknown key `versio`
     --> plugin/plugin-manifest.yaml:1:1
      |
    1 | versio: 1.2.3
      | ^^^^^^
      |
      = help: did you mean `version`?

    error[manifest-missing-key]: the required key `version` is missing
     --> plugin/plugin-manifest.yaml:1:1
      |
    1 | versio: 1.2.3
      | ^^^^^^
      |
      = help: write for example `version: 1.0.0`

    error[manifest-bad-name]: a plugin name must start with a lower-case ASCII letter, not with '7'
     --> plugin/plugin-manifest.yaml:2:7
      |
    2 | name: 7up
      |       ^^^
      |
      = help: write a name such as `my-plugin`

    error[manifest-wrong-type]: `priority` must be an integer, this is a text
     --> plugin/plugin-manifest.yaml:3:11
      |
    3 | priority: x
      |           ^
      |
      = help: write an integer; plugins run by ascending priority, the default is 0

    error[manifest-unknown-category]: unknown category `cor`
     --> plugin/plugin-manifest.yaml:4:11
      |
    4 | category: cor
      |           ^^^
      |
      = help: did you mean `core`?

    error[manifest-unknown-component]: unknown component `lifecycel`
     --> plugin/plugin-manifest.yaml:5:14
      |
    5 | components: [lifecycel]
      |              ^^^^^^^^^
      |
      = help: did you mean `lifecycle`?

    error[manifest-duplicate-key]: the key `name` is given twice
     --> plugin/plugin-manifest.yaml:6:1
      |
    6 | name: a
      | ^^^^
      |
      = help: keep one of the two lines
    ");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    let manifest = "\u{feff}name: my-plugin\r\nversion: 1.2.3\r\ncomponents: [lifecycle]\r\n";
    let source = PluginFolder::new().with("plugin-manifest.yaml", manifest).load().expect("no mistakes");
    assert_eq!(source.manifest.components, ["lifecycle"]);
}

#[test]
fn every_key_is_read() {
    let manifest = "name: my-plugin
version: 1.2.3
url: https://example.org
priority: -1
category: job-type
components: [lifecycle, image-builder]
build_date: 2026-11-22T152104Z
";
    let source = PluginFolder::new().with("plugin-manifest.yaml", manifest).load().expect("no mistakes");
    insta::assert_json_snapshot!(source.manifest, @r#"
    {
      "name": "my-plugin",
      "version": "1.2.3",
      "build_date": "2026-11-22T152104Z",
      "url": "https://example.org",
      "priority": -1,
      "category": "job-type",
      "components": [
        "lifecycle",
        "image-builder"
      ]
    }
    "#);
}

#[test]
fn keys_with_a_value_have_a_line() {
    let line = |text: &str, key: &str| manifest::line_of(text.as_bytes(), key);
    let text = "\u{feff}# priority: 1\r\nname: x\r\n\r\n\"priority\": 2\r\nurl:\r\n";
    assert_eq!(line(text, "name"), Some(2));
    assert_eq!(line(text, "priority"), Some(4));
    assert_eq!(line("{name: x,\n priority: 1}", "priority"), Some(2));
    assert_eq!(line(text, "url"), None);
    assert_eq!(line(text, "version"), None);
    assert_eq!(line("[1", "priority"), None);
}
