//! `before` and `after`, why plugins run in their order, and pictures of it.

use std::path::Path;

use fs_err as fs;

use crate::sandbox::Sandbox;

/// What a command prints, which fails otherwise.
fn printed(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let outcome = sandbox.run(arguments);
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.stderr);
    outcome.stdout
}

/// The names of the plugins of a component, in the order of the plan.
fn order(sandbox: &Sandbox, component: &str) -> Vec<String> {
    let plan: serde_json::Value =
        serde_json::from_str(&printed(sandbox, &["plan", "--format", "json"])).expect("the plan is JSON");
    let plugins = plan["components"][component]["plugins"].as_array().expect("there are plugins");
    plugins.iter().map(|plugin| plugin["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn constraints_refine_the_order_within_one_priority() {
    let sandbox = Sandbox::with("ordered");
    assert_eq!(order(&sandbox, "beta"), ["three", "four", "five", "one", "six", "seven"]);
    // Five and six are not in alpha, and what was said about them holds nevertheless.
    assert_eq!(order(&sandbox, "alpha"), ["three", "four", "one", "seven", "two"]);
}

#[test]
fn components_carry_the_constrained_order_as_positions() {
    let sandbox = Sandbox::with("ordered");
    sandbox.build_without_cargo();
    let main_rs = sandbox.read(".racetrack/alpha/src/main.rs");
    let field =
        |line: &str, name: &str| Some(line.trim().strip_prefix(name)?.trim_matches([' ', ',']).to_owned());
    let fields = |name: &'static str| main_rs.lines().filter_map(move |line| field(line, name));
    let rows: Vec<_> = fields("name:").zip(fields("priority:")).zip(fields("position:")).collect();
    let rows: Vec<_> =
        rows.iter().map(|((name, priority), position)| format!("{name} {priority} {position}")).collect();
    // Four, one and seven share the places of their tables: the first, the fourth and the fifth of alpha.
    assert_eq!(rows, ["\"three\" -1 2", "\"four\" 0 0", "\"one\" 0 3", "\"seven\" 0 4", "\"two\" 5 1"]);
}

#[test]
fn a_plugin_says_nothing_about_components_without_it() {
    let sandbox = Sandbox::with("ordered");
    sandbox.build_without_cargo();
    let before = sandbox.read(".racetrack/alpha/src/main.rs");
    let declaration = sandbox.read("racetrack.toml");
    sandbox.write(
        "racetrack.toml",
        declaration.replace("plugins/five\"", "plugins/five\"\nbefore = [\"seven\"]"),
    );
    sandbox.build_without_cargo();
    assert_eq!(before, sandbox.read(".racetrack/alpha/src/main.rs"));
}

#[test]
fn the_order_is_explained_to_people() {
    insta::assert_snapshot!(printed(&Sandbox::with("ordered"), &["plan", "--explain"]));
}

#[test]
fn the_order_is_explained_to_scripts() {
    let sandbox = Sandbox::with("ordered");
    let text = printed(&sandbox, &["plan", "--explain", "--format", "json"]);
    assert_eq!(text, printed(&sandbox, &["plan", "--explain", "--format", "json"]));
    let explained: serde_json::Value = serde_json::from_str(&text).expect("the explanation is JSON");
    let hook = &explained["components"]["alpha"]["explanations"]["post_job_deploy"];
    insta::assert_snapshot!(serde_json::to_string_pretty(hook).expect("JSON can be written"));
    let mut plan = explained;
    for component in plan["components"].as_object_mut().expect("there are components").values_mut() {
        component.as_object_mut().expect("a component is an object").remove("explanations");
    }
    let without = printed(&sandbox, &["plan", "--format", "json"]);
    assert_eq!(plan, serde_json::from_str::<serde_json::Value>(&without).expect("the plan is JSON"));
}

#[test]
fn components_without_plugins_need_no_explanation() {
    let sandbox = Sandbox::new();
    sandbox.write("racetrack.toml", sandbox.components());
    insta::assert_snapshot!(printed(&sandbox, &["plan", "--explain"]), @r"
    alpha (fixture-alpha)
      no plugin implements a hook

    beta (fixture-beta)
      no plugin implements a hook
    ");
}

#[test]
fn the_plan_is_drawn() {
    let sandbox = Sandbox::with("ordered");
    let cases = [
        ("pictures/plan", &["pictures/plan.dot", "pictures/plan.svg"][..]),
        ("other.svg", &["other.svg"]),
        ("third.dot", &["third.dot"]),
    ];
    for (path, files) in cases {
        let outcome = sandbox.run(&["plan", "--graph", path]);
        let expected: Vec<_> = files.iter().map(|file| format!("     Drawing {file}\n")).collect();
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr), (0, "", expected.concat()));
    }
    insta::assert_snapshot!("plan_dot", sandbox.read("pictures/plan.dot"));
    insta::assert_snapshot!("plan_svg", sandbox.read("pictures/plan.svg"));
    assert_eq!(sandbox.read("pictures/plan.svg"), sandbox.read("other.svg"));
    assert_eq!(sandbox.read("pictures/plan.dot"), sandbox.read("third.dot"));
    assert!(!sandbox.path("other.dot").exists() && !sandbox.path("third.svg").exists());
}

#[test]
fn drawing_and_printing_exclude_each_other() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["plan", "--graph", "plan", "--explain"]).code, 2);
    assert_eq!(sandbox.run(&["plan", "--graph", "plan", "--format", "json"]).code, 2);
    assert!(!sandbox.path("plan.svg").exists());
}

#[test]
fn the_picture_in_the_readme_is_that_of_the_declaration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the checkout");
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let picture = folder.path().join("plan.svg");
    let mut command = assert_cmd::Command::cargo_bin("xtask").expect("xtask was built");
    command.args(["plan", "--graph"]).arg(&picture).assert().success();
    let drawn = fs::read_to_string(picture).expect("the picture was drawn");
    let committed = fs::read_to_string(root.join("docs/plan.svg")).expect("the picture is committed");
    assert!(drawn == committed, "draw it again: `cargo xtask plan --graph docs/plan.svg`");
}
