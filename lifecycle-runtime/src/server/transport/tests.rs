use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Duration;

use actix_http::Request;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use super::super::connection::{ClosingTimes, WorkerPhase};
use super::super::http2::sample::{self as http2, Frame};
use super::super::traffic::RequestTable;
use super::super::wakes::Wakes;
use super::wire::Wire;
use super::*;

/// Connection with both its sides.
struct Line {
    transport: Transport,
    connection: Rc<Connection>,
    announces: Arc<AtomicBool>,
    phase: Rc<WorkerPhase>,
    table: Arc<RequestTable>,
    socket: wire::WireSocket,
    wakes: Arc<Wakes>,
}

impl Line {
    fn new(portions: Vec<usize>) -> Self {
        let (table, announces) = (Arc::default(), Arc::<AtomicBool>::default());
        let phase = Rc::new(WorkerPhase::new(Arc::clone(&announces), None));
        let socket = wire::WireSocket::default();
        socket.0.borrow_mut().portions = portions.into();
        let connection = Rc::new(Connection::new(Arc::clone(&table), Rc::clone(&phase)));
        let transport = Transport::new(SharedSocket::new(socket.clone()), Rc::clone(&connection));
        let wakes = Arc::default();
        let line = Self { transport, connection, announces, phase, table, socket, wakes };
        line.connection.driven_by(&Context::from_waker(&line.waker()));
        line
    }

    fn wire(&self) -> std::cell::RefMut<'_, Wire> {
        self.socket.0.borrow_mut()
    }

    fn waker(&self) -> Waker {
        self.wakes.waker()
    }

    /// Polls the transport; `None` if it isn't ready, and then the task must be woken later.
    fn poll<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Option<T> {
        let (wakes, waker) = (self.wakes.count(), self.waker());
        self.wire().forget_reader();
        match poll(Pin::new(&mut self.transport), &mut Context::from_waker(&waker)) {
            Poll::Ready(result) => Some(result.expect("a wire that holds")),
            Poll::Pending => {
                assert!(
                    self.wakes.count() > wakes || self.wire().has_reader(),
                    "nobody wakes the task"
                );
                None
            }
        }
    }

    /// Makes connections close.
    fn close(&self) {
        let millis = Duration::from_millis;
        self.phase.close(ClosingTimes {
            since: Instant::now(),
            quiet_window: millis(250),
            disconnect: millis(1000),
            head: None,
            close_spread: millis(0),
        });
    }

    fn announce_last(&self) {
        if let Some(mut http2) = self.connection.http2() {
            http2.announce_last();
        }
        self.connection.wake();
    }

    fn read(&mut self, most: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; most];
        self.poll(|transport, context| {
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(transport.poll_read(context, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().to_vec()))
        })
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.poll(|transport, context| transport.poll_write(context, bytes)).unwrap_or_default()
    }

    fn write_vectored(&mut self, slices: &[&[u8]]) -> usize {
        let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        self.poll(|transport, context| transport.poll_write_vectored(context, &slices))
            .unwrap_or_default()
    }

    fn flush(&mut self) -> bool {
        self.poll(Transport::poll_flush).is_some()
    }
}

/// Step that happens on a connection.
#[derive(Debug, Clone, Copy)]
enum Act {
    Read(usize),
    Write(usize),
    WriteVectored(usize, usize),
    Flush,
    /// The client sends this many bytes.
    Feed(usize),
    Tell,
    TellLast,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let size = || prop_oneof![0_usize..20, 0_usize..2000];
    let act = prop_oneof![
        4 => size().prop_map(Act::Read),
        4 => size().prop_map(Act::Write),
        4 => (size(), size()).prop_map(|(first, second)| Act::WriteVectored(first, second)),
        2 => Just(Act::Flush),
        4 => size().prop_map(Act::Feed),
        1 => Just(Act::Tell),
        1 => Just(Act::TellLast),
    ];
    vec(act, 0..80)
}

fn portions() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![2 => Just(0), 3 => 1_usize..20, 1 => 1_usize..3000], 0..200)
}

/// Conversation of an app and a client, with their progress.
struct Talk {
    line: Line,
    app: Vec<u8>,
    client: Vec<u8>,
    sent: usize,
    fed: usize,
    received: Vec<u8>,
}

