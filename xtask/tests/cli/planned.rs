//! `plan`: who is called in which order.

use crate::sandbox::Sandbox;

#[test]
fn the_plan_for_people() {
    let outcome = Sandbox::new().run(&["plan"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn the_plan_for_scripts() {
    let outcome = Sandbox::new().run(&["plan", "--format", "json"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("the plan is JSON");
    insta::with_settings!({filters => [("[0-9a-f]{64}", "DIGEST")]}, {
        insta::assert_snapshot!(serde_json::to_string_pretty(&plan).expect("JSON can be written"));
    });
}

#[test]
fn a_declaration_without_plugins_is_planned() {
    let sandbox = Sandbox::new();
    sandbox.write("racetrack.toml", sandbox.components());
    let outcome = sandbox.run(&["plan"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    insta::assert_snapshot!(outcome.stdout, @r"
    alpha (fixture-alpha)
      no plugins

    beta (fixture-beta)
      no plugins
    ");
}
