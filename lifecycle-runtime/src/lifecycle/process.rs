//! A run as a process: its configuration before it, and around it what outlasts a blocked async runtime.

mod guard;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use futures_util::future::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::Lifecycle;
use super::prepare::{Prepared, prepare};
use crate::console::{Console, LAST_WORDS};
use crate::report::Report;
use crate::stop::{StopCause, StopHandle};
use crate::task::block_on;
use guard::Guard;

pub(super) fn run(lifecycle: Lifecycle) -> ExitCode {
    // First of all: until then the process has the default actions of signals, and the first one of
    // a container none.
    let mut guard = match Guard::begin(&lifecycle) {
        Ok(guard) => guard,
        Err(error) => {
            let console = Console::stderr();
            console.complain(&refused(&error));
            console.flush(LAST_WORDS);
            return ExitCode::from(1);
        }
    };
    let code = outside_of_any_runtime(|| guarded(lifecycle, &mut guard)).unwrap_or_else(|error| {
        guard.console().complain(&refused(&error));
        1
    });
    guard.is_over(code);
    guard.console().flush(LAST_WORDS);
    // Elsewhere than in `main` the process goes on: in a test, for one.
    if std::thread::current().name() == Some("main") {
        guard.keep_until_exit();
    }
    ExitCode::from(code)
}

fn refused(error: &io::Error) -> String {
    format!("the system refuses a thread or a signal handler: {error}")
}

/// An async `main` may call `run`, too: its thread is one that can't wait for another runtime.
fn outside_of_any_runtime<T: Send>(run: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return run();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("lifecycle-run".to_owned()).spawn_scoped(scope, run)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn guarded(lifecycle: Lifecycle, guard: &mut Guard) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |number| number.get().max(2)))
        .thread_name("lifecycle")
        .enable_all()
        .build()?;
    let Prepared { run, servers } = match block_on(&runtime, prepare(lifecycle)) {
        Ok(prepared) => prepared,
        Err(report) => return Ok(report.exit_code()),
    };
    guard.attach(&run)?;
    let leash = guard.watch()?;
    let grace = run.config.grace;
    leash.arm(Instant::now() + run.config.startup_timeout + grace);
    let armed = leash.clone();
    run.handle.on_first_ask(move || armed.arm(Instant::now() + grace));
    let report = match block_on(&runtime, spawned(run.play(servers, Some(leash)))) {
        Some(Ok(ended)) => ended.end_with(runtime),
        Some(Err(report)) => *report,
        None => gone(),
    };
    Ok(report.exit_code())
}

pub(super) async fn serve(lifecycle: Lifecycle) -> Report {
    let mut guard = match Guard::begin(&lifecycle) {
        Ok(guard) => guard,
        Err(error) => return Report::not_begun(1, refused(&error)),
    };
    let Prepared { run, servers } = match prepare(lifecycle).await {
        Ok(prepared) => prepared,
        Err(report) => return *report,
    };
    if let Err(error) = guard.attach(&run) {
        return Report::not_begun(1, refused(&error));
    }
    let console = run.console.clone();
    let stops = StopOnDrop(Some(run.handle.clone()));
    let report = spawned(async move {
        let mut notice = CutShortNotice(Some(console.clone()));
        let report = run.drive(servers, None).await;
        notice.0 = None;
        console.flushed(LAST_WORDS).await;
        // Until here signals are heard. What follows is the caller's.
        drop(guard);
        report
    });
    let report = report.await;
    stops.disarm();
    report.unwrap_or_else(gone)
}

/// The report of a run whose runtime went away before its end.
fn gone() -> Report {
    Report::not_begun(3, "the async runtime went away".to_owned())
}

/// Asks for the stop of a run that nobody awaits any more.
struct StopOnDrop(Option<StopHandle>);

impl StopOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.ask(StopCause::Dropped);
        }
    }
}

/// Says that a run was cut short, if it is dropped before its end: nothing else would.
struct CutShortNotice(Option<Console>);

impl Drop for CutShortNotice {
    fn drop(&mut self) {
        if let Some(console) = self.0.take().filter(|_| !std::thread::panicking()) {
            console.complain(
                "the async runtime went away, and the run with it: what had started was not torn down; await `serve` \
                 before the runtime is dropped",
            );
            console.flush(LAST_WORDS);
        }
    }
}

/// Runs as a task of its own: on the threads of the hooks, so that nothing else has to be woken to
/// go on, and to its end, whatever becomes of the one who waits for it. `None` if the runtime goes
/// away before.
async fn spawned<T: Send + 'static>(drive: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (ends, end) = oneshot::channel();
    // In a box, as tasks of other kinds are: each type of future in a task is compiled anew.
    let task = async move { drop(ends.send(drive.await)) }.boxed();
    match tokio::spawn(task).await.map_err(JoinError::try_into_panic) {
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        _ => end.await.ok(),
    }
}
