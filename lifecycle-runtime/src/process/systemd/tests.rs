//! Tests of notifications, against a socket that the test reads or doesn't read.

use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;

use super::sample::{LONG, SampleManager, address, free_name, notifier};
use super::*;

#[test]
fn messages_arrive_in_their_order() {
    let manager = SampleManager::new();
    let notifier = manager.notifier();
    notifier.ready("ready");
    assert_eq!(manager.next(), "READY=1\nSTATUS=ready\n");
    notifier.reloading();
    let text = manager.next();
    let (begin, rest) = text.split_once("MONOTONIC_USEC=").expect("the time");
    assert_eq!(begin, "RELOADING=1\n");
    assert!(rest.lines().next().is_some_and(|time| time.parse::<u64>().is_ok()), "{text}");
    notifier.stopping("stopping (SIGTERM)", Duration::from_secs(2));
    let expected = "STOPPING=1\nSTATUS=stopping (SIGTERM)\nEXTEND_TIMEOUT_USEC=2000000\n";
    assert_eq!(manager.next(), expected);
    notifier.is_alive();
    assert_eq!(manager.next(), "WATCHDOG=1\n");
    notifier.ends(1, "not started");
    // The last handle sends what waits.
    drop(notifier);
    assert_eq!(manager.next(), "EXIT_STATUS=1\nSTATUS=not started\n");
}

#[test]
fn nothing_is_sent_for_a_service_that_is_handed_on() {
    let manager = SampleManager::new();
    let notifier = manager.notifier();
    notifier.main_process(7);
    notifier.stopping("stopping (upgrade)", Duration::from_secs(2));
    notifier.is_alive();
    notifier.ends(0, "stopped");
    // The last handle sends what waits.
    drop(notifier);
    assert_eq!(manager.next(), "MAINPID=7\n");
    // The next message is one of the successor's.
    let successor = manager.notifier();
    successor.ready("ready");
    assert_eq!(manager.next(), "READY=1\nSTATUS=ready\n");
}

#[test]
fn a_manager_that_reads_nothing_holds_nobody_up_and_gets_the_latest_state_once_it_reads() {
    let manager = SampleManager::new();
    // It fills the socket from another one, as the number of messages that fit is the system's.
    let filler = UnixDatagram::unbound().expect("a socket");
    let address = address(&manager.name);
    filler.set_nonblocking(true).expect("a socket");
    while filler.send_to_addr(b"full", &address).is_ok() {}
    let notifier = manager.notifier();
    let (complains, complaint) = mpsc::channel();
    notifier.complain_to(move |line| complains.send(line.to_owned()).expect("the test waits"));
    for number in 0..100_000 {
        notifier.status(&format!("status {number}"));
        notifier.extend(Duration::from_micros(number));
    }
    let line = complaint.recv_timeout(LONG).expect("a line");
    let expected =
        format!("can't notify the service manager (@{}): it reads nothing", manager.name);
    assert_eq!(line, expected);
    // It waits for no manager that doesn't read.
    notifier.flush(Duration::MAX);
    notifier.ready("ready");
    let text = loop {
        let text = manager.next();
        if text != "full" {
            break text;
        }
    };
    assert_eq!(text, "READY=1\nSTATUS=ready\n");
    notifier.is_alive();
    assert_eq!(manager.next(), "WATCHDOG=1\n", "nothing waits that was about the start");
    assert!(complaint.try_recv().is_err(), "it complains once");
}

#[test]
fn a_manager_that_is_gone_is_told_once_it_is_back() {
    let name = free_name();
    let notifier = notifier(&name);
    notifier.ready("ready");
    let (complains, complaint) = mpsc::channel();
    notifier.complain_to(move |line| complains.send(line.to_owned()).expect("the test waits"));
    let line = complaint.recv_timeout(LONG).expect("a line");
    assert!(line.starts_with(&format!("can't notify the service manager (@{name}): ")), "{line}");
    let manager = SampleManager::named(name);
    assert_eq!(manager.next(), "READY=1\nSTATUS=ready\n");
}

