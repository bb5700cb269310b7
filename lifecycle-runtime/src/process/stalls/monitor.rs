//! Thread that looks at the parts of a run again and again.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{SHORTEST_PAUSE, StallTracker};
use crate::event::Events;
use crate::hook::state::State;
use crate::hook::task::thread;

/// Thread that watches the parts of a run, until it is dropped.
pub(crate) struct StallMonitor {
    shared: Arc<MonitorInner>,
}

/// Signs of life that the monitor gives.
pub(crate) struct Heartbeat {
    /// Longest time between two of them.
    pub(crate) every: Duration,
    /// Function that gives one, if the process counts as alive.
    pub(crate) beat: Box<dyn FnMut() + Send>,
}

#[derive(Default)]
struct MonitorInner {
    is_over: Mutex<bool>,
    changed: Condvar,
}

impl StallMonitor {
    /// Starts the thread, which emits events about stalls, and gives signs of life if any are
    /// wanted. `state` returns the state of the run.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses the thread.
    pub(crate) fn start(
        stalls: StallTracker,
        events: Events,
        state: impl Fn() -> State + Send + 'static,
        heartbeat: Option<Heartbeat>,
    ) -> io::Result<Self> {
        let shared = Arc::<MonitorInner>::default();
        let monitor = Arc::clone(&shared);
        thread("lifecycle-stalls", move || {
            monitor.run(&stalls, &events, state, heartbeat);
        })?;
        Ok(Self { shared })
    }
}

impl Drop for StallMonitor {
    fn drop(&mut self) {
        *self.shared.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.changed.notify_one();
    }
}

impl MonitorInner {
    /// Looks at all parts again and again, until the monitor is dropped.
    fn run(
        &self,
        stalls: &StallTracker,
        events: &Events,
        state: impl Fn() -> State,
        mut heartbeat: Option<Heartbeat>,
    ) {
        let mut pause = stalls.pause();
        if let Some(heartbeat) = &heartbeat {
            pause = pause.min(heartbeat.every).max(SHORTEST_PAUSE);
        }
        let mut last = Instant::now();
        let mut last_beat = None;
        while self.waits(pause) {
            let now = Instant::now();
            for event in stalls.look(counted(now.duration_since(last), pause), state()) {
                events.emit(&event);
            }
            last = now;
            if let Some(heartbeat) = &mut heartbeat
                && is_due(last_beat.map(|beat| now.duration_since(beat)), pause, heartbeat.every)
            {
                (heartbeat.beat)();
                last_beat = Some(now);
            }
        }
    }

    /// Waits for a pause. Returns `false` if the monitor is dropped.
    fn waits(&self, pause: Duration) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(is_over, pause, |is_over| !*is_over);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Returns the part of the time since the last look that counts. A look that comes late shows that
/// the monitor has not run either: the process was suspended.
pub(super) fn counted(elapsed: Duration, pause: Duration) -> Duration {
    elapsed.min(2 * pause)
}

/// Returns whether a sign of life has to be given now, this long after the last one: after another
/// pause it would be late.
pub(super) fn is_due(since_last: Option<Duration>, pause: Duration, every: Duration) -> bool {
    since_last.is_none_or(|since_last| since_last + pause > every)
}
