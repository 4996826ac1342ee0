//! When lifecycle is started again.

use crate::harness::Sandbox;

#[tokio::test]
async fn what_was_written_survives_a_restart_and_goes_before_the_file() {
    let sandbox = Sandbox::new(&[("greeter", "greeting: from the file")]);
    let running = sandbox.start().await.expect("starts");
    assert_eq!(running.config("greeter").await, "greeting: from the file\n");
    assert_eq!(running.config("other").await, "");
    running.configure("greeter", "{greeting: written, targets: [docker]}").await;

    let again = sandbox.start().await.expect("starts");
    assert_eq!(again.greeting("greeter").await, "written");
    assert_eq!(again.config("greeter").await, "{greeting: written, targets: [docker]}");
    assert_eq!(again.get("/plugin/infrastructure_targets").await["docker"]["name"], "greeter");

    // Nothing but a comment is a configuration: that of all defaults.
    again.configure("greeter", "# nothing").await;
    assert_eq!(sandbox.start().await.expect("starts").greeting("greeter").await, "");
}

#[tokio::test]
async fn an_empty_text_goes_back_to_the_file() {
    let sandbox = Sandbox::new(&[("greeter", "greeting: from the file")]);
    let running = sandbox.start().await.expect("starts");
    for plugin in ["greeter", "other"] {
        running.configure(plugin, "greeting: written").await;
        assert!(sandbox.file(plugin).exists());
        for nothing in ["", " \n"] {
            running.configure(plugin, nothing).await;
            assert!(!sandbox.file(plugin).exists());
        }
    }
    for running in [running, sandbox.start().await.expect("starts")] {
        assert_eq!(running.greeting("greeter").await, "from the file");
        assert_eq!(running.config("greeter").await, "greeting: from the file\n");
        assert_eq!((running.greeting("other").await, running.config("other").await), ("".into(), "".into()));
    }
}

#[tokio::test]
async fn a_bad_section_of_the_file_does_not_matter_while_something_else_is_kept() {
    let sandbox = Sandbox::new(&[("greeter", "greting: a")]);
    sandbox.start().await.map(drop).expect_err("the section is bad");
    std::fs::create_dir_all(sandbox.file("greeter").parent().expect("a folder")).expect("can be made");
    std::fs::write(sandbox.file("greeter"), "greeting: kept").expect("can be written");
    let running = sandbox.start().await.expect("starts");
    assert_eq!(running.greeting("greeter").await, "kept");
    let text = running.refusal("greeter", "").await;
    assert!(text.contains("unknown field `greting`"), "{text}");
    assert_eq!(running.config("greeter").await, "greeting: kept");
}

#[tokio::test]
async fn what_is_kept_and_bad_is_named_with_the_way_out() {
    let sandbox = Sandbox::new(&[("other", "{job_types: ['b:1.0.0']}")]);
    sandbox.start().await.expect("starts").configure("greeter", "greeting: hi").await;
    let file = sandbox.file("greeter");
    let out = format!("which is kept in {}; remove that file", file.display());
    for (text, reason) in [
        ("greeting: [", "at line 2 column 1"),
        (
            "greting: hi",
            "cannot construct plugin `greeter` 1.0.0: wrong configuration of plugin `greeter` 1.0.0 at `greting`",
        ),
        ("fails: no Dockerfile", "hook `job_types` of plugin `greeter` 1.0.0 failed: no Dockerfile"),
        ("job_types: ['b:1.0.0']", "plugins `greeter` 1.0.0 and `other` 1.0.0 both offer job type `b:1.0.0`"),
    ] {
        std::fs::write(&file, text).expect("can be written");
        let refusal = sandbox.start().await.map(drop).expect_err("is bad");
        assert!(refusal.starts_with("plugin `greeter` is not usable with the configuration"), "{refusal}");
        assert!(refusal.contains(&out) && refusal.contains(reason), "{refusal}");
    }
    std::fs::remove_file(&file).expect("can be removed");
    assert_eq!(sandbox.start().await.expect("starts").greeting("greeter").await, "");
}
