//! Notifications of a run's states to the service manager, which shows their texts to everybody on
//! the machine: they name hooks, services and errors, and no requests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Event, Observer, Wait, listed};
use crate::hook::HookMeta;
use crate::hook::state::State;
use crate::process::systemd::Notifier;

#[cfg(all(test, target_os = "linux"))]
mod tests;

/// Longest time that is asked for at once. It is asked for again and again, so that a process that
/// hangs gets no more of it.
const EXTENSION: Duration = Duration::from_secs(10);

/// Time that is asked for beyond a limit of our own, for a machine that is busy.
const MARGIN: Duration = Duration::from_secs(1);

/// Signal whose hooks reload the program.
const RELOADS: &str = "SIGHUP";

/// Observer that notifies the service manager of a run's states.
pub(crate) struct Notifications {
    notifier: Notifier,
    startup_timeout: Duration,
    /// Number of the hooks that run at each SIGHUP.
    reload_hooks: usize,
    notified: Mutex<NotifiedRun>,
}

/// Facts of earlier events that later notifications need.
#[derive(Default)]
struct NotifiedRun {
    urls: Vec<String>,
    is_ready: bool,
    /// Text about the stop, once that has begun.
    stop: Option<String>,
    /// Moment at which the process is gone.
    end: Option<Instant>,
    /// Failure of the start.
    failure: Option<String>,
    /// Number of hooks that have ended of the reload that is under way.
    reloaded: Option<usize>,
    /// Failure of a hook of the last reload.
    reload_failure: Option<String>,
}

impl Notifications {
    /// Makes the observer of a run with these hooks and this limit of its start.
    pub(crate) fn new<'h>(
        notifier: Notifier,
        hooks: impl IntoIterator<Item = &'h HookMeta>,
        startup_timeout: Duration,
    ) -> Self {
        let reload_hooks = hooks.into_iter().filter(|hook| reloads(hook)).count();
        Self { notifier, startup_timeout, reload_hooks, notified: Mutex::default() }
    }

    fn notified(&self) -> MutexGuard<'_, NotifiedRun> {
        self.notified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a hook of SIGHUP has begun. The first one of a run that is ready begins a reload.
    fn reload_goes_on(&self, notified: &mut NotifiedRun) {
        if notified.is_ready && notified.reloaded.is_none() {
            (notified.reloaded, notified.reload_failure) = (Some(0), None);
            self.notifier.reloading();
        }
    }

    /// Notes that a hook of SIGHUP has ended. The last one ends the reload.
    fn reload_hook_ended(&self, notified: &mut NotifiedRun, failure: Option<String>) {
        // A hook that still runs from the last time ends without a begin.
        self.reload_goes_on(notified);
        let Some(ended) = &mut notified.reloaded else { return };
        *ended += 1;
        let is_last = *ended >= self.reload_hooks;
        if failure.is_some() {
            notified.reload_failure = failure;
        }
        if is_last {
            notified.reloaded = None;
            self.notifier.ready(&notified.ready());
        }
    }
}

impl Observer for Notifications {
    fn on_event(&self, _: Duration, event: &Event) {
        let mut notified = self.notified();
        match event {
            Event::State(State::Starting) => {
                self.notifier.status("starting");
                self.notifier.extend(extension(self.startup_timeout));
            }
            Event::State(State::Ready) => {
                notified.is_ready = true;
                self.notifier.ready(&notified.ready());
            }
            // What follows the last event has no events of its own.
            Event::State(State::Stopped) => {
                if let Some(end) = notified.end {
                    let left = end.saturating_duration_since(Instant::now());
                    self.notifier.extend(left + MARGIN);
                }
            }
            Event::Listening { url } => notified.urls.push(url.clone()),
            Event::StartFailed { failure } => notified.failure = Some(failure.line()),
            Event::StopBegun { cause, grace, .. } => {
                let stop = match notified.failure.take() {
                    Some(failure) => format!("{failure}; stopping"),
                    None => format!("stopping ({cause})"),
                };
                self.notifier.stopping(&stop, extension(*grace));
                notified.is_ready = false;
                notified.reloaded = None;
                notified.end = Instant::now().checked_add(*grace);
                notified.stop = Some(stop);
            }
            Event::Waiting { on } => {
                let on: Vec<_> = on.iter().map(public).collect();
                let doing = notified.stop.as_deref().unwrap_or("starting");
                self.notifier.status(&format!("{doing}: waiting for {}", listed(&on, ", ")));
            }
            Event::HookStarted { hook } if reloads(hook) => self.reload_goes_on(&mut notified),
            Event::HookEnded { hook, outcome, .. } if reloads(hook) => {
                let failure = outcome.is_failure().then(|| outcome.of(hook));
                self.reload_hook_ended(&mut notified, failure);
            }
            _ => {}
        }
    }
}

impl NotifiedRun {
    /// Returns the text about a run that is ready.
    fn ready(&self) -> String {
        let mut text = "ready".to_owned();
        if !self.urls.is_empty() {
            text += &format!(", listening on {}", listed(&self.urls, ", "));
        }
        if let Some(failure) = &self.reload_failure {
            text += &format!("; {failure}");
        }
        text
    }
}

/// Returns the time to ask for now, if this much is left of a limit of our own.
pub(crate) fn extension(left: Duration) -> Duration {
    EXTENSION.min(left.saturating_add(MARGIN))
}

fn reloads(hook: &HookMeta) -> bool {
    hook.signal() == Some(RELOADS)
}

/// Returns the text of a wait for everybody on the machine.
fn public(wait: &Wait) -> String {
    match wait {
        Wait::Requests { count: 1, .. } => "1 request".to_owned(),
        Wait::Requests { count, .. } => format!("{count} requests"),
        Wait::Tasks { count: 1, .. } => "1 task".to_owned(),
        Wait::Tasks { count, .. } => format!("{count} tasks"),
        wait => wait.to_string(),
    }
}