impl Talk {
    fn act(&mut self, act: Act) {
        let left = &self.app[self.sent..];
        let part =
            |from: usize, most: usize| &left[from.min(left.len())..(from + most).min(left.len())];
        match act {
            Act::Read(most) => self.received.extend(self.line.read(most).unwrap_or_default()),
            Act::Write(most) => self.sent += self.line.write(part(0, most)),
            Act::WriteVectored(first, second) => {
                self.sent += self.line.write_vectored(&[part(0, first), &[], part(first, second)]);
            }
            Act::Flush => drop(self.line.flush()),
            Act::Feed(most) => {
                let bytes = &self.client[self.fed..(self.fed + most).min(self.client.len())];
                self.line.wire().feed(bytes);
                self.fed += bytes.len();
            }
            Act::Tell => self.line.connection.announce(),
            Act::TellLast => self.line.announce_last(),
        }
    }

    /// Has both sides send what is left, and read all of it.
    fn end(&mut self) {
        for _ in 0..100_000 {
            self.act(Act::Write(usize::MAX / 2));
            self.act(Act::Feed(usize::MAX / 2));
            self.act(Act::Read(5000));
            let is_read =
                self.line.wire().incoming.is_empty() && self.line.transport.incoming.is_empty();
            if self.line.flush() && self.sent == self.app.len() && is_read {
                return;
            }
        }
        panic!("it goes on for ever: {} of {} bytes are sent", self.sent, self.app.len());
    }
}

proptest! {
    #[test]
    fn frames_of_http2_pass_unchanged_with_ours_between_them(
        (app, before, after) in (http2::side(), http2::side(), http2::side()),
        (first, second) in (acts(), acts()),
        portions in portions(),
    ) {
        let line = Line::new(portions);
        line.connection.speaks_http2();
        let mut client = http2::client(&before);
        let mut talk = Talk {
            line,
            app: http2::bytes_of(&app),
            client: client.clone(),
            sent: 0,
            fed: 0,
            received: Vec::new(),
        };
        for act in first {
            talk.act(act);
        }
        // The client answers when it can have read the question.
        let question = http2::announcement()[1].bytes();
        let is_asked =
            talk.line.wire().written.windows(question.len()).any(|bytes| bytes == question);
        if is_asked {
            talk.client.extend(http2::pong().bytes());
        }
        client.extend(http2::bytes_of(&after));
        talk.client.extend(http2::bytes_of(&after));
        for act in second {
            talk.act(act);
        }
        talk.end();

        prop_assert!(talk.received == client, "the client's bytes have changed");
        let written = http2::parse(&talk.line.wire().written);
        let (ours, others): (Vec<_>, Vec<_>) = written.iter().cloned().partition(Frame::is_ours);
        prop_assert_eq!(others, app.into_iter().flatten().collect::<Vec<_>>());
        for (at, frame) in written.iter().enumerate().filter(|(_, frame)| frame.is_ours()) {
            prop_assert!(at > 0 && !written[at - 1].is_unfinished(), "{:?} at {}", frame, at);
        }
        if let Some((first, second)) = ours.split_at_checked(2) {
            prop_assert_eq!(first, http2::announcement());
            let (last, questions) = second.split_at(second.len().min(1));
            prop_assert!(last.iter().all(|last| last.payload[0] < 0x7f));
            prop_assert!(!is_asked || last.len() == 1, "an answer is followed by the last stream");
            prop_assert!(questions.iter().all(|frame| *frame == http2::question()));
        } else {
            prop_assert_eq!(ours, []);
        }
    }
}

#[test]
fn what_was_read_to_learn_the_protocol_counts() {
    let mut line = Line::new(vec![]);
    let begin = http2::client(&[vec![http2::settings()], vec![http2::head(1, 1)]]);
    line.wire().feed(&begin);
    let mut begins = Box::pin(async {
        let begins = line.transport.begins_with(super::super::http2::PREFACE).await;
        (begins, line)
    });
    let Poll::Ready((begins, mut line)) =
        begins.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("all of it is there");
    };
    assert!(begins.expect("a wire that holds"));
    line.transport.speaks_http2();
    let rest = [http2::head(3, 1).bytes(), http2::head(5, 0).bytes()].concat();
    line.wire().feed(&rest);
    let read: Vec<u8> = std::iter::from_fn(|| line.read(50)).flatten().collect();
    assert_eq!(read, [begin, rest].concat());
    line.write(&http2::settings().bytes());
    line.announce_last();
    line.flush();
    assert_eq!(http2::parse(&line.wire().written).pop(), Some(http2::goaway(5)));
}

