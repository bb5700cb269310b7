//! Monitor of stalls: a plain thread that notices when an async runtime, or its blocking pool, no
//! longer goes on.
//!
//! It gives each of them an empty task from time to time. One that has not run the task for
//! [`StallLimits::after`] is stalled. Only time in which the monitor itself runs counts, so a
//! process that was suspended is not stalled when it goes on.

mod monitor;
mod ping;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::event::{Event, Probe, RuntimeName, StalledPart, Wait, readable};
use crate::hook::state::State;
pub(crate) use monitor::{Heartbeat, StallMonitor};
use ping::{Ping, PingState, pool_may_be_full};

/// Number of looks of the monitor in the shortest time that matters.
const LOOKS: u32 = 5;

/// Longest time between two looks. It bounds how late a stall is noticed if the limits are long.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Shortest time between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Times after which a part of the run that does not go on counts as stalled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StallLimits {
    /// Time after which it is reported.
    pub(crate) after: Duration,
    /// Time after which the process no longer counts as alive; `None` for never.
    pub(crate) timeout: Option<Duration>,
}

impl Default for StallLimits {
    fn default() -> Self {
        Self { after: Duration::from_secs(5), timeout: Some(Duration::from_secs(30)) }
    }
}

/// Tracker of the parts of a run that may stall, and of their stalls. Clones share its state.
#[derive(Clone)]
pub(crate) struct StallTracker {
    limits: StallLimits,
    parts: Arc<Mutex<Vec<WatchedPart>>>,
    /// Probes that failed at the last look.
    failing: Arc<Mutex<Vec<Probe>>>,
    /// Stalls of the parts that are watched no longer.
    gone: Arc<Mutex<Vec<StallTotal>>>,
}

/// Stalls of a part until now.
#[derive(Clone)]
pub(crate) struct StallTotal {
    pub(crate) part: StalledPart,
    pub(crate) count: u64,
    /// Time that the stalls have taken together.
    pub(crate) time: Duration,
    pub(crate) is_stalled: bool,
}

/// Runtime that the monitor watches, together with its blocking pool.
pub(crate) struct WatchedRuntime {
    pub(crate) name: RuntimeName,
    pub(crate) handle: Handle,
    /// Largest number of threads of its blocking pool, if that is known.
    pub(crate) pool_size: Option<usize>,
    /// Source of the code that holds its threads.
    pub(crate) holders: Arc<Holders>,
}

/// Function that returns the code which has held a part for this time.
pub(crate) type Holders = dyn Fn(&StalledPart, Duration) -> Vec<Wait> + Send + Sync;

struct WatchedPart {
    stalls: StallTotal,
    handle: Handle,
    pool_size: Option<usize>,
    holders: Arc<Holders>,
    ping: Option<Ping>,
    /// Time for which the ping has not been answered.
    silent_for: Duration,
}

/// Begin or end of a stall, which a look has found.
struct StallChange {
    part: StalledPart,
    silent_for: Duration,
    /// Source of the code to blame, if the stall has begun.
    holders: Option<Arc<Holders>>,
    /// Probes that fail by it from now on.
    probes: Vec<Probe>,
}

impl StallTracker {
    pub(crate) fn new(limits: StallLimits) -> Self {
        let (parts, failing, gone) = (Arc::default(), Arc::default(), Arc::default());
        Self { limits, parts, failing, gone }
    }

    /// Adds a runtime, which is watched until it is shut down.
    pub(crate) fn watch(&self, runtime: &WatchedRuntime) {
        let WatchedRuntime { name, handle, pool_size, holders } = runtime;
        let part = |part| WatchedPart {
            stalls: StallTotal { part, count: 0, time: Duration::ZERO, is_stalled: false },
            handle: handle.clone(),
            pool_size: *pool_size,
            holders: Arc::clone(holders),
            ping: None,
            silent_for: Duration::ZERO,
        };
        let mut parts = self.parts();
        parts.push(part(StalledPart::Runtime(name.clone())));
        parts.push(part(StalledPart::BlockingPool(name.clone())));
    }

    pub(crate) fn limits(&self) -> StallLimits {
        self.limits
    }

    /// Returns the parts that are stalled, each with the time for which it has been.
    pub(crate) fn now(&self) -> Vec<(StalledPart, Duration)> {
        let parts = self.parts();
        let stalled = parts.iter().filter(|part| part.stalls.is_stalled);
        stalled.map(|part| (part.stalls.part.clone(), part.silent_for)).collect()
    }

