//! Stream of events.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;

use serde_json::Value;

use super::{address_of, ask, start};
use crate::harness::{Program, Signal, own_address, program};
use crate::http::{Connection, Lost, tcp};

/// Client of the stream.
struct Follower {
    connection: Connection<TcpStream>,
    /// Part of the stream that has been read and not looked at.
    rest: String,
}

/// Message of the stream.
#[derive(Debug)]
struct Message {
    id: Option<String>,
    data: Value,
}

impl Follower {
    /// Follows the events, from the one with this identity on.
    fn of(address: &str, last: Option<&str>) -> Self {
        let mut connection = Connection::to(address).expect("it listens");
        connection.write(head(address, last).as_bytes()).expect("it listens");
        let head = connection.response_head().expect("a head");
        for part in [
            "http/1.1 200 ",
            "\r\ncontent-type: text/event-stream\r\n",
            "\r\ncache-control: no-store\r\n",
            "\r\nx-content-type-options: nosniff\r\n",
            "\r\nconnection: close\r\n",
        ] {
            assert!(head.contains(part), "{head}");
        }
        Self { connection, rest: String::new() }
    }

    /// Waits for the next message. `None` if the stream has come to its end.
    fn next(&mut self) -> Result<Option<Message>, Lost> {
        loop {
            if let Some((message, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
                let (id, data) = (field("id: ").map(str::to_owned), field("data: "));
                let data = data.map(|data| serde_json::from_str(data).expect("JSON"));
                self.rest = rest.to_owned();
                if let Some(data) = data {
                    return Ok(Some(Message { id, data }));
                }
                continue;
            }
            let chunk = self.connection.chunk()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            self.rest.push_str(&chunk);
        }
    }

    /// Waits for a message about this event, and returns it.
    #[track_caller]
    fn wait_for(&mut self, event: &str) -> Message {
        loop {
            let message = self.next().expect("a stream").expect("a message");
            if message.data["event"] == event {
                return message;
            }
        }
    }

    /// Reads the stream to its end.
    fn read_to_end(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.next().expect("a whole stream")).collect()
    }
}

fn head(address: &str, last: Option<&str>) -> String {
    let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    format!("GET /events HTTP/1.1\r\nhost: {address}\r\n{last}\r\n")
}

/// Returns the events in the order of their numbers, which have no gap.
#[track_caller]
fn numbers(messages: &[Message]) -> Vec<u64> {
    let number = |id: &str| id.rsplit('-').next().and_then(|number| number.parse().ok());
    messages
        .iter()
        .map(|message| number(message.id.as_ref().expect("an id")).expect("one"))
        .collect()
}

#[test]
fn the_stream_has_each_event_of_a_run_and_ends_with_it() {
    let mut program = start("db=wait").start();
    let address = address_of(&mut program);
    program.wait_until_said("db");
    let mut follower = Follower::of(&address, None);
    let begun = follower.wait_for("hook_started");
    assert_eq!(begun.data["name"], "db");
    assert!(begun.data["at"].is_f64() && begun.data["hook"] == "admin::db", "{begun:?}");
    program.tell("db");
    let mut program = program.ready();
    let began = numbers(&[begun])[0];
    program.signal(Signal::SIGTERM);
    let messages = follower.read_to_end();
    let last = messages.last().expect("a message");
    assert_eq!((&last.data["event"], &last.data["state"]), (&"state".into(), &"stopped".into()));
    let numbers = numbers(&messages);
    assert_eq!(numbers, (began + 1..=began + numbers.len() as u64).collect::<Vec<_>>());
    for event in ["hook_ended", "service", "listening", "stop_begun", "drained"] {
        assert!(messages.iter().any(|message| message.data["event"] == event), "{event}");
    }
    assert!(follower.connection.is_closed());
    program.end().expect_code(0);
}

#[test]
fn a_client_goes_on_where_it_was() {
    let mut program = start("").start().ready();
    let address = address_of(&mut program);
    let mut first = Follower::of(&address, None);
    let seen = first.wait_for("listening").id.expect("an id");
    let next = first.next().expect("a stream").expect("a message");
    drop(first);
    let mut again = Follower::of(&address, Some(&seen));
    let message = again.next().expect("a stream").expect("a message");
    assert_eq!((message.id, message.data), (next.id, next.data));
    // That of another process, and of nothing.
    for other in ["18c0ffee-3", "x", &format!("{seen}9999")] {
        let mut other = Follower::of(&address, Some(other));
        let message = other.next().expect("a stream").expect("a message");
        assert_eq!(message.data["event"], "other_run");
        let first = other.next().expect("a stream").expect("a message");
        assert!(first.id.expect("an id").ends_with("-1"));
    }
    program.stop().expect_code(0);
}

