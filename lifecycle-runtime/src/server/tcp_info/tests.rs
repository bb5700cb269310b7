use super::*;

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Returns the state of a connection with a response on its way, of which the kernel has sent
/// something again.
fn unanswered(round_trip: Duration, first_pause: Duration) -> TcpInfo {
    TcpInfo { round_trip, first_pause, written: 1, is_unanswered: true, ..TcpInfo::default() }
}

/// Checks that a client counts as vanished once it has been silent for this long, and no earlier.
#[track_caller]
fn check(info: TcpInfo, disconnect: Duration, expected: Duration) {
    let silent = |silent_for| TcpInfo { silent_for, ..info };
    assert!(!silent(expected).has_vanished(disconnect), "{info:?}: too early");
    assert!(silent(expected + millis(1)).has_vanished(disconnect), "{info:?}: too late");
}

#[test]
fn a_client_has_vanished_after_6_s_and_eight_round_trips_or_two_first_pauses() {
    let second = Duration::from_secs(1);
    for (round_trip, first_pause, expected) in [
        // Round trips are short, and Linux waits for 200 ms at least.
        (0, 200, 6400),
        (10, 210, 6420),
        (49, 200, 6400),
        (51, 200, 6408),
        (100, 300, 6800),
        (300, 500, 8400),
        // Round trips vary.
        (100, 900, 7800),
    ] {
        let info = unanswered(millis(round_trip), millis(first_pause));
        check(info, second, millis(expected));
        check(info, millis(6000), millis(expected));
    }
}

#[test]
fn a_client_that_has_longer_to_close_is_given_up_later() {
    let info = unanswered(millis(100), millis(300));
    check(info, millis(6001), millis(6801));
    check(info, Duration::from_secs(30), millis(30_800));
    let silent = TcpInfo { silent_for: Duration::MAX, ..info };
    assert!(!silent.has_vanished(Duration::MAX));
}

#[test]
fn a_client_has_not_vanished_as_long_as_nothing_was_sent_again() {
    let silent = TcpInfo { written: 1, silent_for: Duration::MAX, ..TcpInfo::default() };
    assert!(!silent.has_vanished(Duration::ZERO), "nobody has asked it for anything");
    assert!(TcpInfo { is_over: true, ..TcpInfo::default() }.has_vanished(Duration::MAX));
}