    /// Returns the stalls of each part, even of those that are watched no longer.
    pub(crate) fn totals(&self) -> Vec<StallTotal> {
        let parts = self.parts();
        let gone = self.gone();
        gone.iter().chain(parts.iter().map(|part| &part.stalls)).cloned().collect()
    }

    /// Returns the parts that are stalled, each with the time for which it has been and the code
    /// that holds it.
    pub(crate) fn with_holders(&self) -> Vec<(StalledPart, Duration, Vec<Wait>)> {
        let stalled = |part: &&WatchedPart| part.stalls.is_stalled;
        let copied = |part: &WatchedPart| {
            (part.stalls.part.clone(), part.silent_for, Arc::clone(&part.holders))
        };
        let stalls: Vec<_> = self.parts().iter().filter(stalled).map(copied).collect();
        // The lock is not held while the sources are asked, as they have locks of their own.
        let asked = |(part, time, holders): (StalledPart, Duration, Arc<Holders>)| {
            let holders = holders(&part, time);
            (part, time, holders)
        };
        stalls.into_iter().map(asked).collect()
    }

    /// Returns descriptions of the parts that are stalled.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |(part, time)| format!("{part} has been stalled for {}", readable(time));
        self.now().into_iter().map(text).collect()
    }

    /// Returns the reason for which no request can be answered: every worker of a server is
    /// stalled.
    pub(crate) fn readiness_failure(&self) -> Option<String> {
        self.unready_by().map(|(_, reason)| reason)
    }

    /// Returns the reason for which the process can only be restarted: the hooks' runtime or all
    /// workers have been stalled for longer than the timeout.
    pub(crate) fn liveness_failure(&self) -> Option<String> {
        self.dead_by().map(|(_, reason)| reason)
    }

    /// Returns the part by which the readiness fails, with the reason.
    fn unready_by(&self) -> Option<(StalledPart, String)> {
        self.server_stalled_for(self.limits.after, |a, b| a == b)
    }

    /// Returns the part by which the liveness fails, with the reason.
    fn dead_by(&self) -> Option<(StalledPart, String)> {
        let timeout = self.limits.timeout?;
        let hooks = StalledPart::Runtime(RuntimeName::Hooks);
        let stalled = self.parts().iter().find_map(|part| {
            (part.stalls.part == hooks && part.has_stalled_for(timeout)).then_some(part.silent_for)
        });
        let hooks = stalled.map(|time| {
            (hooks, format!("the hooks' runtime has been stalled for {}", readable(time)))
        });
        hooks.or_else(|| self.server_stalled_for(timeout, |_, _| true))
    }

    /// Returns the reason if all workers in a group have been stalled for at least `time`, with the
    /// last of them to stall. Workers whose servers have these URLs are in one group if
    /// `is_one_group` says so.
    fn server_stalled_for(
        &self,
        time: Duration,
        is_one_group: fn(&str, &str) -> bool,
    ) -> Option<(StalledPart, String)> {
        let parts = self.parts();
        let workers: Vec<_> = parts.iter().filter_map(WatchedPart::worker).collect();
        let stalled = workers.iter().find(|(url, _)| {
            let mut group = workers.iter().filter(|(other, _)| is_one_group(url, other));
            group.all(|(_, worker)| worker.has_stalled_for(time))
        });
        let (url, _) = stalled?;
        let group = workers.iter().filter(|(other, _)| is_one_group(url, other));
        let (_, last) = group.min_by_key(|(_, worker)| worker.silent_for)?;
        let time = readable(last.silent_for);
        let reason = format!("all workers of {url} have been stalled for {time}");
        Some((last.stalls.part.clone(), reason))
    }

    /// Looks at all parts of a run in this state, `elapsed` after the last look, and returns events
    /// about the changes.
    pub(crate) fn look(&self, elapsed: Duration, state: State) -> Vec<Event> {
        let StallLimits { after, timeout } = self.limits;
        let limit = timeout.map_or(after, |timeout| timeout.min(after));
        let mut changes = Vec::new();
        let mut ended = Vec::new();
        let mut parts = self.parts();
        for part in parts.iter_mut() {
            if !part.look(elapsed, limit, &mut changes) {
                ended.push(part.runtime().clone());
            }
        }
        if !ended.is_empty() {
            let gone = parts.extract_if(.., |part| ended.contains(part.runtime()));
            self.gone().extend(gone.map(|part| StallTotal { is_stalled: false, ..part.stalls }));
        }
        drop(parts);
        for (probe, part) in self.newly_failing(state) {
            let mut begun = changes.iter_mut().filter(|change| change.holders.is_some());
            match begun.find(|change| change.part == part) {
                Some(change) => change.probes.push(probe),
                None => changes.extend(self.repeated(&part, probe)),
            }
        }
        // The lock is not held while the sources are asked, as they have locks of their own.
        changes.into_iter().map(StallChange::event).collect()
    }

    /// Returns the probes that fail in this state because of stalls, and did not at the last look,
    /// each with the part by which it fails.
    fn newly_failing(&self, state: State) -> Vec<(Probe, StalledPart)> {
        let readiness = self.unready_by().filter(|_| state == State::Ready);
        let liveness = self.dead_by().filter(|_| state < State::Draining);
        let failures = [(Probe::Readiness, readiness), (Probe::Liveness, liveness)];
        let mut now: Vec<_> =
            failures.into_iter().filter_map(|(probe, failure)| Some((probe, failure?.0))).collect();
        let probes = now.iter().map(|(probe, _)| *probe).collect();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *failing, probes);
        now.retain(|(probe, _)| !before.contains(probe));
        now
    }

    /// Returns another begin of a stall that has been reported, as this probe fails by it now.
    fn repeated(&self, part: &StalledPart, probe: Probe) -> Option<StallChange> {
        let parts = self.parts();
        let stalled = parts.iter().find(|stalled| stalled.stalls.part == *part)?;
        Some(StallChange { probes: vec![probe], ..stalled.change() })
    }

    /// Returns the time between two looks.
    fn pause(&self) -> Duration {
        let StallLimits { after, timeout } = self.limits;
        let shortest = timeout.map_or(after, |timeout| timeout.min(after));
        (shortest / LOOKS).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    fn parts(&self) -> MutexGuard<'_, Vec<WatchedPart>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> MutexGuard<'_, Vec<StallTotal>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WatchedPart {
    /// Looks at the last ping, and sends another if it has been answered. Returns `false` if the
    /// part has been shut down.
    fn look(&mut self, elapsed: Duration, limit: Duration, changes: &mut Vec<StallChange>) -> bool {
        let answer = self.ping.as_ref().map_or(PingState::Given, Ping::answer);
        match answer {
            PingState::Pending => {
                self.silent_for += elapsed;
                if self.stalls.is_stalled {
                    self.stalls.time += elapsed;
                } else if self.silent_for >= limit {
                    self.stalls.begin(self.silent_for);
                    changes.push(self.change());
                }
                return true;
            }
            PingState::Given | PingState::Never => {
                if std::mem::take(&mut self.stalls.is_stalled) {
                    changes.push(self.change());
                }
                self.silent_for = Duration::ZERO;
            }
        }
        self.ping = self.sent();
        answer == PingState::Given
    }

    /// Sends a ping, unless the answer is known.
    fn sent(&self) -> Option<Ping> {
        match self.stalls.part {
            StalledPart::Runtime(_) => Some(Ping::of_runtime(&self.handle)),
            // Otherwise the ping alone would keep a thread of the pool alive.
            StalledPart::BlockingPool(_) if !pool_may_be_full(self.pool_size) => None,
            StalledPart::BlockingPool(_) => Some(Ping::of_blocking_pool(&self.handle)),
        }
    }

    fn change(&self) -> StallChange {
        StallChange {
            part: self.stalls.part.clone(),
            silent_for: self.silent_for,
            holders: self.stalls.is_stalled.then(|| Arc::clone(&self.holders)),
            probes: Vec::new(),
        }
    }

    fn has_stalled_for(&self, time: Duration) -> bool {
        self.silent_for >= time
    }

    fn runtime(&self) -> &RuntimeName {
        match &self.stalls.part {
            StalledPart::Runtime(name) | StalledPart::BlockingPool(name) => name,
        }
    }

    /// Returns the part, with the URL of its server, if it is the runtime of a worker.
    fn worker(&self) -> Option<(&str, &Self)> {
        match &self.stalls.part {
            StalledPart::Runtime(RuntimeName::Worker { url, .. }) => Some((url, self)),
            _ => None,
        }
    }
}

impl StallTotal {
    /// Counts a stall that began this long ago.
    fn begin(&mut self, ago: Duration) {
        self.is_stalled = true;
        self.count += 1;
        self.time += ago;
    }
}

impl StallChange {
    fn event(self) -> Event {
        let Self { part, silent_for, holders, probes } = self;
        match holders {
            Some(holders) => {
                let holders = holders(&part, silent_for);
                Event::Stalled { part, after: silent_for, holders, probes }
            }
            None => Event::StallEnded { part, took: silent_for },
        }
    }
}
