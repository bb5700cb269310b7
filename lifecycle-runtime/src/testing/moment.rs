//! Moments of a run, at which a test goes on or sends a signal, and the signals.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::{Event, Outcome, ServiceState};
use crate::hook::state::State;
use crate::hook::{Hook, HookMeta};

/// Moment of a run. [`TestApp::until`](super::TestApp::until) waits for it, and
/// [`TestAppBuilder::signal_at`](super::TestAppBuilder::signal_at) sends a signal at it.
///
/// ```
/// use lifecycle_runtime::testing::Moment;
/// use lifecycle_runtime::event::State;
/// use lifecycle_runtime::on_startup;
///
/// #[on_startup]
/// async fn db() {}
///
/// assert_eq!(Moment::begins::<db>().to_string(), "`db` begins");
/// assert_eq!(Moment::state(State::Draining).to_string(), "the run is draining");
/// ```
#[derive(Debug, Clone)]
pub struct Moment {
    what: MomentKind,
    number: usize,
}

#[derive(Debug, Clone, Copy)]
enum MomentKind {
    Begins(&'static HookMeta),
    Ends(&'static HookMeta),
    Ready(&'static HookMeta),
    State(State),
}

impl Moment {
    /// Returns the moment at which the hook begins.
    #[must_use]
    pub fn begins<H: Hook>() -> Self {
        Self::begin_of(H::META)
    }

    /// Returns the moment at which the hook that a value names begins: for tests that go through
    /// many hooks.
    #[must_use]
    pub fn begin_of(hook: &'static HookMeta) -> Self {
        Self::of(MomentKind::Begins(hook))
    }

    /// Returns the moment at which the hook has ended with any outcome. A startup hook has then
    /// started or failed.
    #[must_use]
    pub fn ends<H: Hook>() -> Self {
        Self::end_of(H::META)
    }

    /// Returns the moment at which the hook that a value names has ended: for tests that go through
    /// many hooks.
    #[must_use]
    pub fn end_of(hook: &'static HookMeta) -> Self {
        Self::of(MomentKind::Ends(hook))
    }

    /// Returns the moment at which the service is ready.
    #[must_use]
    pub fn ready<H: Hook>() -> Self {
        Self::of(MomentKind::Ready(H::META))
    }

    /// Returns the moment at which the run enters this state.
    #[must_use]
    pub fn state(state: State) -> Self {
        Self::of(MomentKind::State(state))
    }

    /// Selects the `n`th time that this happens, counted from 1, in place of the first.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.number = n.max(1);
        self
    }

    fn of(what: MomentKind) -> Self {
        Self { what, number: 1 }
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Returns the hook to which the moment belongs.
    pub(super) fn hook(&self) -> Option<&'static HookMeta> {
        match self.what {
            MomentKind::Begins(hook) | MomentKind::Ends(hook) | MomentKind::Ready(hook) => {
                Some(hook)
            }
            MomentKind::State(_) => None,
        }
    }

    /// Returns whether an event brings this moment.
    pub(super) fn is(&self, event: &Event) -> bool {
        match self.what {
            MomentKind::Begins(hook) => begins(event) == Some(hook),
            MomentKind::Ends(hook) => ends(event).is_some_and(|(ended, _)| ended == hook),
            MomentKind::Ready(ready) => {
                matches!(
                    event,
                    Event::Service { hook, state: ServiceState::Running } if *hook == ready
                )
            }
            MomentKind::State(state) => matches!(event, Event::State(entered) if *entered == state),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            MomentKind::Begins(hook) => write!(f, "`{}` begins", hook.name())?,
            MomentKind::Ends(hook) => write!(f, "`{}` ends", hook.name())?,
            MomentKind::Ready(hook) => write!(f, "`{}` is ready", hook.name())?,
            MomentKind::State(state) => write!(f, "the run is {state}")?,
        }
        if self.number > 1 {
            write!(f, " for the {}{} time", self.number, ordinal_suffix(self.number))?;
        }
        Ok(())
    }
}

/// Returns the letters behind a number that make it an ordinal: 2nd, 3rd, 11th.
fn ordinal_suffix(number: usize) -> &'static str {
    match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    }
}

/// Signal that a test sends to an app inside of it, and not to the process, or to a [process of its
/// own](super::process).
///
/// ```
/// use lifecycle_runtime::testing::Signal;
///
/// assert_eq!(Signal::SIGTERM.to_string(), "SIGTERM");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(&'static str);

impl Signal {
    /// Signal that begins the stop; a second one hurries it.
    pub const SIGTERM: Self = Self("SIGTERM");
    /// Signal of Ctrl-C, with the effect of [`SIGTERM`](Self::SIGTERM).
    pub const SIGINT: Self = Self("SIGINT");
    /// Signal with the effect of [`SIGTERM`](Self::SIGTERM).
    pub const SIGQUIT: Self = Self("SIGQUIT");
    /// Signal that kills a process. An app can't hear it.
    pub const SIGKILL: Self = Self("SIGKILL");
    /// Signal that stops the process, unless a hook is for it.
    pub const SIGHUP: Self = Self("SIGHUP");
    /// Signal that runs the hooks that are for it.
    pub const SIGUSR1: Self = Self("SIGUSR1");
    /// Signal that runs the hooks that are for it.
    pub const SIGUSR2: Self = Self("SIGUSR2");
    /// Signal that runs the hooks that are for it.
    pub const SIGWINCH: Self = Self("SIGWINCH");

    /// Returns the signal of this name, as [`on_signal`](crate::on_signal) has it: for hooks.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    pub(super) fn name(self) -> &'static str {
        self.0
    }

    /// Returns whether the signal asks the process to stop, if no hook is for it.
    pub(super) fn stops(self) -> bool {
        [Self::SIGTERM, Self::SIGINT, Self::SIGQUIT, Self::SIGHUP].contains(&self)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Signal that is to be sent at a moment.
pub(super) struct TimedSignal {
    pub(super) moment: Moment,
    pub(super) signal: Signal,
    pub(super) place: &'static Location<'static>,
    /// Number of times that the moment's event has happened.
    pub(super) count: AtomicUsize,
}

impl TimedSignal {
    /// Counts the event if it fits the moment, and returns whether the signal is due.
    pub(super) fn is_due(&self, event: &Event) -> bool {
        self.moment.is(event)
            && self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.moment.number()
    }

    /// Returns the mistake of the test if the signal was never sent.
    pub(super) fn unused(&self) -> Option<String> {
        let was_sent = self.count.load(Ordering::Relaxed) >= self.moment.number();
        let Self { moment, signal, place, .. } = self;
        (!was_sent)
            .then(|| format!("{place}: {signal} was never sent: it never came to \"{moment}\""))
    }
}

pub(super) fn begins(event: &Event) -> Option<&'static HookMeta> {
    match event {
        Event::HookStarted { hook } => Some(hook),
        _ => None,
    }
}

pub(super) fn ends(event: &Event) -> Option<(&'static HookMeta, &Outcome)> {
    match event {
        Event::HookEnded { hook, outcome, .. } => Some((hook, outcome)),
        _ => None,
    }
}