#[test]
fn a_name_that_is_no_address_is_a_mistake_and_nobody_is_notified() {
    let socket = Some("vsock:2:1234".into());
    let variables = ManagerVariables { socket, ..ManagerVariables::default() };
    let notifier = Notifier::of(&variables).expect("no thread");
    assert!(!notifier.is_some());
    assert_eq!(
        &*notifier.mistakes,
        ["NOTIFY_SOCKET=vsock:2:1234: neither a path nor an abstract name; the service manager \
          is not notified"]
    );
    notifier.ready("ready");
    notifier.flush(Duration::MAX);
}

/// Checks the time that these variables ask the process 7 for a sign of life in.
#[track_caller]
fn check_watchdog(time: &str, pid: &str, expected: Result<Option<u64>, ()>) {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let variables = ManagerVariables {
        watchdog: text(time),
        watchdog_pid: text(pid),
        ..ManagerVariables::default()
    };
    let found = variables.watchdog(7);
    assert_eq!(found.map_err(drop), expected.map(|time| time.map(Duration::from_micros)));
}

#[test]
fn the_watchdog_is_for_the_process_that_it_names_and_takes_no_nonsense() {
    check_watchdog("", "", Ok(None));
    check_watchdog("3000000", "", Ok(Some(3_000_000)));
    check_watchdog("3000000", "7", Ok(Some(3_000_000)));
    check_watchdog("3000000", "8", Ok(None));
    check_watchdog("3000000", "x", Ok(None));
    check_watchdog("soon", "7", Err(()));
    check_watchdog("0", "7", Err(()));
    check_watchdog("-1", "7", Err(()));
    // What is for another process is none of this one's business.
    check_watchdog("soon", "8", Ok(None));
}

#[test]
fn descriptors_are_stored_where_the_manager_has_room_for_some() {
    for (store, expected) in [("", false), ("0", false), ("many", false), ("4", true)] {
        let variables =
            ManagerVariables { store: Some(store.to_owned()), ..ManagerVariables::default() };
        assert_eq!(variables.stores_descriptors(), expected, "{store}");
    }
}

/// Takes all messages out of a queue.
fn messages(queue: &mut NotificationQueue) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(text) = queue.first().map(|(text, _)| text.into_owned()) {
        messages.push(text);
        queue.sent();
    }
    messages
}

#[test]
fn of_reloads_that_wait_only_the_last_is_sent() {
    let mut queue = NotificationQueue::default();
    let change = |text: &str| Notification { text: text.to_owned(), socket: None };
    queue.add(change("READY=1\n"));
    for number in 0..1_000 {
        queue.add_reload(format!("RELOADING=1\nMONOTONIC_USEC={number}\n"));
        queue.add(change("READY=1\n"));
    }
    let expected = ["READY=1\n", "RELOADING=1\nMONOTONIC_USEC=999\n", "READY=1\n"];
    assert_eq!(messages(&mut queue), expected);
}

#[test]
fn a_status_is_one_line_of_a_length_that_is_read() {
    assert_eq!(status_line("a\nb\tREADY=1\r\n\x1b c"), "STATUS=a b READY=1 \\u{1b} c\n");
    assert!(status_line(&"é".repeat(5_000)).len() < 2_100);
    let mut queue = NotificationQueue::default();
    queue.set_status("old");
    queue.set_alive();
    queue.set_status("new");
    assert_eq!(messages(&mut queue), ["STATUS=new\nWATCHDOG=1\n"]);
    // A change of the state replaces what waits about the state before, and no other does.
    let change = |text: &str| Notification { text: text.to_owned(), socket: None };
    for (text, expected) in [
        ("READY=1\nSTATUS=ready\n", &["READY=1\nSTATUS=ready\n"][..]),
        ("MAINPID=7\n", &["MAINPID=7\n", "STATUS=old\nEXTEND_TIMEOUT_USEC=1000000\n"]),
    ] {
        queue.set_status("old");
        queue.set_extension(Duration::from_secs(1));
        queue.add(change(text));
        assert_eq!(messages(&mut queue), expected);
    }
}
