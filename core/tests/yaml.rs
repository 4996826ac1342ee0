//! What a YAML text may hold: as much as it says itself, and no more.

use racetrack_core::yaml::{YamlLimits, check, read};
use serde_json::{Value, json};

const SMALL: YamlLimits = YamlLimits { bytes: 200, nodes: 20, depth: 4, ..YamlLimits::CONFIGURATION };

#[track_caller]
fn accepted(text: &str, limits: YamlLimits, value: &Value) {
    assert_eq!(read::<Value>(text, limits).as_ref().expect(text), value, "{text}");
}

#[track_caller]
fn refused(text: &str, limits: YamlLimits, message: &str) {
    let error = check(text, limits).expect_err(text).to_string();
    assert!(error.starts_with(message), "{error}");
    let start = message.split(" at line").next().unwrap_or(message);
    assert!(read::<Value>(text, limits).expect_err(text).to_string().starts_with(start));
}

#[test]
fn a_manifest_has_no_anchors_and_no_aliases() {
    let manifest = YamlLimits::JOB_MANIFEST;
    refused(
        "a: 1\nb: &x 2\n",
        manifest,
        "the anchor `&x` is not allowed at line 2 column 4; write the value out",
    );
    refused("a: &x [1]", manifest, "the anchor `&x` is not allowed at line 1 column 4");
    refused("a: &x {b: 1}", manifest, "the anchor `&x` is not allowed at line 1 column 4");
    refused("a:\n  - *x\n", manifest, "the alias `*x` is not allowed at line 2 column 5");
    refused("a: {*x : 1}", manifest, "the alias `*x` is not allowed at line 1 column 5");
    let error = read::<Value>("\u{feff}*x", manifest).expect_err("has an alias").to_string();
    assert!(error.starts_with("the alias `*x` is not allowed at line 1 column 1"), "{error}");
}

#[test]
fn texts_that_look_like_anchors_are_texts() {
    let text = "a: |\n  &x *y\n  << : z\nb: '*y'\nc: \"&x\"\nd: x &y *z\ne: >-\n  *x\nf: [a*b, R&D] # &x *x\ng: 2*3\n";
    let value = json!({
        "a": "&x *y\n<< : z\n", "b": "*y", "c": "&x", "d": "x &y *z", "e": "*x", "f": ["a*b", "R&D"], "g": "2*3",
    });
    accepted(text, YamlLimits::JOB_MANIFEST, &value);
}

#[test]
fn aliases_count_for_what_they_repeat() {
    accepted("a: &a [1, 2]\nb: [*a, *a]\n", SMALL, &json!({"a": [1, 2], "b": [[1, 2], [1, 2]]}));
    let nested = "a: &a [1, 2, 3, 4]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    refused(
        nested,
        SMALL,
        "there are more than 20 values at line 3 column 4; keep fewer values; an alias counts",
    );
    let long = format!("a: &a {}\nb: [*a, *a, *a]\n", "x".repeat(60));
    refused(&long, SMALL, "the values have more than 200 bytes together at line 2 column 13");
    let deep = "a: &a [[1]]\nb: &b [[*a]]\nc: *b\n";
    refused(deep, SMALL, "more than 4 sequences and mappings are inside one another at line 2 column 9");
    refused("a: &a [*a]", SMALL, "the alias `*a` is inside the value that it repeats at line 1 column 8");
    refused("&a {b: &b {c: *a}}", SMALL, "the alias `*a` is inside the value that it repeats");
    // The inner anchor is the later one.
    accepted("&a [&a 1, *a]", SMALL, &json!([1, 1]));
}

#[test]
fn expansions_of_gigabytes_are_refused() {
    let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
    let square = format!("labels: {{a: &a {}, b: {}}}", list("0", 16_000), list("*a", 16_000));
    refused(&square, YamlLimits::JOB_MANIFEST, "the anchor `&a` is not allowed at line 1 column 13");
    refused(&square, YamlLimits::CONFIGURATION, "there are more than 100000 values at line 1 column");
    let levels =
        (1..=20).map(|level| format!("a{level}: &a{level} {}\n", list(&format!("*a{}", level - 1), 10)));
    let laughs = format!("a0: &a0 ha\n{}", levels.collect::<String>());
    refused(&laughs, YamlLimits::CONFIGURATION, "there are more than 100000 values at line 6");
    let long = format!("a: &a {}\nb: {}\n", "x".repeat(500_000), list("*a", 3));
    refused(&long, YamlLimits::CONFIGURATION, "the values have more than 1048576 bytes together at line 2");
    let tags = format!("%TAG ! tag:{}\n--- {}", "x".repeat(50_000), list("!a 1", 10_000));
    refused(&tags, YamlLimits::JOB_MANIFEST, "a `%TAG` directive is not supported at line 1 column 1");
    let later = format!("a: 1\n...\n{tags}");
    refused(
        &later,
        YamlLimits::JOB_MANIFEST,
        "there is more than one document: another one starts at line 3 column 1",
    );
}

