//! Benchmarks of the framework itself: start and stop of many hooks that do nothing, beside the
//! same number of tasks on tokio's `JoinSet` and of subsystems on `tokio-graceful-shutdown`, in one
//! run.
//!
//! `hooks` is the whole of `Lifecycle::serve`: planning, start, stop, report. Half of the hooks run
//! at the start, the others are their teardowns. The columns count hooks per second: the same at
//! 100 and at 100,000 is a linear cost.

use std::sync::Mutex;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use lifecycle_runtime::__private::{Dependencies, DependencySource, Parts, Task, returned};
use lifecycle_runtime::event::{Event, Observer, State};
use lifecycle_runtime::hook::{Dependency, HookId, HookMeta, Kind};
use lifecycle_runtime::plan::Plan;
use lifecycle_runtime::{Lifecycle, StopHandle};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

const COUNTS: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs a future on a task of its own, as `Lifecycle::run` does: the main thread is no worker.
fn on_worker<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    runtime.block_on(async { tokio::spawn(work).await.expect("no panic") })
}

#[divan::bench(args = COUNTS)]
fn a_join_set_flat(bencher: Bencher<'_, '_>, count: usize) {
    let runtime = runtime();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        on_worker(&runtime, async move {
            let mut tasks = JoinSet::new();
            for number in 0..count {
                tasks.spawn(async move { black_box(number) });
            }
            while let Some(done) = tasks.join_next().await {
                black_box(done).expect("no panic");
            }
        });
    });
}

#[divan::bench(args = COUNTS)]
fn b_hooks_flat(bencher: Bencher<'_, '_>, count: usize) {
    bench_hooks(bencher, count, |_| Vec::new());
}

#[divan::bench(args = COUNTS)]
fn c_hooks_chain(bencher: Bencher<'_, '_>, count: usize) {
    bench_hooks(bencher, count, |number| number.checked_sub(1).into_iter().collect());
}

#[divan::bench(args = COUNTS)]
fn d_hooks_random_dag(bencher: Bencher<'_, '_>, count: usize) {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    bench_hooks(bencher, count, |number| {
        let mut below = |limit: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap_or_default() % limit
        };
        if number == 0 { Vec::new() } else { (0..below(4)).map(|_| below(number)).collect() }
    });
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn e_tokio_graceful_shutdown_flat(bencher: Bencher<'_, '_>, count: usize) {
    let runtime = runtime();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        on_worker(&runtime, async move {
            let top = Toplevel::new(async move |subsystems: &mut SubsystemHandle| {
                for number in 0..count {
                    let wait = async |subsystem: &mut SubsystemHandle| {
                        subsystem.on_shutdown_requested().await;
                        Ok::<_, std::io::Error>(())
                    };
                    subsystems.start(SubsystemBuilder::new(number.to_string(), wait));
                }
                subsystems.request_shutdown();
            });
            top.handle_shutdown_requests(Duration::from_secs(60)).await.expect("a clean stop");
        });
    });
}

/// Measures the part of `hooks_flat` that happens before anything runs.
#[divan::bench(args = COUNTS)]
fn g_plan_flat(bencher: Bencher<'_, '_>, count: usize) {
    let hooks = with_teardowns(startup_hooks((0..count / 2).map(|_| Vec::new()), no_op));
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| Plan::new(hooks.iter().copied()).expect("valid"));
}

/// Measures four hooks of 10 ms, two of which run at the same time: 30 ms, and the framework's
/// overhead.
#[divan::bench]
fn f_diamond_of_10_ms(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let needs = [vec![], vec![0], vec![0], vec![1, 2]];
    let hooks = startup_hooks(needs, |_| {
        // tokio's sleep would round up to the next millisecond.
        Task::blocking(|| {
            std::thread::sleep(Duration::from_millis(10));
            returned::<Parts<()>>(())
        })
    });
    bencher.bench_local(|| serve(&runtime, hooks.clone()));
}

fn bench_hooks(bencher: Bencher<'_, '_>, count: usize, needs: impl FnMut(usize) -> Vec<usize>) {
    let runtime = runtime();
    let hooks = with_teardowns(startup_hooks((0..count / 2).map(needs), no_op));
    bencher.counter(ItemsCount::new(count)).bench_local(|| serve(&runtime, hooks.clone()));
}

/// Runs a lifecycle that stops as soon as it is ready.
fn serve(runtime: &Runtime, hooks: Vec<&'static HookMeta>) {
    let lifecycle = Lifecycle::of(hooks).signals(false).console(false);
    let stop_when_ready = StopWhenReady(lifecycle.stop_handle());
    let report = on_worker(runtime, lifecycle.observer(stop_when_ready).serve());
    assert_eq!(black_box(report).exit_code(), 0);
}

struct StopWhenReady(StopHandle);

impl Observer for StopWhenReady {
    fn on_event(&self, _: Duration, event: &Event) {
        if let Event::State(State::Ready) = event {
            self.0.stop();
        }
    }
}

fn no_op(_: lifecycle_runtime::hook::Scope) -> Task {
    Task::future(async { returned::<Parts<()>>(()) })
}

/// Returns startup hooks that each need these earlier ones, by number.
fn startup_hooks(
    needs: impl IntoIterator<Item = Vec<usize>>,
    run: fn(lifecycle_runtime::hook::Scope) -> Task,
) -> Vec<&'static HookMeta> {
    let mut hooks: Vec<&'static HookMeta> = Vec::new();
    for needs in needs {
        let mut hook = hook(Kind::Startup, run);
        let after = needs
            .into_iter()
            .map(|number| Dependency::Hook(hooks[number]))
            .collect::<Vec<_>>()
            .leak();
        hook.dependencies = DependencySource::Data(Dependencies { after, ..Dependencies::NONE });
        hooks.push(Box::leak(Box::new(hook)));
    }
    hooks
}

/// Returns these hooks and a teardown of each.
fn with_teardowns(started: Vec<&'static HookMeta>) -> Vec<&'static HookMeta> {
    let teardown = |resource: &&'static HookMeta| {
        let mut hook = hook(Kind::Shutdown, no_op);
        hook.is_teardown = true;
        hook.dependencies = DependencySource::Data(Dependencies {
            of: Some(Dependency::Hook(resource)),
            ..Dependencies::NONE
        });
        &*Box::leak(Box::new(hook))
    };
    let teardowns: Vec<_> = started.iter().map(teardown).collect();
    started.into_iter().chain(teardowns).collect()
}

/// Makes a hook with a name and an identity of its own.
fn hook(kind: Kind, run: fn(lifecycle_runtime::hook::Scope) -> Task) -> HookMeta {
    static NUMBER: Mutex<u64> = Mutex::new(0);
    let mut number = NUMBER.lock().expect("no panic");
    *number += 1;
    HookMeta::new(HookId::number(*number), kind, format!("hook{number}").leak(), "bench", run)
}
