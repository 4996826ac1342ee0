//! What a binary says about itself is what was planned and what is linked, also where everything was stripped and
//! optimised away that could be.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use racetrack_tests::{DocsPlugin, Finished, RecordingPlugin, Sandbox};
use serde_json::Value;

/// Name and version of crates.
type Crates = BTreeSet<(String, String)>;

#[test]
fn a_stripped_binary_describes_itself() {
    let sandbox = Sandbox::new("inspect");
    let plugins = [
        RecordingPlugin {
            name: "sigma",
            version: "1.0.0",
            priority: 5,
            dependency: Some("bs58 = \"=0.5.1\""),
            uses: Some("bs58::encode(\"sigma\").into_string()"),
            hooks: &["markdown_docs", "run_action"],
            ..RecordingPlugin::default()
        },
        RecordingPlugin {
            name: "beta",
            version: "2.0.0",
            hooks: &["run_action"],
            ..RecordingPlugin::default()
        },
    ];
    let bundles = plugins.map(|plugin| format!("[[plugin]]\nzip = \"{}\"\n\n", sandbox.bundle(&plugin)));
    sandbox.declare_tiny(&format!(
        "[profile.release]\nlto = \"fat\"\nstrip = \"symbols\"\n\n{}",
        bundles.concat()
    ));
    let _ = sandbox.xtask(&["build"]).succeeded();
    let binary = sandbox.binary("tiny");

    let path = binary.to_string_lossy();
    let inspected = json(&sandbox.xtask(&["inspect", &path, "--format", "json"]).succeeded());
    let plan = json(&sandbox.xtask(&["plan", "--format", "json"]).succeeded());
    assert_eq!(inspected["plan"], plan["components"]["tiny"]);
    let said = json(&Finished::run(Command::new(&binary).args(["plugins", "--format", "json"])).succeeded());
    assert_eq!(said["description"], inspected);
    assert_eq!(pairs(&said["plugins"]), pairs(&inspected["plan"]["plugins"]));
    for (hook, calls) in inspected["plan"]["hooks"].as_object().expect("hooks") {
        assert_eq!(pairs(&said["hooks"][hook]), pairs(calls), "{hook}");
    }
    assert_eq!(inspected["profile"]["settings"]["lto"], "fat");
    assert_eq!(inspected["profile"]["settings"]["strip"], "symbols");

    let linked = linked(&sandbox);
    assert!(linked.contains(&("bs58".to_owned(), "0.5.1".to_owned())), "{linked:?}");
    assert_eq!(scanned(&binary), linked, "the list in the binary");
    let bill = read(&sandbox.path("dist/tiny.cdx.json"));
    assert_eq!(billed(&bill), linked, "the bill of materials");
    let locked = locked(&sandbox.path("locks/tiny.lock"));
    assert!(linked.is_subset(&locked) && linked.len() < locked.len(), "not everything locked is linked");

    let records = ["tiny.cdx.json", "tiny.provenance.json"];
    let kept = || records.map(|name| content_and_time(&sandbox.path("dist").join(name)));
    let before = kept();
    let again = sandbox.xtask(&["build"]).succeeded();
    assert_eq!(again.compiled_crates(), [""; 0]);
    assert_eq!(kept(), before, "records are written when they change");
    for name in records {
        fs_err::remove_file(sandbox.path("dist").join(name)).expect("it was there");
    }
    let _ = sandbox.xtask(&["build"]).succeeded();
    assert_eq!(kept().map(|(content, _)| content), before.map(|(content, _)| content));

    let statement = read(&sandbox.path("dist/tiny.provenance.json"));
    assert_eq!(
        statement["subject"][0]["digest"]["sha256"],
        bill["metadata"]["component"]["hashes"][0]["content"]
    );
    let materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"].as_array();
    let materials = materials.expect("what went in");
    assert!(materials.iter().all(|material| material["digest"].is_object()), "{materials:#?}");
    assert!(materials.len() > linked.len(), "what ran during the build went in too");
}