#[test]
fn sizes_depths_and_numbers_are_limited() {
    refused(&"#".repeat(201), SMALL, "it is larger than 200 bytes");
    for text in ["[[[[1]]]]", "- - - - 1", "{a: {a: {a: {a: 1}}}}", "? ? ? ? 1"] {
        check(text, SMALL).expect(text);
    }
    for text in
        ["[[[[[1]]]]]", "- - - - - 1", "{a: {a: {a: {a: {a: 1}}}}}", "? ? ? ? ? 1", "[{a: [{a: [1]}]}]"]
    {
        refused(text, SMALL, "more than 4 sequences and mappings are inside one another at line 1 column");
    }
    check(&format!("[{}]", ["1"; 19].join(",")), SMALL).expect("is small");
    refused(
        &format!("[{}]", ["1"; 20].join(",")),
        SMALL,
        "there are more than 20 values at line 1 column 40",
    );
    refused(&format!("{{{}}}", ["a"; 10].join(",")), SMALL, "duplicate key `a`");
    check("a:\nb:\nc:\nd:\ne:\nf:\ng:\nh:\ni:\n", SMALL).expect("is small");
    refused("a:\nb:\nc:\nd:\ne:\nf:\ng:\nh:\ni:\nj:\n", SMALL, "there are more than 20 values");
}

/// The parser compares each with all others before it shows anything.
#[test]
fn tag_directives_do_not_pile_up() {
    let lines = "%TAG !x! y\n".repeat(20);
    refused(&lines, YamlLimits::JOB_MANIFEST, "a `%TAG` directive is not supported at line 17 column 1");
    let later = format!("a: 1\n...\n{}", lines.replace('\n', "\u{2028}"));
    refused(&later, YamlLimits::JOB_MANIFEST, "a `%TAG` directive is not supported at line 19 column 1");
    let text = format!("a: |\n  {}", lines.replace('\n', "\n  "));
    check(&text, YamlLimits::JOB_MANIFEST).expect("none of them begins a line");
}

/// Texts that a parser with a stack of calls, or one that looks at every open bracket for every token, falls over.
#[test]
fn hostile_nesting_is_refused() {
    for opening in ["[", "{", "- ", "? ", "[{a: ", "[? ", "{? ", "!!seq [", "[\n", "{a:\n"] {
        for limits in [YamlLimits::JOB_MANIFEST, YamlLimits::CONFIGURATION] {
            let text = opening.repeat(limits.bytes / opening.len());
            refused(&text, limits, "more than 64 sequences and mappings are inside one another");
        }
    }
}

#[test]
fn keys_come_once_and_merge_nothing() {
    refused("a: 1\nb: 2\na: 3\n", SMALL, "duplicate key `a` at line 3 column 1; keep one of the two");
    refused("x: [{a: 1, 'a': 2}]", SMALL, "duplicate key `a` at line 1 column 12");
    accepted(
        "a: {a: 1, b: {a: 1}}\nb: [a, a]\n",
        SMALL,
        &json!({"a": {"a": 1, "b": {"a": 1}}, "b": ["a", "a"]}),
    );
    refused("a: &a {b: 1}\nc:\n  <<: *a\n", SMALL, "the merge key `<<` is not supported at line 3 column 3");
    refused("<<: {b: 1}", YamlLimits::JOB_MANIFEST, "the merge key `<<` is not supported at line 1 column 1");
    refused("<<: [{b: 1}]", YamlLimits::JOB_MANIFEST, "the merge key `<<` is not supported");
    accepted("<<: a\n\"b\": {'<<': {c: 1}}", SMALL, &json!({"<<": "a", "b": {"<<": {"c": 1}}}));
}

#[test]
fn there_is_one_document() {
    accepted("--- # first\na: 1\n...\n", SMALL, &json!({"a": 1}));
    accepted("%YAML 1.1\n---\na: !!str 1\n", SMALL, &json!({"a": "1"}));
    refused(
        "a: 1\n---\nb: 2\n",
        SMALL,
        "there is more than one document: another one starts at line 2 column 1; keep one document",
    );
    refused(
        "a: 1\n...\n--- b",
        SMALL,
        "there is more than one document: another one starts at line 3 column 1",
    );
}

#[test]
fn what_is_no_yaml_is_refused_by_the_reader() {
    for text in ["a: [1", "\ta: 1", "a: *b", "\"", "%TAG\n---\na", "a: !x!y 1", "\u{0}", "a: b: c"] {
        check(text, SMALL).expect(text);
        read::<Value>(text, SMALL).expect_err(text);
    }
    assert_eq!(read::<Option<Value>>("# nothing\n", SMALL).expect("is empty"), None);
    assert_eq!(read::<Option<Value>>("", SMALL).expect("is empty"), None);
}
