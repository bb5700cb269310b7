//! Clock of a test: paused time, which stands still while something real is waited for.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::selection::NamedHook;
use crate::hook::service::{Service, ServiceProgress};
use crate::hook::task::Task;
use crate::hook::{HookMeta, Kind};

/// Guard that makes paused time stand still until it is dropped.
///
/// tokio moves a paused clock on when nothing runs, but not while a thread of its blocking pool is
/// busy. So the guard has one wait there.
struct ClockHold(#[expect(dead_code, reason = "its end ends the thread's wait")] Sender<()>);

/// Time by the machine's clock after which a notice says why paused time stands still.
const PATIENCE: Duration = Duration::from_secs(10);

impl ClockHold {
    /// Stops paused time until the guard is dropped. If that takes long, the notice is written.
    fn begin(notice: Option<String>) -> Self {
        Self::with(move |is_over| {
            if let Some(notice) = notice
                && is_over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout)
            {
                // Written without `eprintln!`, whose output would appear only after the test has
                // ended.
                let _ = writeln!(std::io::stderr(), "{notice}");
            }
            let _ = is_over.recv();
        })
    }

    /// Stops paused time until the guard is dropped, but no longer than this by the machine's
    /// clock.
    fn at_most(time: Duration) -> Self {
        Self::with(move |is_over| {
            let _ = is_over.recv_timeout(time);
        })
    }

    /// Runs a wait on the blocking pool of the present async runtime.
    fn with(wait: impl FnOnce(&Receiver<()>) + Send + 'static) -> Self {
        let (over, is_over) = channel();
        tokio::task::spawn_blocking(move || wait(&is_over));
        Self(over)
    }
}

/// Guard that makes paused time stand still on this thread, for a hook that waits for something
/// real.
struct StandStill(
    #[expect(dead_code, reason = "time stands still as long as it is there")] ClockHold,
);

thread_local! {
    /// Number of hooks for which time stands still, on a runtime of this thread alone.
    static STANDING: Cell<isize> = const { Cell::new(0) };
}

/// Returns whether time stands still on this thread, for a hook that waits for something real.
pub(super) fn stands_still() -> bool {
    STANDING.get() > 0
}

impl StandStill {
    fn begin(notice: Option<String>) -> Self {
        STANDING.set(STANDING.get() + 1);
        Self(ClockHold::begin(notice))
    }
}

impl Drop for StandStill {
    fn drop(&mut self) {
        STANDING.set(STANDING.get() - 1);
    }
}

/// Runs a future while paused time stands still: for real files, databases and connections in a
/// test on paused time.
///
/// tokio moves a paused clock to the next timer as soon as nothing is left to do. A test that waits
/// for a database seems to have nothing to do, so the timeout of the query would pass at once.
/// Within `real_io` it doesn't. Even timers that the future itself waits for don't fire.
///
/// ```
/// use lifecycle_runtime::testing::real_io;
/// use std::time::Duration;
/// use tokio::time::timeout;
///
/// # async fn ask_the_database() -> u32 { tokio::task::spawn_blocking(|| 42).await.unwrap() }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let answer = timeout(Duration::from_secs(5), real_io(ask_the_database())).await;
/// assert_eq!(answer.unwrap(), 42);
/// # }
/// ```
pub async fn real_io<F: Future>(future: F) -> F::Output {
    let _still = StandStill::begin(None);
    future.await
}

/// Makes paused time stand still while this task runs, as the test wants it for the hook; but not
/// while `released` is set.
pub(super) fn in_real_time(task: Task, wanted: NamedHook, released: Arc<AtomicBool>) -> Task {
    let notice = notice(&wanted);
    match task {
        Task::Future(mut future) => {
            let mut still = None;
            Task::future(poll_fn(move |context| {
                if !released.load(Ordering::Relaxed) {
                    still.get_or_insert_with(|| StandStill::begin(notice.clone()));
                }
                let polled = future.as_mut().poll(context);
                if polled.is_ready() || released.load(Ordering::Relaxed) {
                    still = None;
                } else {
                    // It may have been released before this poll.
                    still.get_or_insert_with(|| StandStill::begin(notice.clone()));
                }
                polled
            }))
        }
        // The work of a service runs on tokio's pool and not on a thread of its own: time goes on
        // only when its end has been noticed.
        plain if wanted.hook.kind() == Kind::Service => Task::future(async {
            let _hold = ClockHold::begin(notice);
            plain.into_future().await
        }),
        // That of another hook runs there anyway, and can't be cancelled.
        plain => plain,
    }
}

/// Returns the notice for the case that time stands still for long; `None` for hooks that end by
/// themselves. A service may well run until a timer stops it.
fn notice(NamedHook { hook, place }: &NamedHook) -> Option<String> {
    let name = hook.name();
    (hook.kind() == Kind::Service && is_paused()).then(|| {
        format!(
            "{place}: for {} s time stands still because of `real_io::<{name}>()`, and no timer \
             goes off as long as that \
             service runs; if the test waits for one, replace the service by \
             `replace::<{name}>(())`, or let time pass by \
             `start_paused = false`",
            PATIENCE.as_secs()
        )
    })
}

/// Makes paused time stand still while something waits for a service that has a thread of its own:
/// until the service is ready, and from when it is told to stop until its end has been noticed.
/// Its timeouts count the machine's time then.
pub(super) async fn stand_by(hook: &'static HookMeta, service: Service, startup_timeout: Duration) {
    let stop = service.stop();
    let told = async {
        if hook.takes_service_handle() {
            let _hold = ClockHold::at_most(startup_timeout);
            tokio::select! {
                () = service.reached(ServiceProgress::Ready) => {}
                () = stop.requested() => {}
            }
        }
        stop.requested().await;
        let time = hook.timeout().into_iter().chain(stop.time_left()).min();
        let _hold = ClockHold::at_most(time.unwrap_or(Duration::MAX));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = service.reached(ServiceProgress::Ended) => {}
        () = told => {}
    }
}

/// Waits for this long by the machine's clock, without an effect on paused time.
pub(super) async fn passed(time: Duration) {
    let (ends, ended) = oneshot::channel();
    let (_waits, is_over) = channel::<()>();
    let waits = std::thread::Builder::new().spawn(move || {
        if is_over.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            let _ = ends.send(());
        }
    });
    if waits.is_err() || ended.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns whether time is paused here: it doesn't move while the machine's clock does.
pub(super) fn is_paused() -> bool {
    let (real, now) = (std::time::Instant::now(), Instant::now());
    while real.elapsed() < Duration::from_micros(10) {
        std::hint::spin_loop();
    }
    now.elapsed().is_zero()
}
