//! A job with a package from `PyPI`.

use super::distribution::{administrator, platform};

#[test]
fn a_job_finds_the_packages_that_it_requires() {
    let platform = platform("requirements");
    let client = administrator(&platform);
    let _ = client.run(&["deploy", "samples/python-requirements", "--build-context", "local"]).succeeded();
    let called = client.run(&["call", "python-requirements", "/api/v1/perform", r#"{"number": 42}"#]);
    assert_eq!(called.succeeded().stdout, "\"XLII\"\n");
    platform.end();
}
