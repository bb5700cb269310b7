use std::cell::Cell;
use std::time::Duration;

use tokio::time::advance;

use super::super::tcp_info::Peer;
use super::super::wakes::Wakes;
use super::*;

mod http2;
mod websocket;

const QUIET: Duration = Duration::from_millis(250);
const DISCONNECT: Duration = Duration::from_secs(1);
const HEAD: Duration = Duration::from_secs(5);

/// Connection, with its driver and the kernel's answers about it.
struct Fixture {
    connection: Rc<Connection>,
    closer: Option<Box<Closer>>,
    info: Cell<Option<TcpInfo>>,
    /// Set while bytes wait to be read.
    has_unread: Cell<bool>,
    wakes: Arc<Wakes>,
}

/// Answers of the kernel.
struct Answers(Option<TcpInfo>, bool);

impl Peer for Answers {
    fn info(&self) -> Option<TcpInfo> {
        self.0
    }

    fn has_unread(&self) -> bool {
        self.1
    }
}

impl Fixture {
    fn new() -> Self {
        let phase = Rc::new(WorkerPhase::new(Arc::default(), None));
        let connection = Rc::new(Connection::new(Arc::default(), phase));
        let fixture = Self {
            connection,
            closer: None,
            info: Cell::new(None),
            has_unread: Cell::new(false),
            wakes: Arc::default(),
        };
        fixture.connection.driven_by(&Context::from_waker(&fixture.wakes.waker()));
        fixture
    }

    /// Returns a connection that has been idle for long when the server begins to close.
    async fn closing() -> Self {
        let fixture = Self::new();
        advance(Duration::from_secs(60)).await;
        fixture.close();
        fixture
    }

    fn close(&self) {
        self.connection.phase.announces.store(true, Ordering::Relaxed);
        self.connection.phase.close(ClosingTimes {
            since: Instant::now(),
            quiet_window: QUIET,
            disconnect: DISCONNECT,
            head: Some(HEAD),
            close_spread: Duration::ZERO,
        });
    }

    fn begin(&self) -> Option<InFlight> {
        self.connection.begin_request(&mut Request::new(), |_| false)
    }

    fn flush(&self) {
        self.connection.flushed(|| self.info.get());
    }

    fn poll(&mut self) -> ConnectionState {
        let waker = self.wakes.waker();
        let mut context = Context::from_waker(&waker);
        let answers = Answers(self.info.get(), self.has_unread.get());
        self.connection.poll_closing(&mut self.closer, &mut context, &answers);
        self.connection.state.get()
    }

    /// Checks that the connection's state changes to this one in so many milliseconds, give or take
    /// one.
    #[track_caller]
    fn check(&mut self, millis: u64, state: ConnectionState) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let before = self.poll();
            for elapsed in 0..=millis + 1 {
                if self.poll() != before {
                    assert!(elapsed + 1 >= millis, "after {elapsed} ms already, at {caller}");
                    assert_eq!(self.poll(), state, "at {caller}");
                    return;
                }
                let silent = |info: TcpInfo| TcpInfo {
                    silent_for: info.silent_for + Duration::from_millis(1),
                    ..info
                };
                self.info.set(self.info.get().map(silent));
                advance(Duration::from_millis(1)).await;
            }
            panic!("not after {millis} ms, at {caller}");
        }
    }

    /// Checks that the connection's state stays the same for long.
    async fn check_stays(&mut self) {
        let before = self.poll();
        for _ in 0..100 {
            advance(Duration::from_millis(100)).await;
            assert_eq!(self.poll(), before);
        }
    }

    /// Returns the numbers of requests that were finished, abandoned and refused, and of those in
    /// flight.
    fn counts(&self) -> (u64, u64, u64, usize) {
        let table = &self.connection.table;
        let requests = table.traffic().requests;
        (requests.finished, requests.abandoned, requests.refused, table.in_flight())
    }
}

