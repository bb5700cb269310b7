//! Benchmark of a test under many schedules: 1,000 of a plan of 30 hooks, each with a run of its
//! own.

use divan::Bencher;
use divan::counter::ItemsCount;
use lifecycle_runtime::__private::{Dependencies, DependencySource, Parts, Task, returned};
use lifecycle_runtime::Lifecycle;
use lifecycle_runtime::hook::{Dependency, HookId, HookMeta, Kind, Scope};
use lifecycle_runtime::testing::{Explore, Signal, TestApp};

const SCHEDULES: usize = 1_000;

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 20)]
fn hooks_that_do_nothing(bencher: Bencher<'_, '_>) {
    bench(bencher, no_op, |explore| explore);
}

#[divan::bench(sample_count = 20)]
fn hooks_that_await(bencher: Bencher<'_, '_>) {
    bench(bencher, two_turns, |explore| explore);
}

#[divan::bench(sample_count = 20)]
fn signals_and_faults(bencher: Bencher<'_, '_>) {
    bench(bencher, no_op, |explore| explore.signals([Signal::SIGTERM]).faults());
}

fn bench(bencher: Bencher<'_, '_>, run: fn(Scope) -> Task, with: fn(Explore<'_>) -> Explore<'_>) {
    let hooks = thirty(run);
    bencher.counter(ItemsCount::new(SCHEDULES)).bench_local(|| {
        let explore = Explore::new()
            .setup(|| TestApp::of(Lifecycle::of(hooks.iter().copied())))
            .schedules(SCHEDULES);
        let explored = with(explore).run(async |_| {});
        assert_eq!(explored.schedules, SCHEDULES);
    });
}

fn no_op(_: Scope) -> Task {
    Task::future(async { returned::<Parts<()>>(()) })
}

fn two_turns(_: Scope) -> Task {
    Task::future(async {
        tokio::task::yield_now().await;
        returned::<Parts<()>>(())
    })
}

/// Returns startup hooks that each need one of those before it, and a teardown of each.
fn thirty(run: fn(Scope) -> Task) -> Vec<&'static HookMeta> {
    let mut started: Vec<&'static HookMeta> = Vec::new();
    for number in 0..15 {
        let after = started
            .get(number / 3)
            .copied()
            .into_iter()
            .filter(|_| number > 0)
            .map(Dependency::Hook)
            .collect::<Vec<_>>()
            .leak();
        started.push(hook(
            Kind::Startup,
            number,
            run,
            Dependencies { after, ..Dependencies::NONE },
        ));
    }
    let teardown = |number| {
        let of = Some(Dependency::Hook(started[number]));
        hook(Kind::Shutdown, 15 + number, run, Dependencies { of, ..Dependencies::NONE })
    };
    let teardowns: Vec<_> = (0..15).map(teardown).collect();
    started.into_iter().chain(teardowns).collect()
}

fn hook(
    kind: Kind,
    number: usize,
    run: fn(Scope) -> Task,
    dependencies: Dependencies,
) -> &'static HookMeta {
    let name = format!("hook{number}").leak();
    let mut hook = HookMeta::new(HookId::number(number as u64), kind, name, "bench", run);
    hook.is_teardown = dependencies.of.is_some();
    hook.dependencies = DependencySource::Data(dependencies);
    Box::leak(Box::new(hook))
}
