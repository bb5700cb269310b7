//! The live feed, which resumes without a gap, even across restarts.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};

use lifecycle_runtime::testing::Signal;
use serde_json::Value;

use crate::client::{Customer, agent};
use crate::process::{ADMIN_PASSWORD, command, ready_url, stop};

/// A client of the feed.
struct Feed {
    lines: Box<dyn BufRead>,
}

/// An event as a browser would see it.
#[derive(Debug)]
struct Event {
    id: i64,
    order: Value,
}

impl Feed {
    /// Follows the events after this one, or from now on. The stream has begun when this returns.
    fn follow(customer: &Customer, last: Option<i64>) -> Self {
        let mut request = agent().get(format!("{}/orders/events", customer.url));
        request = request
            .header("authorization", format!("Bearer {}", customer.token))
            .header("accept-encoding", "gzip, br");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = request.call().unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        let mut feed = Self { lines: Box::new(BufReader::new(response.into_body().into_reader())) };
        assert_eq!(feed.block(), Some(VecDeque::from(["retry: 500".to_owned()])));
        feed
    }

    /// Reads the lines up to the next empty one; `None` at the proper end of the stream.
    fn block(&mut self) -> Option<VecDeque<String>> {
        let mut block = VecDeque::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("the stream broke off") == 0 {
                assert!(block.is_empty(), "the stream ended within an event");
                return None;
            }
            match line.trim_end() {
                "" => return Some(block),
                line => block.push_back(line.to_owned()),
            }
        }
    }
}

impl Iterator for Feed {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let block = self.block()?;
        let value = |name: &str| block.iter().find_map(|line| line.strip_prefix(name)).unwrap();
        assert_eq!(value("event: "), "order.placed");
        Some(Event {
            id: value("id: ").parse().unwrap(),
            order: serde_json::from_str(value("data: ")).unwrap(),
        })
    }
}

#[test]
fn a_feed_ends_with_the_service_and_resumes_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let ana = Customer::sign_up(&ready_url(&mut service), "ana@example.org");
    ana.order("before");
    let feed = Feed::follow(&ana, None);
    let orders: Vec<_> = (0..3).map(|number| ana.order(&format!("live {number}"))).collect();
    service.signal(Signal::SIGTERM);
    let seen: Vec<_> = feed.collect();
    let ended = service.wait();
    assert_eq!(ended.code(), Some(0), "the stream held the stop up: {ended}");
    // Events of orders before the stop may arrive after the next start. Those that arrived have no
    // gap before them.
    let mut ids: Vec<_> = seen.iter().map(|event| event.order["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, orders[..ids.len()]);

    let mut last = seen.last().map_or(1, |event| event.id);
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL] {
        let mut service = command(folder.path()).spawn();
        let ana = ana.at(&ready_url(&mut service));
        let placed = [ana.order("one"), ana.order("two")];
        let mut feed = Feed::follow(&ana, Some(last));
        let mut expected: Vec<_> = orders[ids.len().min(orders.len())..].to_vec();
        expected.extend(placed);
        for id in expected {
            let event = feed.next().unwrap();
            assert_eq!(event.id, last + 1, "a gap");
            assert_eq!(event.order["id"], id);
            last = event.id;
        }
        ids.extend(orders.iter().skip(ids.len()));
        service.signal(signal);
        service.wait();
    }
}

#[test]
fn a_feed_ends_with_the_token_that_it_was_asked_for_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).env("SHOP_TOKEN_LIFETIME", "2s").spawn();
    let ana = Customer::sign_up(&ready_url(&mut service), "ana@example.org");
    let feed = Feed::follow(&ana, Some(0));
    assert_eq!(feed.count(), 0, "it goes on, or another one's orders are in it");
    assert_eq!(ana.get("/orders").0, 401);
    stop(service);
}

#[test]
fn a_feed_shows_customers_their_own_orders_and_an_admin_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).env("ADMIN_PASSWORD", ADMIN_PASSWORD).spawn();
    let url = ready_url(&mut service);
    let (ana, ben) =
        (Customer::sign_up(&url, "ana@example.org"), Customer::sign_up(&url, "ben@example.org"));
    let admin = Customer::sign_in(&url, "admin@shop.test", ADMIN_PASSWORD);
    let (mut of_ana, mut of_all) = (Feed::follow(&ana, None), Feed::follow(&admin, Some(0)));
    ben.order("of ben");
    ana.order("of ana");
    assert_eq!(of_ana.next().unwrap().order["note"], "of ana");
    assert_eq!(of_all.next().unwrap().order["note"], "of ben");
    assert_eq!(of_all.next().unwrap().order["note"], "of ana");
    let wrong = agent()
        .get(format!("{url}/orders/events"))
        .header("authorization", format!("Bearer {}", ana.token));
    assert_eq!(wrong.header("last-event-id", "x").call().unwrap().status(), 422);
    assert_eq!(agent().get(format!("{url}/orders/events")).call().unwrap().status(), 401);
    service.signal(Signal::SIGTERM);
    assert!(of_ana.next().is_none() && of_all.next().is_none());
    service.wait().assert_exit_code(0);
}