#[test]
fn a_client_of_http2_that_comes_during_the_drain_delay_is_told_of_the_end_with_a_response() {
    for (stops, responds) in [(false, true), (true, false), (true, true)] {
        let mut line = Line::new(vec![]);
        line.announces.store(stops, Ordering::Relaxed);
        line.transport.speaks_http2();
        line.write(&http2::settings().bytes());
        if responds {
            line.connection.begin_response();
        }
        line.flush();
        let written = http2::parse(&line.wire().written);
        let is_told = stops && responds;
        let expected: &[Frame] = if is_told { &http2::announcement() } else { &[] };
        assert_eq!(written[1..], *expected);
    }
}

#[test]
fn an_end_is_read_as_the_end_of_the_client_whatever_arrives() {
    let mut line = Line::new(vec![]);
    assert_eq!(line.read(10), None);
    line.connection.set_ended();
    assert_eq!(line.read(10), Some(vec![]));
    line.wire().feed(b"GET /");
    assert_eq!(line.read(10), Some(vec![]));
}

#[test]
fn what_arrives_in_the_last_moment_is_read_and_the_connection_goes_on() {
    let mut line = Line::new(vec![]);
    line.connection.set_quiet();
    assert_eq!(line.read(10), Some(vec![]));
    line.wire().feed(b"GET /");
    assert_eq!(line.read(10), Some(b"GET /".to_vec()));
    assert!(!line.connection.is_quiet());
    assert_eq!(line.read(10), None);
}

#[test]
fn a_request_behind_an_answer_is_read_in_the_same_moment() {
    let mut line = Line::new(vec![17, 13]);
    line.connection.speaks_http2();
    line.connection.announce();
    line.wire().feed(&http2::client(&[]));
    assert_eq!(line.read(50).map(|read| read.len()), Some(17));
    assert_eq!(line.read(50).map(|read| read.len()), Some(7));
    line.wire().portions = [17].into();
    let head = http2::head(1, 1);
    line.wire().feed(&[http2::pong().bytes(), head.bytes()].concat());
    assert_eq!(line.read(50), Some(head.bytes()));
}

#[test]
fn the_last_word_is_written_while_there_is_only_reading() {
    let mut line = Line::new(vec![]);
    line.connection.speaks_http2();
    line.wire().feed(&http2::client(&[]));
    line.read(50);
    line.write(&http2::settings().bytes());
    line.connection.announce();
    assert_eq!(line.read(50), None);
    line.wire().feed(&http2::pong().bytes());
    assert_eq!(line.read(50), None);
    assert_eq!(http2::parse(&line.wire().written).pop(), Some(http2::goaway(0)));
}

#[test]
fn a_connection_looks_for_its_end_when_the_last_frame_is_written() {
    let mut line = Line::new(vec![]);
    line.close();
    line.connection.speaks_http2();
    line.wire().feed(&http2::client(&[vec![http2::head(1, 1)], vec![http2::head(3, 1)]]));
    line.read(100);
    line.write(&http2::settings().bytes());
    line.connection.announce();
    line.wire().feed(&http2::pong().bytes());
    assert_eq!(line.read(50), None);
    line.write(&http2::head(1, 1).bytes());
    let wakes = line.wakes.count();
    line.flush();
    assert_eq!(line.wakes.count(), wakes, "a stream is open");
    // The client needs no response any more. It is asked whether it has read what it got.
    line.wire().feed(&http2::reset(3).bytes());
    line.read(50);
    line.flush();
    assert!(line.wakes.count() > wakes);
    assert_eq!(http2::parse(&line.wire().written).pop(), Some(http2::question()));
}

#[test]
fn a_response_is_finished_when_it_is_flushed() {
    let mut line = Line::new(vec![]);
    let request = line.connection.begin_request(&mut Request::new(), |_| false).expect("served");
    line.write(b"response");
    request.complete();
    line.wire().portions = [0].into();
    assert!(!line.flush());
    assert_eq!(line.table.in_flight(), 1);
    assert!(line.flush());
    assert_eq!((line.table.in_flight(), line.table.traffic().requests.finished), (0, 1));
}

#[test]
fn a_wire_that_takes_nothing_is_an_error_and_not_a_loop() {
    let mut line = Line::new(vec![]);
    line.connection.speaks_http2();
    line.write(&http2::settings().bytes());
    line.connection.announce();
    line.wire().is_broken = true;
    let waker = line.waker();
    let mut context = Context::from_waker(&waker);
    let flushed = Pin::new(&mut line.transport).poll_flush(&mut context);
    assert!(matches!(flushed, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WriteZero));
}
