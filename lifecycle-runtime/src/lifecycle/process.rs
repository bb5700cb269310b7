//! A run as a process: its configuration before it, and around it what outlasts a blocked async runtime.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::Lifecycle;
use super::prepare::{Prepared, prepare};
use super::reaction::{Reaction, Reactions};
use super::run::Run;
use crate::console::Console;
use crate::event::readable;
use crate::live::Live;
use crate::report::Report;
use crate::signals::{Signals, exit_now};
use crate::task::thread;
use crate::watchdog::Watchdog;

/// How long the last words may take to be written.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(super) fn run(lifecycle: Lifecycle) -> ExitCode {
    let prepared = match prepare(lifecycle) {
        Ok(prepared) => prepared,
        Err(report) => return ExitCode::from(report.exit_code()),
    };
    let console = prepared.run.console.clone();
    let code = outside_of_any_runtime(|| guarded(prepared)).unwrap_or_else(|error| {
        console.complain(&format!("the system refuses a thread or a signal handler: {error}"));
        1
    });
    console.flush(LAST_WORDS);
    ExitCode::from(code)
}

/// An async `main` may call `run`, too: its thread is one that can't wait for another runtime.
fn outside_of_any_runtime<T: Send>(run: impl FnOnce() -> std::io::Result<T> + Send) -> std::io::Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return run();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("lifecycle-run".to_owned()).spawn_scoped(scope, run)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn guarded(prepared: Prepared) -> std::io::Result<u8> {
    let Prepared { run, servers, hears_signals } = prepared;
    let (grace, startup_timeout) = (run.config.grace, run.config.startup_timeout);
    let watchdog = Watchdog::start(bite(run.console.clone(), run.live.clone(), grace))?;
    let leash = watchdog.leash();
    leash.arm(Instant::now() + startup_timeout + grace);
    let armed = leash.clone();
    run.handle.on_first_ask(move || armed.arm(Instant::now() + grace));
    let _signals = hears_signals.then(|| hear(&run)).transpose()?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |number| number.get().max(2)))
        .thread_name("lifecycle")
        .enable_all()
        .build()?;
    let report = runtime.block_on(spawned(run.drive(servers, Some(leash))));
    // Work on the blocking pool that never ends must not keep the process.
    runtime.shutdown_background();
    Ok(report.exit_code())
}

pub(super) async fn serve(lifecycle: Lifecycle) -> Report {
    let Prepared { run, servers, hears_signals } = match prepare(lifecycle) {
        Ok(prepared) => prepared,
        Err(report) => return *report,
    };
    let console = run.console.clone();
    let report = match hears_signals.then(|| hear(&run)).transpose() {
        Ok(_signals) => spawned(run.drive(servers, None)).await,
        Err(error) => Report::not_begun(1, format!("the system refuses a signal handler: {error}")),
    };
    // The blocking pool may have to start a thread for it.
    if !console.is_silent() {
        let _ = tokio::task::spawn_blocking(move || console.flush(LAST_WORDS)).await;
    }
    report
}

/// Runs as a task of its own: on the threads of the hooks, so that nothing else has to be woken to go on, and to its end,
/// whatever becomes of the one who waits for it.
async fn spawned(drive: impl Future<Output = Report> + Send + 'static) -> Report {
    let (reports, report) = oneshot::channel();
    // In a box, as tasks of other kinds are: each type of future in a task is compiled anew.
    let task = async move { drop(reports.send(drive.await)) }.boxed();
    match tokio::spawn(task).await.map_err(JoinError::try_into_panic) {
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        _ => report.await.unwrap_or_else(|_| Report::not_begun(3, "the async runtime went away".to_owned())),
    }
}

/// What shows what is going on, unless a hook is for it.
const SHOWS: &str = "SIGUSR1";

/// The first signal stops, the second hurries, the third ends the process at once. All on the thread that hears them.
fn hear(run: &Run) -> std::io::Result<Signals> {
    let (console, live) = (run.console.clone(), run.live.clone());
    // Who asks is answered, also by a run that says nothing of itself.
    let mut answers = (!console.is_silent()).then(|| console.clone());
    let mut others: Vec<_> = run.inbox.names().collect();
    if !others.contains(&SHOWS) {
        others.push(SHOWS);
    }
    let mut reactions = Reactions::new(run.handle.clone(), run.inbox.clone());
    Signals::listen(others, move |signal| match reactions.react(signal.name, signal.stops) {
        Reaction::Stop | Reaction::Hooks => {}
        Reaction::Nothing => answers.get_or_insert_with(Console::stderr).say(&live.picture()),
        Reaction::Exit => {
            let code = 128 + signal.number;
            console.complain(&format!("third signal ({}): exit at once, exit code {code}", signal.name));
            console.flush(LAST_WORDS);
            exit_now(code);
        }
    })
}

/// What the watchdog does: says what did not end, and ends the process.
fn bite(console: Console, live: Live, grace: Duration) -> impl FnOnce() + Send {
    move || {
        let code = if live.was_ready() { 3 } else { 1 };
        // What holds the run up may hold the last words up as well.
        let exits = thread("lifecycle-exit", move || {
            std::thread::sleep(LAST_WORDS);
            exit_now(code);
        });
        if exits.is_ok() {
            let running = match live.waits() {
                waits if waits.is_empty() => "the async runtime does not answer".to_owned(),
                waits => format!("still running: {}", waits.join(", ")),
            };
            console.complain(&format!(
                "the grace period of {} is over, exit at once: {running}, exit code {code}",
                readable(grace)
            ));
            console.flush(LAST_WORDS);
        }
        exit_now(code);
    }
}
