//! Tests of the time for which idle connections are kept, and of the header that announces it.

use super::*;

fn kept(http: Option<Duration>, environment: Option<Duration>) -> KeepAlive {
    let mut settings = Settings { keep_alive: http.map(KeepAlive::from), ..Settings::default() };
    settings.override_with(&Config { keep_alive: environment, ..Config::default() });
    settings.keep_alive()
}

#[test]
fn idle_connections_are_kept_longer_than_most_balancers_keep_them() {
    assert_eq!(kept(None, None), KeepAlive::Timeout(Duration::from_secs(75)));
}

#[test]
fn the_environment_overrides_how_long_they_are_kept() {
    let seconds = Duration::from_secs;
    assert_eq!(kept(Some(seconds(5)), None), KeepAlive::Timeout(seconds(5)));
    assert_eq!(kept(Some(seconds(5)), Some(seconds(620))), KeepAlive::Timeout(seconds(620)));
    assert_eq!(kept(Some(seconds(5)), Some(Duration::ZERO)), KeepAlive::Disabled);
}

#[test]
fn a_time_without_end_is_a_long_one() {
    let mut settings = Settings {
        keep_alive: Some(KeepAlive::Timeout(Duration::MAX)),
        client_request_timeout: Some(Duration::MAX),
        client_disconnect_timeout: Some(Duration::MAX),
        websocket_close_spread: Some(Duration::MAX),
        ..Settings::default()
    };
    settings.override_with(&Config::default());
    assert_eq!(settings.keep_alive(), KeepAlive::Timeout(LONGEST));
    assert_eq!(settings.client_request_timeout(), Some(LONGEST));
    assert_eq!(settings.closing_timeout(), LONGEST);
    assert_eq!(settings.websocket_close_spread, Some(LONGEST));
}

#[test]
fn clients_are_told_a_second_less_and_nothing_where_there_is_nothing_to_tell() {
    for (keep_alive, expected) in [
        (KeepAlive::Timeout(Duration::from_secs(75)), Some("timeout=74")),
        (KeepAlive::Timeout(Duration::from_millis(2_900)), Some("timeout=1")),
        (KeepAlive::Timeout(Duration::from_secs(1)), None),
        (KeepAlive::Timeout(Duration::from_millis(900)), None),
        (KeepAlive::Timeout(Duration::ZERO), None),
        (KeepAlive::Disabled, None),
        (KeepAlive::Os, None),
    ] {
        let header = keep_alive_header(keep_alive);
        assert_eq!(
            header.as_ref().map(|header| header.to_str().expect("a text")),
            expected,
            "{keep_alive:?}"
        );
    }
}
