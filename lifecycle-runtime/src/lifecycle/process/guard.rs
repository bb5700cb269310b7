//! Guard around a run, which works even while the async runtime is blocked: signals and the
//! watchdog.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::super::Lifecycle;
use super::super::report_receivers::{ReportReceivers, write_at_once};
use super::super::run::Run;
use super::super::stop_signals::{Reaction, Reactions};
use crate::engine::recurring::Inbox;
use crate::event::StartFailure;
use crate::hook::stop::StopHandle;
use crate::hook::task::thread;
use crate::observe::console::{Console, LAST_WORDS};
use crate::observe::live::Live;
use crate::observe::report::{ForcedExit, ForcedExitCause, Report};
use crate::process::signals::{ReceivedSignal, Signals, exit_now};
use crate::process::systemd::Notifier;
use crate::process::watchdog::{Watchdog, WatchdogHandle};

/// Signal that prints a picture of the run, unless a hook is for it.
const SHOWS: &str = "SIGUSR1";

/// Signal that begins an upgrade in place, unless a hook is for it.
const UPGRADES: &str = "SIGUSR2";

/// Number of parts in which the time for the last words is slept.
const SLICES: u32 = 10;

/// Answer to that signal before there is a run.
const UNPREPARED: &str = "no hook has begun: settings, plan and addresses are being prepared";

/// Signals of keys that a terminal echoes, as `^C` and `^\`.
const ECHOED: [&str; 2] = ["SIGINT", "SIGQUIT"];

/// Guard that listens for the signals of a run and keeps its deadlines, until it is dropped.
pub(super) struct Guard {
    _signals: Option<Signals>,
    watchdog: Option<Watchdog>,
    facts: Arc<Facts>,
    inbox: Inbox,
    grace: Duration,
}

/// Facts about a run, of which some become known later.
struct Facts {
    run: OnceLock<(Console, Live)>,
    /// Exit code of a run that is over or was never to begin.
    refused: OnceLock<u8>,
    receivers: ReportReceivers,
    notifier: OnceLock<Notifier>,
}

/// Guard of a process whose run is over.
static FORMER: Mutex<Option<Guard>> = Mutex::new(None);

impl Guard {
    /// Starts to listen for signals, even those that have hooks, before anything that may take
    /// long. A run that follows another one takes over from it.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread or a signal handler.
    pub(super) fn begin(lifecycle: &Lifecycle, receivers: &ReportReceivers) -> io::Result<Self> {
        let facts = Arc::new(Facts {
            run: OnceLock::new(),
            refused: OnceLock::new(),
            receivers: receivers.clone(),
            notifier: OnceLock::new(),
        });
        let inbox = Inbox::of(lifecycle.hooks(&|_| true));
        let signals = if lifecycle.signals {
            Some(hear(lifecycle.handle.clone(), Arc::clone(&facts), &inbox)?)
        } else {
            None
        };
        // Not before there are handlers: a signal that this thread gets would take its default
        // action.
        let _ = facts.notifier.set(Notifier::from_environment()?);
        let before = FORMER.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(before);
        Ok(Self {
            _signals: signals,
            watchdog: None,
            facts,
            inbox,
            grace: lifecycle.config.grace_or_default(),
        })
    }

    /// Returns the inbox in which the signals that have hooks arrive.
    pub(super) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// Returns the handle through which the service manager is notified.
    pub(super) fn notifier(&self) -> Notifier {
        self.facts.notifier()
    }

    /// Attaches the run, which the guard asks for a picture from now on.
    pub(super) fn attach(&mut self, run: &Run) {
        self.grace = run.config.grace;
        let _ = self.facts.run.set((run.console.clone(), run.live.clone()));
    }

    /// Starts the watchdog, if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread.
    pub(super) fn watch(&mut self) -> io::Result<WatchdogHandle> {
        let watchdog = match self.watchdog.take() {
            Some(watchdog) => watchdog,
            None => Watchdog::start(exit_at_deadline(Arc::clone(&self.facts), self.grace))?,
        };
        Ok(self.watchdog.insert(watchdog).handle())
    }

    /// Returns the console of the run, or stderr before there is a run.
    pub(super) fn console(&self) -> Console {
        self.facts.console()
    }

    /// Notes that the run is over, or was never to begin: its exit code is final.
    pub(super) fn is_over(&self, code: u8) {
        let _ = self.facts.refused.set(code);
    }

    /// Keeps the guard until the process has gone or another run begins. No signal changes the exit
    /// code any more, and the deadline of the stop is that of the process.
    pub(super) fn keep_until_exit(mut self) {
        let end = Instant::now().checked_add(self.grace);
        // If there is no thread, nothing ends a process that hangs, as in any other program.
        if let (Ok(watchdog), Some(end)) = (self.watch(), end) {
            watchdog.arm(end);
        }
        *FORMER.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }
}

impl Facts {
    fn notifier(&self) -> Notifier {
        self.notifier.get().cloned().unwrap_or_default()
    }

    fn console(&self) -> Console {
        self.run.get().map_or_else(|| self.receivers.stderr(), |(console, _)| console.clone())
    }

