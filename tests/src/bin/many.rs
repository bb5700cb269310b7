//! Program with many hooks, which are made of data: `many COUNT [HOOK=wait]... [name=NAME]`
//!
//! There are COUNT startup hooks, each of which needs up to three others, and the teardowns of
//! every third. Each takes a few milliseconds. The hooks `first` and `last` do what the arguments
//! tell them to, and the last may have another name.

use std::process::ExitCode;
use std::time::Duration;

use lifecycle_runtime::__private::{Dependencies, DependencySource, Parts, Scope, Task, returned};
use lifecycle_runtime::Lifecycle;
use lifecycle_runtime::hook::{Dependency, HookId, HookMeta, Kind};
use lifecycle_tests::act::{act, end_with_stdin, told_to};
use tokio::time::sleep;

const NAMES: [&str; 8] = ["pool", "cache", "index", "feed", "queue", "mailer", "search", "audit"];

fn work(_: Scope) -> Task {
    Task::future(async {
        sleep(Duration::from_millis(fastrand::u64(1..10))).await;
        returned::<Parts<()>>(())
    })
}

fn first(_: Scope) -> Task {
    Task::future(async {
        act("first").await?;
        returned::<Parts<()>>(())
    })
}

fn last(_: Scope) -> Task {
    Task::future(async {
        act("last").await?;
        returned::<Parts<()>>(())
    })
}

/// Returns hooks in the order of their dependencies.
fn hooks(count: usize) -> Vec<&'static HookMeta> {
    // The same graph each time.
    let mut random = fastrand::Rng::with_seed(7);
    let mut hooks: Vec<&'static HookMeta> = Vec::new();
    for number in 0..count {
        let is_last = number + 1 == count;
        let run = match number {
            _ if is_last => last,
            0 => first,
            _ => work,
        };
        let name = match told_to("name") {
            name if is_last && !name.is_empty() => name,
            _ => format!("{}_{number}", NAMES[number % NAMES.len()]),
        };
        // Most hooks need one that is near, some need one of the first.
        let mut near = || number.saturating_sub(random.usize(1..40));
        let mut needs = if number == 0 { vec![] } else { vec![near()] };
        if number % 3 == 0 && number > 0 {
            needs.push(near());
        }
        if number % 5 == 0 && number > 5 {
            needs.push(random.usize(0..5));
        }
        let after: Vec<_> = needs.into_iter().map(|need| Dependency::Hook(hooks[need])).collect();
        let module = if number % 2 == 0 { "warehouse::stock" } else { "warehouse::orders" };
        let mut hook =
            HookMeta::new(HookId::number(number as u64), Kind::Startup, name.leak(), module, run);
        hook.dependencies =
            DependencySource::Data(Dependencies { after: after.leak(), ..Dependencies::NONE });
        hooks.push(Box::leak(Box::new(hook)));
    }
    hooks
}

/// Returns the teardown of a hook.
fn teardown(resource: &'static HookMeta, number: usize) -> &'static HookMeta {
    let (id, name) = (HookId::number(number as u64), format!("close_{}", resource.name()));
    let mut hook = HookMeta::new(id, Kind::Shutdown, name.leak(), resource.module(), work);
    hook.is_teardown = true;
    hook.dependencies = DependencySource::Data(Dependencies {
        of: Some(Dependency::Hook(resource)),
        ..Dependencies::NONE
    });
    Box::leak(Box::new(hook))
}

fn main() -> ExitCode {
    end_with_stdin();
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).expect("a number");
    let hooks = hooks(count);
    let resources = hooks.iter().step_by(3).enumerate();
    let teardowns: Vec<_> =
        resources.map(|(number, resource)| teardown(resource, count + number)).collect();
    Lifecycle::of(hooks.into_iter().chain(teardowns)).admin("127.0.0.1:0").run()
}
