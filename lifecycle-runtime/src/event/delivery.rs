//! Delivery of events to the observers of a run: one at a time and in order, from whatever thread
//! emits them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::{Event, Observer};
use crate::hook::task::thread;

#[cfg(test)]
mod tests;

/// Number of other threads' events that a thread delivers after it has emitted one of its own.
const SHARE: usize = 128;

/// Observers of a run: the runtime's own and the program's.
#[derive(Default)]
pub(crate) struct Observers {
    /// Observers of the runtime itself, which may be called from several threads at once.
    pub(crate) own: Vec<Arc<dyn Observer>>,
    /// Observers of the program, which are called with one event at a time.
    pub(crate) others: Vec<Arc<dyn Observer>>,
    /// Async runtime of the hooks, if the program's observers are called on a thread of their own,
    /// where they may block and find that runtime. In tests the thread on which an event happens
    /// calls them, and goes on when they have seen the event.
    pub(crate) on_thread: Option<Handle>,
}

/// Emitter of a run's events.
#[derive(Clone)]
pub(crate) struct Events {
    began: Instant,
    own: Arc<[Arc<dyn Observer>]>,
    others: ProgramObservers,
}

/// Route to the program's observers.
#[derive(Clone)]
enum ProgramObservers {
    None,
    /// The thread that emits an event calls them.
    Inline(Arc<Delivery>),
    OnThread(UnboundedSender<ForThread>),
}

/// Message to the thread of the observers.
#[allow(clippy::large_enum_variant, reason = "all but the last are events")]
enum ForThread {
    Event(Duration, Event),
    /// Request to answer once all events before it are delivered.
    Flush(oneshot::Sender<()>),
    /// Request to drop the observers, and to answer. Nothing follows.
    End(oneshot::Sender<()>),
}

impl ProgramObservers {
    fn new(observers: Vec<Arc<dyn Observer>>, on_thread: Option<Handle>) -> Self {
        if observers.is_empty() {
            return Self::None;
        }
        let Some(hooks) = on_thread else {
            return Self::Inline(Arc::new(Delivery::new(observers)));
        };
        let (sender, sent) = unbounded_channel();
        let called = observers.clone();
        let thread = thread("lifecycle-observers", move || {
            let _entered = hooks.enter();
            deliver_on_thread(called, sent);
        });
        if thread.is_ok() {
            Self::OnThread(sender)
        } else {
            Self::Inline(Arc::new(Delivery::new(observers)))
        }
    }
}

fn deliver_on_thread(observers: Vec<Arc<dyn Observer>>, mut sent: UnboundedReceiver<ForThread>) {
    let mut last = Duration::ZERO;
    while let Some(sent) = sent.blocking_recv() {
        match sent {
            ForThread::Event(at, event) => {
                // The thread that looked at the clock first may come second.
                last = last.max(at);
                call(&observers, last, &event);
            }
            ForThread::Flush(flushed) => drop(flushed.send(())),
            ForThread::End(ended) => {
                drop(observers);
                let _ = ended.send(());
                return;
            }
        }
    }
}

/// Delivery of events to the program's observers by the threads that emit them.
///
/// No thread waits for its turn to call them. The thread that has the turn also delivers the events
/// that others emit meanwhile. So no lock is held while an observer runs, and even an observer may
/// emit an event.
struct Delivery {
    observers: Vec<Arc<dyn Observer>>,
    /// Number of events that are not yet delivered: the one that is being delivered, and those in
    /// the queue. If there are any, some thread has the turn.
    open: AtomicUsize,
    /// Events that were emitted while some thread had the turn.
    queue: Mutex<VecDeque<(Duration, Event)>>,
    /// Time of the last event, in nanoseconds, for the thread that has the turn.
    last: AtomicU64,
    is_awaited: AtomicBool,
    /// Notification that everything has been delivered, if that is awaited.
    idle: Notify,
}

impl Events {
    pub(crate) fn new(observers: Observers) -> Self {
        let Observers { own, others, on_thread } = observers;
        Self {
            began: Instant::now(),
            own: own.into(),
            others: ProgramObservers::new(others, on_thread),
        }
    }

