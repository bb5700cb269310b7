use super::*;
use crate::server::http2::sample;

/// Makes the fixture's connection an HTTP/2 connection with these streams open.
fn http2(fixture: &Fixture, streams: &[u32]) {
    fixture.connection.speaks_http2();
    let heads: Vec<_> = streams.iter().map(|stream| vec![sample::head(*stream, 0)]).collect();
    received(fixture, &sample::client(&heads));
    sent(fixture, &sample::settings());
}

fn received(fixture: &Fixture, bytes: &[u8]) {
    fixture.connection.http2().expect("http2").received(&mut bytes.to_vec());
}

fn sent(fixture: &Fixture, frame: &sample::Frame) {
    fixture.connection.http2().expect("http2").sent(&frame.bytes());
}

/// Takes our frames that are due, as if they were written.
fn due(fixture: &Fixture) -> Vec<sample::Frame> {
    let mut http2 = fixture.connection.http2().expect("http2");
    http2.due().map_or_else(Vec::new, |due| sample::parse(&due.split()))
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_ends_with_its_last_stream() {
    let mut fixture = Fixture::closing().await;
    http2(&fixture, &[1]);
    let request = fixture.begin().expect("served");
    fixture.check_stays().await;
    let [first, second] = sample::announcement();
    assert_eq!(due(&fixture), [first, second, sample::goaway(1)]);
    fixture.check_stays().await;
    request.complete();
    sent(&fixture, &sample::head(1, 1));
    assert_eq!(due(&fixture), [sample::question()]);
    fixture.flush();
    // The client doesn't answer.
    fixture.check(250, ConnectionState::Ended).await;
    assert_eq!(fixture.connection.expected_act(), ExpectedAct::Reading);
}

#[tokio::test(start_paused = true)]
async fn an_http2_client_is_told_the_last_stream_when_it_is_quiet_even_if_it_never_answers() {
    let mut fixture = Fixture::closing().await;
    fixture.info.set(Some(far(100, 60_000)));
    http2(&fixture, &[]);
    fixture.poll();
    assert_eq!(due(&fixture), sample::announcement());
    fixture.poll();
    advance(Duration::from_millis(540)).await;
    fixture.poll();
    assert_eq!(due(&fixture), []);
    advance(Duration::from_millis(15)).await;
    fixture.poll();
    assert_eq!(due(&fixture), [sample::goaway(0)]);
    assert_eq!(fixture.poll(), ConnectionState::Ended);
}

#[tokio::test(start_paused = true)]
async fn an_http2_client_whose_handshake_ends_late_has_the_whole_window() {
    for late in [QUIET + Duration::from_millis(50), HEAD + QUIET] {
        let mut fixture = Fixture::closing().await;
        advance(late).await;
        fixture.connection.opened();
        http2(&fixture, &[]);
        fixture.poll();
        assert_eq!(due(&fixture), sample::announcement());
        advance(Duration::from_millis(249)).await;
        fixture.poll();
        assert_eq!(due(&fixture), []);
        advance(Duration::from_millis(1)).await;
        fixture.poll();
        assert_eq!(due(&fixture), [sample::goaway(0)]);
    }
}

/// Returns a connection on which a client has sent this part of a head. It has been told that the
/// stream is the last.
async fn with_part_of_head(part: &[u8]) -> Fixture {
    let mut fixture = Fixture::closing().await;
    http2(&fixture, &[]);
    received(&fixture, part);
    fixture.poll();
    due(&fixture);
    advance(QUIET).await;
    fixture.poll();
    assert_eq!(due(&fixture), [sample::goaway(1)]);
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_head_of_http2_that_never_comes_to_its_end_is_not_waited_for_beyond_the_window() {
    let (whole, begun) = (sample::head(1, 0).bytes(), sample::begun_head(1).bytes());
    for part in [&whole[..11], &begun] {
        let mut fixture = with_part_of_head(part).await;
        fixture.check(250, ConnectionState::Ended).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_of_http2_that_comes_to_its_end_within_the_window_is_a_request() {
    let head = sample::head(1, 0).bytes();
    let mut fixture = with_part_of_head(&head[..11]).await;
    advance(Duration::from_millis(249)).await;
    received(&fixture, &head[11..]);
    let request = fixture.begin().expect("served");
    fixture.check_stays().await;
    // The client takes its time to receive the response.
    request.complete();
    fixture.check_stays().await;
    sent(&fixture, &sample::head(1, 1));
    assert_eq!(due(&fixture), [sample::question()]);
    fixture.flush();
    assert_eq!(fixture.counts(), (1, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_of_http2_that_vanishes_before_its_response_is_written_is_given_up() {
    let mut fixture = Fixture::closing().await;
    http2(&fixture, &[1]);
    fixture.begin().expect("served").complete();
    fixture.connection.http2().expect("http2").announce_last();
    due(&fixture);
    fixture.info.set(Some(TcpInfo { written: 1, is_unanswered: true, ..TcpInfo::default() }));
    fixture.check(6000, ConnectionState::GivenUp).await;
}

#[test]
fn streams_of_http2_are_refused_after_the_last_and_not_because_a_response_said_close() {
    let fixture = Fixture::new();
    http2(&fixture, &[1, 3]);
    fixture.connection.phase.announces.store(true, Ordering::Relaxed);
    let _first = fixture.begin().expect("served");
    assert!(fixture.connection.begin_response());
    let _second = fixture.begin().expect("served");
    fixture.connection.http2().expect("http2").announce_last();
    received(&fixture, &sample::head(5, 0).bytes());
    assert!(fixture.begin().is_none());
    assert_eq!(fixture.counts(), (0, 0, 1, 2));
}

#[test]
fn an_http2_response_is_finished_when_the_end_of_its_stream_is_written() {
    let fixture = Fixture::new();
    http2(&fixture, &[1, 3]);
    fixture.begin().expect("served").complete();
    let second = fixture.begin().expect("served");
    fixture.flush();
    assert_eq!(fixture.counts(), (0, 0, 0, 2), "nothing of it is written");
    sent(&fixture, &sample::head(1, 1));
    fixture.flush();
    assert_eq!(fixture.counts(), (1, 0, 0, 1));
    second.complete();
    fixture.connection.table.cut();
    assert_eq!(fixture.connection.table.traffic().requests.cut.len(), 1);
}
