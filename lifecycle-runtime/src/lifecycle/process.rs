//! Process around a run: its preparation, and the threads that work even while the async runtime is
//! blocked.

mod guard;

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::future::FutureExt;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::Lifecycle;
use super::prepare::{Prepared, prepare};
use super::report_receivers::{ReportReceivers, write_at_once};
use super::report_time::callbacks_until;
use crate::event::StartFailure;
use crate::hook::runtime::HookRuntime;
use crate::hook::stop::{StopCause, StopHandle};
use crate::hook::task::{block_on, thread};
use crate::observe::console::{Console, LAST_WORDS};
use crate::observe::live::Live;
use crate::observe::report::{ForcedExitCause, Report};
use crate::observe::report_files::ReportFiles;
use guard::Guard;

/// Largest number of threads for work of hooks that blocks: tokio's default.
const BLOCKING_THREADS: usize = 512;

pub(super) fn run(lifecycle: Lifecycle) -> ExitCode {
    let receivers = ReportReceivers::of(&lifecycle);
    // The guard comes first: until then signals have their default actions, and for the first
    // process of a container they have none.
    let mut guard = match Guard::begin(&lifecycle, &receivers) {
        Ok(guard) => guard,
        Err(error) => {
            refused(&error, &receivers, &receivers.stderr());
            return ExitCode::from(1);
        }
    };
    let code = outside_of_any_runtime(|| guarded(lifecycle, &mut guard, &receivers));
    let code =
        code.unwrap_or_else(|error| refused(&error, &receivers, &guard.console()).exit_code());
    guard.is_over(code);
    guard.notifier().flush(LAST_WORDS);
    guard.console().flush(LAST_WORDS);
    // On any other thread than that of `main` the process goes on, as in a test.
    if std::thread::current().name() == Some("main") {
        guard.keep_until_exit();
    }
    ExitCode::from(code)
}

/// Writes why a run can't begin, and returns the report of that, which it has passed on.
fn refused(error: &io::Error, receivers: &ReportReceivers, console: &Console) -> Report {
    let error = format!("the system refuses a thread, a descriptor or a signal handler: {error}");
    let console = console.or_stderr();
    console.complain(&error);
    let report = Report::not_begun(1, StartFailure::Unprepared { error });
    receivers.call(&report, &console);
    console.flush(LAST_WORDS);
    report
}