    /// Returns the beginning of the run, from which events count their time.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn emit(&self, event: &Event) {
        self.emit_at(Instant::now(), event);
    }

    /// Emits an event of the moment `now`, for callers that have looked at the clock already.
    pub(crate) fn emit_at(&self, now: Instant, event: &Event) {
        let at = now.saturating_duration_since(self.began);
        call(&self.own, at, event);
        match &self.others {
            ProgramObservers::None => {}
            ProgramObservers::Inline(delivery) => delivery.deliver(at, event),
            ProgramObservers::OnThread(sender) => {
                // Once the observers have been dropped, none is there to see it.
                let _ = sender.send(ForThread::Event(at, event.clone()));
            }
        }
    }

    /// Waits until the observers have seen every event so far.
    pub(crate) async fn flushed(&self) {
        self.delivered_with(ForThread::Flush).await;
    }

    /// Waits until the observers have seen every event so far. Observers on a thread of their own
    /// are dropped then, and see nothing more.
    pub(crate) async fn delivered(&self) {
        self.delivered_with(ForThread::End).await;
    }

    async fn delivered_with(&self, message: impl FnOnce(oneshot::Sender<()>) -> ForThread) {
        let others = match &self.others {
            ProgramObservers::None => return,
            ProgramObservers::Inline(others) => others,
            ProgramObservers::OnThread(sender) => {
                let (answers, answer) = oneshot::channel();
                let _ = sender.send(message(answers));
                let _ = answer.await;
                return;
            }
        };
        others.is_awaited.store(true, SeqCst);
        loop {
            let idle = others.idle.notified();
            if others.open.load(SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Delivery {
    fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self {
            observers,
            open: AtomicUsize::new(0),
            queue: Mutex::default(),
            last: AtomicU64::new(0),
            is_awaited: AtomicBool::new(false),
            idle: Notify::new(),
        }
    }

    fn deliver(self: &Arc<Self>, at: Duration, event: &Event) {
        if !self.takes_turn(at, event) {
            return;
        }
        self.call(at, event);
        for _ in 0..SHARE {
            if !self.deliver_next() {
                return;
            }
        }
        // The thread that emitted the event has other things to do. From here on another thread
        // delivers, as long as there is something to deliver.
        let rest = Arc::clone(self);
        if thread("lifecycle-observers", move || rest.deliver_all()).is_err() {
            self.deliver_all();
        }
    }

    /// Takes the turn if no thread has it, and returns whether it did. Otherwise the event waits.
    fn takes_turn(&self, at: Duration, event: &Event) -> bool {
        if self.open.compare_exchange(0, 1, SeqCst, SeqCst).is_ok() {
            return true;
        }
        // Counted under the lock, so that a thread that sees the number finds the event.
        let mut queue = self.queue();
        let is_first = self.open.fetch_add(1, SeqCst) == 0;
        if !is_first {
            queue.push_back((at, event.clone()));
        }
        is_first
    }

    fn deliver_all(&self) {
        while self.deliver_next() {}
    }

    /// Delivers an event that waits. Returns whether there was one. If there was none, the turn is
    /// over.
    fn deliver_next(&self) -> bool {
        if self.open.fetch_sub(1, SeqCst) == 1 {
            if self.is_awaited.load(SeqCst) {
                self.idle.notify_waiters();
            }
            return false;
        }
        let next = self.queue().pop_front();
        if let Some((at, event)) = next {
            self.call(at, &event);
        }
        true
    }

    /// Calls the observers. The caller has the turn.
    fn call(&self, at: Duration, event: &Event) {
        // The thread that looked at the clock first may come second.
        let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX).max(self.last.load(Relaxed));
        self.last.store(nanos, Relaxed);
        call(&self.observers, Duration::from_nanos(nanos), event);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<(Duration, Event)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn call(observers: &[Arc<dyn Observer>], at: Duration, event: &Event) {
    for observer in observers {
        let _ = catch_unwind(AssertUnwindSafe(|| observer.on_event(at, event)));
    }
}