    /// Returns the report of what has happened until now. `code` counts unless the run is over.
    fn report_so_far(&self, code: u8, cause: ForcedExitCause) -> Report {
        if let Some((_, live)) = self.run.get() {
            return live.report_so_far(code, cause);
        }
        let failure = StartFailure::Unprepared { error: UNPREPARED.to_owned() };
        let mut report = Report::not_begun(code, failure);
        report.forced = Some(ForcedExit { cause, waiting_for: Vec::new() });
        report
    }

    /// Notes that the process ends now. Returns the exit code of a run that is over or was never to
    /// begin: then that is the one of the process.
    fn end_by_force(&self) -> Option<u8> {
        let of_run = self.run.get().and_then(|(_, live)| live.end_by_force());
        of_run.or_else(|| self.refused.get().copied())
    }
}

/// Listens for signals: the first one stops the run, the second hurries it, the third ends the
/// process at once. All reactions run on the thread that receives the signals.
fn hear(handle: StopHandle, facts: Arc<Facts>, inbox: &Inbox) -> io::Result<Signals> {
    let mut reactions = Reactions::new(handle.clone(), inbox.clone());
    // Whoever asks for a picture gets an answer, even from a run whose console is off.
    let mut answers = None;
    let signals = Signals::listen(move |signal| {
        if let Some((console, _)) = facts.run.get()
            && ECHOED.contains(&signal.name)
        {
            console.begin_line();
        }
        match reactions.react(signal.name, signal.stops, Instant::now()) {
            Reaction::Stop | Reaction::Hooks | Reaction::Repeated => {}
            // The run says what comes of it.
            Reaction::Nothing if signal.name == UPGRADES => drop(handle.upgrade()),
            Reaction::Nothing => {
                let run = facts.run.get();
                let console = match run {
                    Some((console, _)) if !console.is_silent() => console,
                    _ => answers.get_or_insert_with(|| facts.receivers.stderr()),
                };
                console.say(&run.map_or_else(|| UNPREPARED.to_owned(), |(_, live)| live.picture()));
            }
            Reaction::Exit => exit_at_once(signal, &facts),
        }
    })?;
    let is_free = |name: &&str| !inbox.has(name);
    signals.add(inbox.names().chain([SHOWS, UPGRADES].into_iter().filter(is_free)))?;
    Ok(signals)
}

/// Ends the process because of a third signal. The exit code of a run that is over stays.
fn exit_at_once(signal: ReceivedSignal, facts: &Arc<Facts>) -> ! {
    let ReceivedSignal { name, number, .. } = signal;
    let (code, what) = match facts.end_by_force() {
        Some(code) => (code, "; the run was over before"),
        None => (u8::try_from(128 + number).unwrap_or(u8::MAX), ""),
    };
    let cause = ForcedExitCause::ThirdSignal(name);
    exit_with_last_line(facts, code, cause, || {
        facts.console().write_last_line(&format!("{cause}{what}, exit code {code}"), code);
    });
}

/// Returns the watchdog's action: it writes what has not ended, and ends the process.
fn exit_at_deadline(facts: Arc<Facts>, grace: Duration) -> impl FnOnce() + Send {
    move || {
        let live = facts.run.get().map(|(_, live)| live);
        let over = facts.end_by_force();
        let of_start = if live.is_none_or(Live::has_not_started) { 1 } else { 3 };
        let code = over.unwrap_or(of_start);
        let cause = ForcedExitCause::GracePeriod(grace);
        exit_with_last_line(&facts, code, cause, || {
            let running = match live.map(Live::waits).unwrap_or_default() {
                _ if over.is_some() => {
                    "the run has ended, but not the process; see callbacks of `on_report` and what \
                     follows `run`, as a `Drop` in `main` or an exit handler"
                        .to_owned()
                }
                waits if waits.is_empty() => {
                    "no hook is known to run; the drop of a value may, or the async runtime does \
                     not answer"
                        .to_owned()
                }
                waits => {
                    let waits: Vec<_> = waits.iter().map(ToString::to_string).collect();
                    format!("still running: {}", waits.join(", "))
                }
            };
            facts.console().write_last_line(&format!("{cause}: {running}, exit code {code}"), code);
        });
    }
}

/// Ends the process after `write_last_line` has written to the console and the report is in its
/// files. Neither is waited for when the time for the last words is over.
fn exit_with_last_line(
    facts: &Arc<Facts>,
    code: u8,
    cause: ForcedExitCause,
    write_last_line: impl FnOnce(),
) -> ! {
    let exit_code = i32::from(code);
    // Whatever holds the run up may hold the last words up as well.
    let exits = thread("lifecycle-exit", move || {
        // It sleeps in slices: a process that is suspended for a moment still gets to its last
        // words.
        for _ in 0..SLICES {
            std::thread::sleep(LAST_WORDS / SLICES);
        }
        exit_now(exit_code);
    });
    if exits.is_ok() {
        let seen = Arc::clone(facts);
        facts.notifier().ends(code, &cause.to_string());
        let report = move || seen.report_so_far(code, cause);
        let written = write_at_once(&facts.receivers.files, facts.console(), report);
        write_last_line();
        written();
        facts.notifier().flush(LAST_WORDS);
    } else if let ForcedExitCause::ThirdSignal(_) = cause {
        // This line asks nothing of a run that may hang.
        write_last_line();
    }
    exit_now(exit_code);
}