/// Calls a function on a thread outside of any async runtime: on a new one if an async `main` has
/// called `run`, as its thread can't wait for another runtime.
fn outside_of_any_runtime<T: Send>(run: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    if Handle::try_current().is_err() {
        return run();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("lifecycle-run".to_owned())
            .spawn_scoped(scope, run)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs the hooks and servers to the end, passes the report on, and returns the exit code.
///
/// # Errors
///
/// Fails if the system refuses a thread; then nothing has begun.
fn guarded(lifecycle: Lifecycle, guard: &mut Guard, receivers: &ReportReceivers) -> io::Result<u8> {
    let grace = lifecycle.config.grace_or_default();
    spare_descriptors()?;
    let hooks = Builder::new_multi_thread()
        .worker_threads(
            std::thread::available_parallelism().map_or(2, |number| number.get().max(2)),
        )
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("lifecycle")
        .enable_all()
        .build()?;
    let own = own_runtime()?;
    let on_hooks = HookRuntime::new(hooks.handle().clone());
    let Prepared { run, servers } =
        match block_on(&own, prepare(lifecycle, on_hooks, guard.inbox(), &guard.notifier())) {
            Ok(prepared) => prepared,
            Err(report) => {
                guard.notifier().ends(report.exit_code(), &report.status());
                let deadline = tokio::time::Instant::now() + grace;
                let console = receivers.stderr();
                block_on(&own, receivers.call_on_thread(&report, deadline, &console));
                return Ok(report.exit_code());
            }
        };
    guard.attach(&run);
    let watchdog = guard.watch()?;
    let grace = run.config.grace;
    watchdog.arm(Instant::now() + run.config.startup_timeout + grace);
    let console = run.console.clone();
    let progress = run.progress.subscribe();
    let armed = watchdog.clone();
    run.handle.on_first_ask(move || armed.arm(Instant::now() + grace));
    let monitor = run.monitor_stalls(Some(BLOCKING_THREADS))?;
    let ended = block_on(&own, run.execute(servers, Some(watchdog)));
    drop(monitor);
    let report = match ended {
        Ok(ended) => ended.end_with(&own, hooks),
        Err(report) => *report,
    };
    console.insist(&report);
    guard.notifier().ends(report.exit_code(), &report.status());
    let deadline = progress.borrow().deadline;
    let deadline = callbacks_until(deadline, grace, tokio::time::Instant::now());
    block_on(&own, receivers.call_on_thread(&report, deadline, &console));
    Ok(report.exit_code())
}

/// Checks that there are as many descriptors as an async runtime takes: tokio panics if it gets
/// none for signals.
///
/// # Errors
///
/// The system's error if there are not.
fn spare_descriptors() -> io::Result<()> {
    #[cfg(unix)]
    let _spare = {
        use std::os::unix::net::UnixStream;
        [UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?]
    };
    Ok(())
}

/// Makes the async runtime of a run. Hooks have another: whatever they do to their threads, the
/// timers of the run go off and the next hook begins.
fn own_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_time().build()
}

pub(super) async fn serve(lifecycle: Lifecycle) -> Report {
    let receivers = ReportReceivers::of(&lifecycle);
    let grace = lifecycle.config.grace_or_default();
    let mut guard = match Guard::begin(&lifecycle, &receivers) {
        Ok(guard) => guard,
        Err(error) => return refused(&error, &receivers, &receivers.stderr()),
    };
    let hooks = Handle::current();
    let on_hooks = HookRuntime::new(hooks.clone());
    let notifier = guard.notifier();
    let prepared = prepare(lifecycle, on_hooks, guard.inbox(), &notifier).await;
    let Prepared { run, servers } = match prepared {
        Ok(prepared) => prepared,
        Err(report) => {
            notifier.ends(report.exit_code(), &report.status());
            let deadline = tokio::time::Instant::now() + grace;
            report_to(&receivers, &report, &hooks, deadline, &receivers.stderr()).await;
            return *report;
        }
    };
    guard.attach(&run);
    let grace = run.config.grace;
    let console = run.console.clone();
    let stops = StopOnDrop(Some(run.handle.clone()));
    let is_over = Arc::<AtomicBool>::default();
    let guard = SharedGuard(Arc::new(Mutex::new(Some(guard))));
    let notice = CutShortNotice {
        console: console.clone(),
        live: run.live.clone(),
        files: Arc::clone(&receivers.files),
        is_over: Arc::clone(&is_over),
        guard: guard.clone(),
    };
    let progress = run.progress.subscribe();
    // On a single thread the time may be that of a test, which only the test moves on. No service
    // manager watches a test.
    let monitor = match hooks.runtime_flavor() {
        RuntimeFlavor::CurrentThread if notifier.watchdog().is_none() => None,
        _ => match run.monitor_stalls(None) {
            Ok(monitor) => Some(monitor),
            Err(error) => {
                return refused(&error, &receivers, &console);
            }
        },
    };
    let (on_hooks, receive) = (hooks.clone(), receivers.clone());
    let drive = async move {
        let report = run.drive(servers, None).await;
        drop(monitor);
        console.insist(&report);
        notifier.ends(report.exit_code(), &report.status());
        let deadline = progress.borrow().deadline;
        let deadline = callbacks_until(deadline, grace, tokio::time::Instant::now());
        report_to(&receive, &report, &on_hooks, deadline, &console).await;
        is_over.store(true, Ordering::SeqCst);
        console.flushed(LAST_WORDS).await;
        if notifier.is_some() {
            let flushed = tokio::task::spawn_blocking(move || notifier.flush(LAST_WORDS));
            let _ = flushed.await;
        }
        // The run listens for signals until here. From now on they are the caller's.
        guard.release();
        report
    };
    let report = match hooks.runtime_flavor() {
        // The hooks are on the same thread anyway, perhaps on time that a test moves on.
        RuntimeFlavor::CurrentThread => Ok(beside_hooks(drive, notice).await),
        _ => on_own_thread(drive, notice).await,
    };
    stops.disarm();
    match report {
        Ok(Some(report)) => report,
        Ok(None) => {
            let report = Report::not_begun(3, StartFailure::RuntimeGone);
            receivers.call(&report, &receivers.stderr());
            report
        }
        Err(error) => refused(&error, &receivers, &receivers.stderr()),
    }
}

/// Passes the report on. If the runtime of the hooks has one thread, which may be on paused time,
/// that is done on the current thread.
async fn report_to(
    receivers: &ReportReceivers,
    report: &Report,
    hooks: &Handle,
    deadline: tokio::time::Instant,
    console: &Console,
) {
    if hooks.runtime_flavor() == RuntimeFlavor::CurrentThread {
        receivers.call(report, console);
    } else {
        receivers.call_on_thread(report, deadline, console).await;
    }
}

/// Drives a run to its end, as a task on the runtime of the hooks, even if nobody waits for it any
/// more. Returns `None` if the runtime goes away before.
async fn beside_hooks(
    drive: impl Future<Output = Report> + Send + 'static,
    notice: CutShortNotice,
) -> Option<Report> {
    let task = async move {
        let _notice = notice;
        drive.await
    };
    match tokio::spawn(task.boxed()).await.map_err(JoinError::try_into_panic) {
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        report => report.ok(),
    }
}

/// Drives a run to its end on a thread of its own, with timers of its own. Returns `Ok(None)` if
/// the runtime of the hooks goes away before.
///
/// # Errors
///
/// Fails if the system refuses the thread.
async fn on_own_thread(
    drive: impl Future<Output = Report> + Send + 'static,
    notice: CutShortNotice,
) -> io::Result<Option<Report>> {
    let (report_sender, report) = oneshot::channel();
    let (runtime_alive, runtime_gone) = oneshot::channel::<Infallible>();
    let (run_alive, run_over) = oneshot::channel::<Infallible>();
    let started = thread("lifecycle-run", move || {
        let drive = async {
            tokio::select! {
                biased;
                _ = runtime_gone => None,
                report = drive => Some(report),
            }
        };
        let ended =
            own_runtime().map(|own| catch_unwind(AssertUnwindSafe(|| block_on(&own, drive))));
        drop(run_alive);
        let _ = report_sender.send(ended);
    });
    if let Err(error) = started {
        notice.disarm();
        return Err(error);
    }
    // This task goes away with the runtime.
    tokio::spawn(async move {
        let _guards = (runtime_alive, notice);
        let _ = run_over.await;
    });
    match report.await {
        Ok(Ok(Ok(report))) => Ok(report),
        Ok(Ok(Err(panic))) => std::panic::resume_unwind(panic),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Guard that asks for the stop of a run when nobody awaits the run any more.
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

/// Guard that writes that a run was cut short if it is dropped before the run is over, as nothing
/// else would.
struct CutShortNotice {
    console: Console,
    live: Live,
    files: Arc<ReportFiles>,
    is_over: Arc<AtomicBool>,
    guard: SharedGuard,
}

/// Guard of a run, which is released when the run ends or when its runtime goes away, whichever is
/// first. From then on signals are the caller's. Clones share the guard.
#[derive(Clone)]
struct SharedGuard(Arc<Mutex<Option<Guard>>>);

impl SharedGuard {
    fn release(&self) {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(guard);
    }
}

impl CutShortNotice {
    fn disarm(self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

impl Drop for CutShortNotice {
    fn drop(&mut self) {
        if !self.is_over.load(Ordering::SeqCst) && !std::thread::panicking() {
            let live = self.live.clone();
            let report = move || live.report_so_far(3, ForcedExitCause::RuntimeGone);
            let written = write_at_once(&self.files, self.console.clone(), report);
            self.console.complain(
                "the async runtime went away, and the run with it: what had started was not torn \
                 down; await `serve` \
                 before the runtime is dropped",
            );
            self.console.flush(LAST_WORDS);
            written();
        }
        self.guard.release();
    }
}
