//! What users are told when something does not work.

use super::distribution::{administrator, client, platform};
use super::{jobs, transcript};

#[test]
fn strangers_are_told_to_log_in() {
    let platform = platform("strangers");
    let client = client(&platform);
    for arguments in [
        &["list"][..],
        &["login", "no-token"],
        &["deploy", "samples/python-adder", "--build-context", "local"],
    ] {
        let _ = client.run(arguments).failed_with(70);
    }
    let _ = client.run_with_password(&["login", "--username", "admin"], "a wrong password").failed_with(70);
    let config = format!("lifecycle_url: {0}\nuser_auths: {{'{0}': no-token}}\n", platform.url());
    fs_err::write(client.config_file(), config).expect("a file can be written");
    for arguments in [
        &["list"][..],
        &["deploy", "samples/python-adder", "--build-context", "local"],
        &["delete", "python-adder", "--version", "0.0.1"],
    ] {
        let _ = client.run(arguments).failed_with(70);
    }
    transcript::check("strangers", &client, &platform);
    platform.end();
}

#[test]
fn failures_are_told_in_words_and_with_exit_code_70() {
    let platform = platform("refusals");
    let client = administrator(&platform);
    let deploy = |folder: &str, more: &[&str]| {
        client.run(&[&["deploy", folder, "--build-context", "local"], more].concat())
    };
    let _ = deploy("samples/python-adder", &["-e", "jobtype=cobol:latest"]).failed_with(70);
    let _ = deploy("samples/python-adder", &["-e", "name=Python Adder"]).failed_with(70);
    let _ = deploy("samples/python-adder", &["-e", "jobtype_extra.entrypont_path=adder.py"]).failed_with(70);
    let _ = deploy("samples/python-adder", &["-e", "infrastructure_target=moon"]).failed_with(70);
    let _ = deploy("samples/python-adder", &["-e", "replicas=0"]).failed_with(70);
    let broken = deploy(&jobs::write_broken(&platform), &[]).failed_with(70).stdout;
    assert!(
        broken.contains("ERROR Initialization error: the model is missing"),
        "its log is not shown: {broken}"
    );
    let _ = client.run(&["list"]).succeeded();
    let _ = deploy("samples/python-adder", &[]).succeeded();
    let _ = deploy("samples/python-adder", &[]).failed_with(70);
    let _ = deploy("samples/python-adder", &["--force"]).succeeded();
    for arguments in [
        &["move", "python-adder", "--version", "0.0.1", "--infrastructure", "process"][..],
        &["move", "python-adder", "--version", "0.0.1", "--infrastructure", "moon"],
        &["call", "python-adder", "/api/v1/perform", r#"{"numbers": "many"}"#],
        &["call", "python-adder", "/api/v1/nothing", "{}"],
        &["delete", "python-adder", "--version", "latest"],
        &["logs", "python-subtracter"],
    ] {
        let _ = client.run(arguments).failed_with(70);
    }
    let _ = client.run(&["delete", "python-adder", "--version", "0.0.1"]).succeeded();
    let _ = deploy("samples/python-adder", &[]).failed_with(70);
    transcript::check("refusals", &client, &platform);
    platform.end();
}
