//! Events that the page follows.

use serde_json::json;

use crate::browser::Browser;
use crate::{start, url_of};

/// Script that lets no look begin because time has passed, so that all follow events.
const NO_PERIODIC_LOOK: &str = "
    const later = window.setTimeout;
    window.setTimeout = (run, pause, ...rest) =>
        pause === 1000 ? 0 : later(run, pause, ...rest);";

#[test]
fn an_event_changes_the_page_without_a_periodic_look() {
    let mut program = start("").start().ready();
    let Some(page) = Browser::open_with(&url_of(&mut program), NO_PERIODIC_LOOK) else { return };
    page.wait_for("#state", "ready");
    page.show("services");
    page.wait_for("#services", "running");
    program.tell("pump");
    page.wait_for("#services", "backing off");
    page.close();
    program.stop().expect_code(0);
}

/// Script that hides the page when a test says so, and keeps its streams of events.
const HIDES: &str = "
    window.isHidden = false;
    Object.defineProperty(document, 'hidden', { get: () => isHidden });
    window.hide = isHidden => {
        window.isHidden = isHidden;
        document.dispatchEvent(new Event('visibilitychange'));
    };
    window.streams = [];
    window.EventSource = class extends EventSource {
        constructor(url) {
            super(url);
            streams.push(this);
        }
    };";

#[test]
fn a_hidden_page_closes_its_stream_and_shows_each_event_once_when_it_is_back() {
    let mut program = start("").start().ready();
    let Some(page) = Browser::open_with(&url_of(&mut program), HIDES) else { return };
    page.show("events");
    page.wait_for("#events", "the run is ready");
    page.value("hide(true)");
    page.wait_until("streams.every(stream => stream.readyState === EventSource.CLOSED)");
    program.tell("pump");
    program.wait_for("; again in ");
    let times = |text: &str| {
        let events = format!(
            "[...document.querySelectorAll('#events li')]
                .filter(event => event.textContent.includes({})).length",
            json!(text)
        );
        page.value(&events)
    };
    assert_eq!(times("pump is backing off"), 0);
    page.value("hide(false)");
    page.wait_for("#events", "pump is backing off");
    page.wait_for("#link", "live");
    for text in ["the run is starting", "the run is ready", "pump is backing off"] {
        assert_eq!(times(text), 1, "{text}");
    }
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn the_page_is_not_called_live_without_its_stream() {
    let mut program = start("").start().ready();
    // A stream that never opens.
    let script = "window.EventSource = class { static CLOSED = 2; readyState = 0; close() {} };";
    let Some(page) = Browser::open_with(&url_of(&mut program), script) else { return };
    page.wait_for("#state", "ready");
    page.wait_for("#link", "no events, every 1 s");
    page.close();
    program.stop().expect_code(0);
}
