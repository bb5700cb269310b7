//! Tests of delivery: observers see one event at a time, in order, and hold up no thread that emits
//! one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;

fn events(observer: impl Observer) -> Events {
    Events::new(Observers { own: Vec::new(), others: vec![Arc::new(observer)], on_thread: None })
}

fn events_on_thread(observer: impl Observer) -> Events {
    Events::new(Observers {
        own: Vec::new(),
        others: vec![Arc::new(observer)],
        on_thread: Some(Handle::current()),
    })
}

/// Returns an event that a text tells apart from others.
fn named(text: String) -> Event {
    Event::Listening { url: text }
}

fn name(event: &Event) -> &str {
    let Event::Listening { url } = event else { panic!("{event:?}") };
    url
}

/// Observer that notes the events that it sees, and calls that overlap.
#[derive(Default)]
struct Alone {
    inside: AtomicUsize,
    overlaps: AtomicUsize,
    seen: Mutex<Vec<(Duration, String)>>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Alone>);

impl Observer for Shared {
    fn on_event(&self, at: Duration, event: &Event) {
        let Alone { inside, overlaps, seen } = &*self.0;
        overlaps.fetch_add(inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
        thread::yield_now();
        seen.lock().expect("no panic").push((at, name(event).to_owned()));
        inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn observers_see_one_event_at_a_time_in_order() {
    check_order(events).await;
}

#[tokio::test]
async fn so_do_those_on_a_thread_of_their_own() {
    check_order(events_on_thread).await;
}

async fn check_order(events: fn(Shared) -> Events) {
    let observer = Shared::default();
    let events = events(observer.clone());
    thread::scope(|scope| {
        for number in 0..8 {
            let events = events.clone();
            scope.spawn(move || {
                (0..500).for_each(|step| events.emit(&named(format!("{number} {step}"))));
            });
        }
    });
    events.delivered().await;
    drop(events);
    assert_eq!(observer.0.overlaps.load(Ordering::SeqCst), 0);
    let seen = observer.0.seen.lock().expect("no panic");
    assert_eq!(seen.len(), 8 * 500);
    assert!(seen.is_sorted_by_key(|(at, _)| *at));
    for number in 0..8 {
        let prefix = format!("{number} ");
        let steps =
            seen.iter().filter_map(|(_, name)| name.strip_prefix(&prefix)?.parse::<usize>().ok());
        assert!(steps.eq(0..500), "{number}");
    }
}

/// Observer that emits another event for each that it sees, as long as `goes_on` is set.
struct Restless {
    events: Arc<OnceLock<Events>>,
    goes_on: Arc<AtomicBool>,
    seen: Arc<AtomicUsize>,
}

impl Observer for Restless {
    fn on_event(&self, _: Duration, event: &Event) {
        self.seen.fetch_add(1, Ordering::SeqCst);
        if self.goes_on.load(Ordering::SeqCst) {
            self.events.get().expect("it is there").emit(event);
        }
    }
}

#[tokio::test]
async fn whoever_emits_an_event_is_not_kept_by_those_of_others() {
    let (own, goes_on, seen) =
        (Arc::<OnceLock<_>>::default(), Arc::new(AtomicBool::new(true)), Arc::default());
    let restless = Restless {
        events: Arc::clone(&own),
        goes_on: Arc::clone(&goes_on),
        seen: Arc::clone(&seen),
    };
    let events = events(restless);
    assert!(own.set(events.clone()).is_ok());
    // This returns, though there is always one more event.
    events.emit(&named(String::new()));
    assert!(seen.load(Ordering::SeqCst) > SHARE);
    goes_on.store(false, Ordering::SeqCst);
    events.delivered().await;
}

#[tokio::test]
async fn an_observer_that_panics_sees_the_next_event_as_well() {
    struct Panics(Arc<AtomicUsize>);
    impl Observer for Panics {
        fn on_event(&self, _: Duration, _: &Event) {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("no idea");
        }
    }
    let seen = Arc::<AtomicUsize>::default();
    let events = events(Panics(Arc::clone(&seen)));
    (0..3).for_each(|_| events.emit(&named(String::new())));
    events.delivered().await;
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_observer_on_a_thread_of_its_own_may_block() {
    struct Blocks(Mutex<std::sync::mpsc::Receiver<()>>, Arc<AtomicUsize>);
    impl Observer for Blocks {
        fn on_event(&self, _: Duration, _: &Event) {
            let _ = self.0.lock().expect("no panic").recv();
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (goes_on, waits) = std::sync::mpsc::channel();
    let seen = Arc::<AtomicUsize>::default();
    let events = events_on_thread(Blocks(Mutex::new(waits), Arc::clone(&seen)));
    (0..3).for_each(|_| events.emit(&named(String::new())));
    assert_eq!(seen.load(Ordering::SeqCst), 0, "nobody who emits an event waits for it");
    drop(goes_on);
    events.delivered().await;
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_observer_on_a_thread_of_its_own_finds_the_runtime_and_is_dropped_when_all_is_delivered()
{
    struct Spawns(Arc<AtomicUsize>);
    impl Observer for Spawns {
        fn on_event(&self, _: Duration, _: &Event) {
            drop(tokio::spawn(async {}));
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    impl Drop for Spawns {
        fn drop(&mut self) {
            self.0.fetch_add(10, Ordering::SeqCst);
        }
    }
    let seen = Arc::<AtomicUsize>::default();
    let events = events_on_thread(Spawns(Arc::clone(&seen)));
    events.emit(&named(String::new()));
    events.delivered().await;
    assert_eq!(seen.load(Ordering::SeqCst), 11);
}
