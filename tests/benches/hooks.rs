//! What a hook call costs over a bare call of the trait, and how long a registry takes to start.
//!
//! Run with `cargo bench -p racetrack-tests --bench hooks`. Within one group the rows are to be compared as ratios:
//! `bare` calls the same plugins through the same trait, without order, isolation and time limit.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_executor::block_on;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use racetrack_core::hook::HookSet;
use racetrack_core::host::progress::Progress;
use racetrack_core::host::time_limit::{TimeLimit, Timer};
use racetrack_core::plan::{ComponentPlan, PlannedPlugin};
use racetrack_core::registration::Registration;
use racetrack_core::{
    Hook, HookResult, Job, JobStatus, Plugin, PluginContext, PluginError, PostJobDelete, Registry, RunAction,
    async_trait,
};
use serde_json::{Map, Value};

const SIZES: [usize; 4] = [1, 10, 100, 1000];

/// `post_job_delete` has a synchronous body; `run_action` waits once.
struct Counting(u64);

#[async_trait]
impl Plugin for Counting {
    async fn post_job_delete(&self, event: PostJobDelete<'_>) -> HookResult {
        black_box(self.0 + event.job.name.len() as u64);
        Ok(())
    }

    async fn run_action(&self, event: RunAction<'_>) -> HookResult<Value> {
        futures_util::pending!();
        black_box(event);
        Ok(Value::Null)
    }
}

/// A timer that never fires: hooks that wait are polled again at once.
struct Never;

impl Timer for Never {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of `Registration::construct`")]
fn construct(_: PluginContext) -> Result<Box<dyn Plugin>, PluginError> {
    Ok(Box::new(Counting(1)))
}

fn planned(count: usize) -> (&'static ComponentPlan, Vec<&'static Registration>) {
    let names: Vec<&'static str> = (0..count).map(|index| &*format!("plugin-{index}").leak()).collect();
    let rows: Vec<_> = names.iter().enumerate().map(|(position, name)| row(name, position)).collect();
    let hooks = HookSet::EMPTY.with(Hook::PostJobDelete).with(Hook::RunAction);
    let registration =
        |name| Registration { name, version: "1.0.0", type_name: "Counting", hooks, construct };
    let linked = names.iter().rev().map(|name| &*Box::leak(Box::new(registration(name))));
    (
        Box::leak(Box::new(ComponentPlan {
            component: "lifecycle",
            description: None,
            plugins: rows.leak(),
        })),
        linked.collect(),
    )
}

fn row(name: &'static str, position: usize) -> PlannedPlugin {
    PlannedPlugin {
        name,
        version: "1.0.0",
        priority: 0,
        position,
        category: Some("core"),
        url: None,
        build_date: None,
        components: &[],
        digest: "0",
        resources: &[],
    }
}

fn started(count: usize) -> Registry {
    let (plan, linked) = planned(count);
    start(plan, &linked)
}

fn start(plan: &'static ComponentPlan, linked: &[&'static Registration]) -> Registry {
    let limit = TimeLimit { duration: Duration::from_secs(30), timer: Arc::new(Never) };
    Registry::start_with(plan, linked.iter().copied(), &BTreeMap::new(), limit).expect("as planned")
}

fn synchronous(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("synchronous hook, per plugin");
    let job = Job::new("adder", "0.0.1", JobStatus::Running, 0);
    for count in SIZES {
        group.throughput(Throughput::Elements(count as u64));
        let bare: Vec<Box<dyn Plugin>> =
            (0..count).map(|_| Box::new(Counting(1)) as Box<dyn Plugin>).collect();
        group.bench_function(BenchmarkId::new("bare", count), |bencher| {
            bencher.iter(|| {
                block_on(async {
                    let mut failures = 0;
                    for plugin in &bare {
                        failures +=
                            usize::from(plugin.post_job_delete(PostJobDelete::new(&job)).await.is_err());
                    }
                    black_box(failures)
                })
            });
        });
        let registry = started(count);
        // As the components call it: from a thread that another one watches.
        group.bench_function(BenchmarkId::new("registry, watched", count), |bencher| {
            bencher.iter(|| {
                let mut failures = 0;
                let progress = Progress::default();
                block_on(registry.call_from(
                    Hook::PostJobDelete,
                    0,
                    &progress,
                    |plugin| plugin.post_job_delete(PostJobDelete::new(&job)),
                    |outcome| failures += usize::from(outcome.result.is_err()),
                ));
                black_box(failures)
            });
        });
        group.bench_function(BenchmarkId::new("registry", count), |bencher| {
            bencher.iter(|| {
                let mut failures = 0;
                block_on(registry.call_every(
                    Hook::PostJobDelete,
                    |plugin| plugin.post_job_delete(PostJobDelete::new(&job)),
                    |outcome| failures += usize::from(outcome.result.is_err()),
                ));
                black_box(failures)
            });
        });
    }
}

fn waiting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hook that waits once, per plugin");
    let parameters = Map::new();
    for count in SIZES {
        group.throughput(Throughput::Elements(count as u64));
        let bare: Vec<Box<dyn Plugin>> =
            (0..count).map(|_| Box::new(Counting(1)) as Box<dyn Plugin>).collect();
        group.bench_function(BenchmarkId::new("bare", count), |bencher| {
            bencher.iter(|| {
                poll_to_end(async {
                    let mut failures = 0;
                    for plugin in &bare {
                        failures +=
                            usize::from(plugin.run_action(RunAction::new(&parameters)).await.is_err());
                    }
                    black_box(failures)
                })
            });
        });
        let registry = started(count);
        group.bench_function(BenchmarkId::new("registry", count), |bencher| {
            bencher.iter(|| {
                let mut failures = 0;
                poll_to_end(registry.call_every(
                    Hook::RunAction,
                    |plugin| plugin.run_action(RunAction::new(&parameters)),
                    |outcome| failures += usize::from(outcome.result.is_err()),
                ));
                black_box(failures)
            });
        });
    }
}

/// Polls again and again: what a runtime does between two polls is not what is measured here.
fn poll_to_end<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn registry_start(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start of a registry");
    for count in [10, 100, 1000] {
        let (plan, linked) = planned(count);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| start(plan, &linked));
        });
    }
}

criterion_group!(benches, synchronous, waiting, registry_start);
criterion_main!(benches);
