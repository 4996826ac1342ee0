//! How long `cargo xtask build` takes when there is nothing to do, and after one plugin was edited, against a plain
//! `cargo build` of the same crates in a hand-written workspace.
//!
//! Run with `cargo bench -p racetrack-tests --bench builds`; an argument chooses other numbers of plugins than 1, 10 and 100.
//! Both sides build both components with the dev profile and take turns, so that a busy machine disturbs them alike. The
//! first builds compile everything and are not measured.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use racetrack_tests::{Finished, Sandbox, checkout};

/// How often each build is measured.
const RUNS: usize = 7;

const COMPONENTS: [&str; 2] = ["lifecycle", "image-builder"];

fn main() {
    // `cargo test --all-targets` starts benchmarks as well, without this argument, to see that they compile.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if chosen.is_empty() { vec![1, 10, 100] } else { chosen };
    println!("| plugins | build | cargo build, ms | cargo xtask build, ms | bar: 1.05 × + 150 ms |");
    println!("| ---: | --- | ---: | ---: | --- |");
    for size in sizes {
        let bench = Bench::new(size);
        bench.measure("nothing to do", |_| {});
        bench.measure("one plugin edited", |run| bench.edit(run));
    }
}

/// One declaration and one hand-written workspace with the same plugin crates.
struct Bench {
    size: usize,
    sandbox: Sandbox,
    plain: PathBuf,
}

impl Bench {
    fn new(size: usize) -> Self {
        let sandbox = Sandbox::new(&format!("bench-builds-{size}"));
        let mut declaration = String::new();
        for index in 0..size {
            write_plugin(&sandbox, index, 0);
            write!(declaration, "[[plugin]]\npath = \"plugins/plugin-{index}\"\n\n")
                .expect("text can be appended");
        }
        sandbox.declare(&declaration);
        let plain = sandbox.path("hand-written");
        write_hand_written(&sandbox, size);
        let bench = Self { size, sandbox, plain };
        bench.xtask();
        bench.cargo();
        bench
    }

    fn measure(&self, title: &str, change: impl Fn(usize)) {
        let [mut plain, mut ours] = [Vec::new(), Vec::new()];
        for run in 1..=RUNS {
            change(run);
            plain.push(timed(|| self.cargo()));
            ours.push(timed(|| self.xtask()));
        }
        let [plain, ours] = [plain, ours].map(|times| median(times).as_secs_f64() * 1000.0);
        let bar = 1.05 * plain + 150.0;
        let verdict = if ours <= bar { "met" } else { "missed" };
        println!("| {} | {title} | {plain:.0} | {ours:.0} | {verdict}: {bar:.0} |", self.size);
    }

    fn edit(&self, run: usize) {
        write_plugin(&self.sandbox, 0, run);
    }

    fn xtask(&self) {
        let _ = self.sandbox.xtask(&["build", "--profile", "dev", "--offline"]).succeeded();
    }

    fn cargo(&self) {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--offline"]).current_dir(&self.plain);
        // One for all sizes, so that the crates they share are compiled once.
        command.env("CARGO_TARGET_DIR", checkout().join("target/system-tests/bench-builds-hand-written"));
        let _ = Finished::run(&mut command).succeeded();
    }
}

fn write_plugin(sandbox: &Sandbox, index: usize, revision: usize) {
    let folder = format!("plugins/plugin-{index}");
    sandbox.write(
        &format!("{folder}/Cargo.toml"),
        &format!(
            "[package]\nname = \"plugin-{index}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nracetrack-core = \"0.1\"\n"
        ),
    );
    sandbox
        .write(&format!("{folder}/plugin-manifest.yaml"), &format!("name: plugin-{index}\nversion: 1.0.0\n"));
    sandbox.write(
        &format!("{folder}/src/lib.rs"),
        &format!(
            "use racetrack_core::{{EnvVars, HookResult, Plugin}};\n\n#[derive(Default)]\npub struct Bench;\n\n\
             #[racetrack_core::plugin]\nimpl Plugin for Bench {{\n    \
             async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {{\n        \
             Ok(EnvVars::from([(\"PLUGIN_{index}\".to_owned(), \"{revision}\".to_owned())]))\n    }}\n}}\n"
        ),
    );
}

/// A workspace as somebody would write it who has no build system: one package per component that names its plugins.
fn write_hand_written(sandbox: &Sandbox, size: usize) {
    let root = checkout();
    let core = root.join("core");
    let members = COMPONENTS.map(|component| format!("\"{component}\"")).join(", ");
    sandbox.write(
        "hand-written/Cargo.toml",
        &format!(
            "[workspace]\nresolver = \"3\"\nmembers = [{members}]\nexclude = [\"target\"]\n\n\
             [patch.crates-io]\nracetrack-core = {{ path = \"{}\" }}\n\n\
             [profile.dev]\ndebug = \"line-tables-only\"\n",
            core.display()
        ),
    );
    for component in COMPONENTS {
        let plugins = |line: &dyn Fn(usize) -> String| (0..size).map(line).collect::<String>();
        let dependencies =
            plugins(&|index| format!("plugin-{index} = {{ path = \"../../plugins/plugin-{index}\" }}\n"));
        let package = root.join("components").join(component);
        sandbox.write(
            &format!("hand-written/{component}/Cargo.toml"),
            &format!(
                "[package]\nname = \"bench-{component}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
                 racetrack-core = {{ path = \"{}\" }}\nracetrack-{component} = {{ path = \"{}\" }}\n{dependencies}",
                core.display(),
                package.display()
            ),
        );
        let rows = plugins(&|index| {
            format!(
                "PlannedPlugin {{ name: \"plugin-{index}\", version: \"1.0.0\", priority: 0, position: {index}, \
                 category: None, url: None, build_date: None, components: &[], digest: \"0\", resources: &[] }},\n"
            )
        });
        let names = plugins(&|index| format!("use plugin_{index} as _;\n"));
        let library = component.replace('-', "_");
        sandbox.write(
            &format!("hand-written/{component}/src/main.rs"),
            &format!(
                "use racetrack_core::plan::{{ComponentPlan, PlannedPlugin}};\n{names}\n\
                 static PLAN: ComponentPlan = ComponentPlan {{ component: \"{component}\", description: None, plugins: &[{rows}] }};\n\n\
                 fn main() -> std::process::ExitCode {{\n    racetrack_{library}::main(&PLAN)\n}}\n"
            ),
        );
    }
    copy_lock(&root, &sandbox.path("hand-written"));
}

fn copy_lock(from: &Path, to: &Path) {
    fs_err::copy(from.join("Cargo.lock"), to.join("Cargo.lock")).expect("the lock can be copied");
}

fn timed(build: impl Fn()) -> Duration {
    let start = Instant::now();
    build();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