#[test]
fn a_client_that_asks_for_more_than_is_kept_is_told_so() {
    let address = own_address();
    let mut program = quiet_and_noisy(&address);
    let mut first = Follower::of(&address, None);
    let seen = first.wait_for("service").id.expect("an id");
    drop(first);
    program.wait_while(|| {
        let first = Follower::of(&address, Some(&seen)).next();
        let message = first.expect("a stream").expect("a message");
        message.data["event"] != "missed"
    });
    let mut again = Follower::of(&address, Some(&seen));
    let missed = again.wait_for("missed");
    assert_eq!(missed.id, None);
    let number = |id: &str| id.rsplit('-').next().and_then(|it| it.parse::<u64>().ok());
    let next = again.next().expect("a stream").expect("a message").id.expect("an id");
    let missed = missed.data["count"].as_u64().expect("a number");
    assert_eq!(number(&next), number(&seen).map(|seen| seen + missed + 1));
    program.stop();
}

#[test]
fn of_a_thousand_clients_the_oldest_are_told_to_go() {
    let mut program = start("").start().ready();
    let address = address_of(&mut program);
    let mut clients = VecDeque::new();
    for _ in 0..1_000 {
        clients.push_back(Follower::of(&address, None));
        if clients.len() > 64 {
            let mut oldest: Follower = clients.pop_front().expect("a client");
            let messages = oldest.read_to_end();
            let last = messages.last().expect("a message");
            assert_eq!(last.data["event"], "closed", "{last:?}");
            assert!(oldest.connection.is_closed());
        }
    }
    assert_eq!(ask(&address, "/livez").status, 200);
    // Those that are left see the end.
    program.signal(Signal::SIGTERM);
    for mut client in clients {
        let last = client.read_to_end().pop().expect("a message");
        assert_eq!(last.data["state"], "stopped");
    }
    program.end().expect_code(0);
}

#[cfg(target_os = "linux")]
#[test]
fn clients_that_never_read_are_dropped_and_hold_nothing_up() {
    let address = own_address();
    let mut program = quiet_and_noisy(&address);
    let silent = || {
        let mut stream = tcp(&address).expect("it listens");
        stream.write_all(head(&address, None).as_bytes()).expect("it listens");
        stream
    };
    let clients: Vec<_> = (0..20).map(|_| silent()).collect();
    let process = Process(program.pid().as_raw());
    program.wait_while(|| process.sockets_to(&address) < clients.len());
    let before = process.resident();
    program.wait_while(|| process.sockets_to(&address) > 0);
    // Twenty copies of what has happened would be many times as much.
    let more = process.resident().saturating_sub(before);
    assert!(more < 200 * 1024, "{more} KiB");
    assert_eq!(ask(&address, "/livez").status, 200);
    // Others read on, and the stop waits for nobody.
    let mut reader = Follower::of(&address, None);
    reader.wait_for("service");
    let _stuck = silent();
    program.stop().expect_code(0);
    drop(clients);
}

/// Starts the program with a service that fails again and again, and no line about that.
fn quiet_and_noisy(address: &str) -> Program {
    let program = start("noisy").env("LIFECYCLE_ADMIN", address).env("LIFECYCLE_CONSOLE", "off");
    let mut program = program.start();
    program.wait_while(|| {
        crate::http::request(address, "GET /readyz").map_or(true, |answer| answer.status != 200)
    });
    program
}

/// Process, as Linux shows it.
#[cfg(target_os = "linux")]
struct Process(i32);

#[cfg(target_os = "linux")]
impl Process {
    /// Returns the number of open sockets that clients of this address have.
    fn sockets_to(&self, address: &str) -> usize {
        let (ip, port) = address.split_once(':').expect("an address with a port");
        let ip: std::net::Ipv4Addr = ip.parse().expect("an IPv4 address");
        let port: u16 = port.parse().expect("a port");
        let local = format!("{:08X}:{port:04X}", u32::from_ne_bytes(ip.octets()));
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.0)).expect("a table");
        let is_established = |line: &&str| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next() == Some(&*local) && fields.nth(1) == Some("01")
        };
        table.lines().filter(is_established).count()
    }

    /// Returns the memory that it has, in KiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    }
}

#[test]
fn what_is_said_of_values_that_are_held_at_the_end_is_sent() {
    for (mode, is_held) in [("run static", true), ("serve static", true), ("run task", false)] {
        let program = program!("values").without_env("LIFECYCLE_BIND").args(mode);
        let mut program = program.env("LIFECYCLE_ADMIN", "127.0.0.1:0").start();
        let mut follower = Follower::of(&address_of(&mut program), None);
        program.ready().stop().expect_code(0);
        let messages = follower.read_to_end();
        let last = messages.last().expect("a message");
        assert_eq!(last.data["state"], "stopped", "{mode}");
        let held = messages.iter().filter(|message| message.data["event"] == "value_held");
        assert_eq!(held.count() > 0, is_held, "{mode}");
    }
}