#[test]
fn a_binary_says_whether_it_is_locked() {
    let sandbox = Sandbox::new("inspect-override");
    let plugin = DocsPlugin { name: "alpha", ..DocsPlugin::default() };
    sandbox.declare_tiny(&plugin.declared(&sandbox));
    let inspected = |arguments: &[&str]| {
        let _ = sandbox.xtask(&[&["build", "--profile", "dev"], arguments].concat()).succeeded();
        let path = sandbox.binary("tiny");
        json(&sandbox.xtask(&["inspect", &path.to_string_lossy(), "--format", "json"]).succeeded())
    };
    let locked = inspected(&[]);
    assert_eq!(locked["locked"], true);
    fs_err::rename(sandbox.path("plugins/alpha"), sandbox.path("plugins/tried")).expect("it can be renamed");
    let _ = plugin.declared(&sandbox);
    let tried = inspected(&["--override", &format!("alpha={}", sandbox.path("plugins/tried").display())]);
    assert_eq!(tried["locked"], false);
    assert_eq!(inspected(&["--locked"]), locked);
}

/// What is linked, by the units that cargo compiles: all that the binary leads to without passing a build script or a
/// procedural macro. The build asks cargo in another way.
fn linked(sandbox: &Sandbox) -> Crates {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--release", "--locked", "--offline", "--unit-graph", "-Z", "unstable-options"]);
    // The graph of units is shown to nightly toolchains, or on this word; nothing is built.
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(sandbox.path(".racetrack/tiny"));
    let graph = json(&Finished::run(&mut command).succeeded());
    let indexes = |list: &Value, index: fn(&Value) -> &Value| -> Vec<usize> {
        let indexes = list.as_array().expect("a list").iter().map(|item| index(item).as_u64());
        indexes.map(|index| usize::try_from(index.expect("a number")).expect("an index")).collect()
    };
    let (mut linked, mut seen) = (Crates::new(), BTreeSet::new());
    let mut ahead = indexes(&graph["roots"], |root| root);
    while let Some(index) = ahead.pop() {
        let unit = &graph["units"][index];
        let is_linked =
            unit["mode"] == "build" && unit["target"]["kind"] != serde_json::json!(["proc-macro"]);
        if is_linked && seen.insert(index) {
            linked.insert(package(unit["pkg_id"].as_str().expect("a text")));
            ahead.extend(indexes(&unit["dependencies"], |dependency| &dependency["index"]));
        }
    }
    linked
}

/// Name and version from `…#name@1.0.0`, or from `…/name#1.0.0`.
fn package(id: &str) -> (String, String) {
    let (address, title) = id.rsplit_once('#').expect("an address and a title");
    let folder = address.rsplit('/').next().expect("a folder");
    let (name, version) = title.split_once('@').unwrap_or((folder, title));
    (name.to_owned(), version.to_owned())
}

/// What a scanner for vulnerable crates finds in a binary.
fn scanned(binary: &Path) -> Crates {
    let limits = auditable_info::Limits::default();
    let found = auditable_info::audit_info_from_file(binary, limits).expect("the scanner reads the binary");
    let packages = serde_json::to_value(found.packages).expect("a list is JSON");
    let packages = packages.as_array().expect("a list");
    assert_eq!(packages.iter().filter(|package| package["root"] == true).count(), 1);
    let linked: Vec<_> = packages.iter().filter(|package| package["kind"].is_null()).cloned().collect();
    pairs(&linked.into()).into_iter().collect()
}

/// The crates of a bill of materials, and that of the binary itself.
fn billed(bill: &Value) -> Crates {
    let root = ("racetrack-tiny-binary".to_owned(), "0.0.0".to_owned());
    pairs(&bill["components"]).into_iter().chain([root]).collect()
}

fn locked(lock: &Path) -> Crates {
    let lock = fs_err::read_to_string(lock).expect("the build locks its crates");
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")));
        line.and_then(|rest| rest.strip_suffix('"')).expect("every package has one").to_owned()
    };
    let packages = lock.split("[[package]]").skip(1);
    packages.map(|package| (value(package, "name"), value(package, "version"))).collect()
}

fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let items = list.as_array().expect("a list").iter();
    items.map(|item| (text(&item["name"]), text(&item["version"]))).collect()
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).expect("JSON")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs_err::read_to_string(path).expect("the build writes it")).expect("JSON")
}

fn content_and_time(path: &Path) -> (String, SystemTime) {
    let time = fs_err::metadata(path).and_then(|metadata| metadata.modified()).expect("it was written");
    (fs_err::read_to_string(path).expect("it is text"), time)
}