/// Returns the kernel's answer about a client that is this far away and was last heard so long ago.
fn far(round_trip: u64, silent_for: u64) -> TcpInfo {
    TcpInfo {
        round_trip: Duration::from_millis(round_trip),
        silent_for: Duration::from_millis(silent_for),
        ..TcpInfo::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_with_the_quiet_window() {
    Fixture::closing().await.check(250, ConnectionState::Quiet).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_given_a_few_round_trips_more() {
    for (round_trip, expected) in [(0, 250), (1, 253), (40, 370), (300, 1150)] {
        let mut fixture = Fixture::closing().await;
        fixture.info.set(Some(far(round_trip, 60_000)));
        fixture.check(expected, ConnectionState::Quiet).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_heard_of_just_now_has_the_whole_window() {
    let mut fixture = Fixture::closing().await;
    fixture.poll();
    advance(Duration::from_millis(200)).await;
    fixture.info.set(Some(far(0, 0)));
    fixture.check(250, ConnectionState::Quiet).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_handshake_ends_late_has_the_whole_window_and_the_time_for_a_head() {
    let mut fixture = Fixture::closing().await;
    fixture.poll();
    advance(Duration::from_millis(200)).await;
    fixture.connection.opened();
    fixture.check(250, ConnectionState::Quiet).await;

    let mut fixture = Fixture::closing().await;
    fixture.info.set(Some(far(0, 0)));
    advance(Duration::from_secs(3)).await;
    fixture.connection.opened();
    let opened = Instant::now();
    while fixture.poll() == ConnectionState::Open {
        fixture.info.set(Some(far(0, 0)));
        advance(Duration::from_millis(50)).await;
    }
    assert!((HEAD..HEAD + QUIET).contains(&opened.elapsed()), "{:?}", opened.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_has_the_time_for_a_head() {
    let mut fixture = Fixture::closing().await;
    let begun = Instant::now();
    while fixture.poll() == ConnectionState::Open {
        fixture.info.set(Some(far(0, 0)));
        advance(Duration::from_millis(50)).await;
    }
    assert!((HEAD..HEAD + QUIET).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_not_got_its_response_yet_is_not_idle() {
    let mut fixture = Fixture::closing().await;
    let waits = TcpInfo { written: 1, ..TcpInfo::default() };
    fixture.info.set(Some(waits));
    for _ in 0..20 {
        advance(Duration::from_millis(100)).await;
        fixture.info.set(Some(waits));
        assert_eq!(fixture.poll(), ConnectionState::Open);
    }
    fixture.info.set(Some(far(0, 0)));
    fixture.check(250, ConnectionState::Quiet).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_vanished_is_not_waited_for() {
    let mut fixture = Fixture::closing().await;
    fixture.info.set(Some(TcpInfo { written: 1, is_unanswered: true, ..TcpInfo::default() }));
    // The client has nothing to ask for until then. Bytes that it has yet to get are awaited after
    // the end.
    fixture.check(5000, ConnectionState::Ended).await;
}

#[tokio::test(start_paused = true)]
async fn what_came_while_the_process_could_not_read_is_not_late() {
    let mut fixture = Fixture::closing().await;
    fixture.has_unread.set(true);
    // This is as after the process was stopped for long.
    advance(Duration::from_secs(60)).await;
    let begun = Instant::now();
    while fixture.poll() == ConnectionState::Open {
        advance(Duration::from_millis(10)).await;
    }
    // The bytes may have no reader any more.
    assert!((HEAD..HEAD + QUIET).contains(&begun.elapsed()), "{:?}", begun.elapsed());

    let mut fixture = Fixture::closing().await;
    fixture.has_unread.set(true);
    advance(Duration::from_secs(60)).await;
    assert_eq!(fixture.poll(), ConnectionState::Open);
    fixture.has_unread.set(false);
    advance(Duration::from_millis(1)).await;
    assert_eq!(fixture.poll(), ConnectionState::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_owes_a_response_is_left_alone_and_has_the_window_after_it() {
    let mut fixture = Fixture::closing().await;
    let first = fixture.begin().expect("served");
    let second = fixture.begin().expect("served");
    fixture.check_stays().await;
    first.complete();
    fixture.flush();
    fixture.check_stays().await;
    second.complete();
    fixture.check_stays().await;
    fixture.flush();
    assert_eq!(fixture.counts(), (2, 0, 0, 0));
    fixture.check(250, ConnectionState::Quiet).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_its_client_leaves_makes_the_connection_idle() {
    let mut fixture = Fixture::closing().await;
    drop(fixture.begin().expect("served"));
    assert_eq!(fixture.counts(), (0, 1, 0, 0));
    fixture.check(250, ConnectionState::Quiet).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_last_response_said_so_is_left_to_actix_for_a_while() {
    let mut fixture = Fixture::closing().await;
    let request = fixture.begin().expect("served");
    assert!(fixture.connection.begin_response());
    request.complete();
    fixture.flush();
    fixture.check(1000, ConnectionState::Ended).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_last_response_said_so_before_the_close_has_no_more_time_by_the_close() {
    for (before, left) in [(400, 600), (1000, 0), (5000, 0)] {
        let mut fixture = Fixture::new();
        advance(Duration::from_secs(60)).await;
        fixture.connection.phase.announces.store(true, Ordering::Relaxed);
        let request = fixture.begin().expect("served");
        assert!(fixture.connection.begin_response());
        request.complete();
        fixture.flush();
        advance(Duration::from_millis(before)).await;
        fixture.close();
        if left > 0 {
            fixture.check(left, ConnectionState::Ended).await;
        }
        assert_eq!(fixture.poll(), ConnectionState::Ended);
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_is_finished_when_the_client_has_acknowledged_it() {
    let mut fixture = Fixture::closing().await;
    let [first, second] =
        [fixture.begin(), fixture.begin()].map(|request| request.expect("served"));
    let acknowledged =
        |acknowledged, written| TcpInfo { written, acknowledged, ..TcpInfo::default() };
    first.complete();
    fixture.info.set(Some(acknowledged(10, 100)));
    fixture.flush();
    second.complete();
    fixture.info.set(Some(acknowledged(10, 200)));
    fixture.flush();
    fixture.check_stays().await;
    assert_eq!(fixture.counts(), (0, 0, 0, 2));
    fixture.info.set(Some(acknowledged(100, 200)));
    fixture.poll();
    assert_eq!(fixture.counts(), (1, 0, 0, 1));
    advance(Duration::from_secs(10)).await;
    fixture.info.set(Some(acknowledged(200, 200)));
    fixture.check(250, ConnectionState::Quiet).await;
    assert_eq!(fixture.counts(), (2, 0, 0, 0));
}

#[test]
fn until_the_close_a_response_is_finished_when_it_is_written() {
    for announces in [false, true] {
        let fixture = Fixture::new();
        fixture.connection.phase.announces.store(announces, Ordering::Relaxed);
        fixture.info.set(Some(TcpInfo { written: 100, ..TcpInfo::default() }));
        fixture.begin().expect("served").complete();
        assert_eq!(fixture.counts(), (0, 0, 0, 1));
        fixture.flush();
        assert_eq!(fixture.counts(), (1, 0, 0, 0));
    }
}

#[test]
fn a_response_that_can_not_be_written_is_abandoned() {
    let fixture = Fixture::new();
    fixture.begin().expect("served").complete();
    let table = Arc::clone(&fixture.connection.table);
    drop(fixture);
    let requests = table.traffic().requests;
    assert_eq!((requests.abandoned, requests.cut), (1, vec![]));
}

#[test]
fn a_request_after_a_response_that_said_close_is_refused() {
    let fixture = Fixture::new();
    let first = fixture.begin().expect("served");
    assert!(!fixture.connection.begin_response());
    first.complete();
    fixture.connection.phase.announces.store(true, Ordering::Relaxed);
    let second = fixture.begin().expect("served: nobody was told");
    assert!(fixture.connection.begin_response());
    assert!(fixture.begin().is_none());
    second.complete();
    fixture.flush();
    assert_eq!(fixture.counts(), (2, 0, 1, 0));
}

#[test]
fn a_request_is_in_flight_until_its_handler_ends_even_if_its_connection_has_ended() {
    let Fixture { connection, .. } = Fixture::new();
    let phase = Rc::clone(&connection.phase);
    let request = connection.begin_request(&mut Request::new(), |_| false).expect("served");
    drop(connection);
    assert!(phase.has_in_flight());
    drop(request);
    assert!(!phase.has_in_flight());
}

#[test]
fn a_connection_is_woken_only_when_it_has_something_to_do() {
    let fixture = Fixture::new();
    let woken = || fixture.wakes.count();
    fixture.connection.announce();
    fixture.connection.mark_idle();
    assert_eq!(woken(), 0, "HTTP/1 has no way to tell, and nothing is closing");
    fixture.connection.speaks_http2();
    fixture.connection.announce();
    assert_eq!(woken(), 1);
    fixture.close();
    fixture.connection.mark_idle();
    assert_eq!(woken(), 2);
}
