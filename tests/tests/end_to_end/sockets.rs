//! Addresses that a program listens on: several servers, several addresses, Unix sockets.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;

#[cfg(target_os = "linux")]
use lifecycle_tests::rig::{Link, Rig, unavailable};
use lifecycle_tests::skipped;
use tempfile::TempDir;

use crate::harness::{Signal, Start, own_address, program};
use crate::http::{Connection, Ending, request};
use crate::{STARTED, STOPPED};

/// Returns a folder for a socket, and the address to bind to.
fn socket() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("unix:{}", folder.path().join("s").display());
    (folder, address)
}

fn path(address: &str) -> &Path {
    Path::new(address.strip_prefix("unix:").expect("a Unix socket"))
}

fn service_on(address: &str) -> Start {
    program!("service").env("LIFECYCLE_BIND", address)
}

fn ask(address: &str) -> String {
    let mut client = Connection::to_any(address).expect("it listens");
    client.send("GET /").expect("it listens");
    client.response().expect("a response").body
}

#[test]
fn a_unix_socket_is_served_and_its_file_removed() {
    let (_folder, address) = socket();
    let mut program = service_on(&address).start();
    program.wait_for(&format!("listening on {address}"));
    assert_eq!(ask(&address), "ok");
    program.signal(Signal::SIGTERM);
    program.end().expect_code(0);
    assert!(!path(&address).exists());
}

#[test]
fn the_file_of_a_start_that_failed_is_removed() {
    let (_folder, address) = socket();
    service_on(&address).args("warm=fail").end().expect_code(1);
    assert!(!path(&address).exists());
}

#[test]
fn the_file_of_a_process_that_was_killed_is_replaced() {
    let (_folder, address) = socket();
    let mut program = service_on(&address).start().ready();
    program.signal(Signal::SIGKILL);
    program.end();
    assert!(path(&address).exists());
    let program = service_on(&address).start().ready();
    assert_eq!(ask(&address), "ok");
    program.stop().expect_code(0);
}

#[test]
fn the_file_of_a_live_server_is_not_taken() {
    let (_folder, address) = socket();
    let program = service_on(&address).start().ready();
    let ended = service_on(&address).end();
    ended
        .expect_code(1)
        .expect_did(&[])
        .expect_said(&[&format!("can't listen on {address}: "), "in use"]);
    assert_eq!(ask(&address), "ok");
    program.stop().expect_code(0);
}

#[test]
fn a_file_that_is_no_socket_is_not_replaced() {
    let (_folder, address) = socket();
    std::fs::write(path(&address), "precious").expect("a file");
    service_on(&address)
        .end()
        .expect_code(1)
        .expect_did(&[])
        .expect_said(&[&address, "there is a file that is no socket"]);
    assert_eq!(std::fs::read_to_string(path(&address)).expect("a file"), "precious");
}

#[test]
fn the_file_of_a_successor_is_not_removed() {
    let (_folder, address) = socket();
    let program = service_on(&address).start().ready();
    std::fs::remove_file(path(&address)).expect("a file");
    let _successor = UnixListener::bind(path(&address)).expect("a free place");
    program.stop().expect_code(0);
    assert!(path(&address).exists());
}

#[test]
fn of_two_starts_on_one_file_the_one_that_lost_it_fails() {
    let (_folder, address) = socket();
    let mut first = service_on(&address).args("warm=wait").start();
    first.wait_until_said("warm");
    let second = service_on(&address).start().ready();
    first.tell("warm");
    let ended = first.end();
    ended
        .expect_code(1)
        .expect_said(&["another process has replaced"])
        .expect_not_said(&["listening"]);
    assert_eq!(ask(&address), "ok");
    second.stop().expect_code(0);
}

#[test]
fn several_addresses_of_one_server_are_all_served() {
    let (_folder, unix) = socket();
    let mut program = service_on(&format!("127.0.0.1:0, 127.0.0.1:0,{unix}")).start().ready();
    let addresses = program.addresses();
    assert_eq!(addresses.len(), 2);
    assert_ne!(addresses[0], addresses[1]);
    for address in &addresses {
        assert_eq!(request(address, "GET /").expect("a response").body, "ok");
    }
    assert_eq!(ask(&unix), "ok");
    program.stop().expect_code(0);
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
}

#[test]
fn listeners_that_are_made_by_hand_are_served_and_closed() {
    let (_folder, unix) = socket();
    let start = || {
        let start = program!("servers").args(&format!("made={}", path(&unix).display()));
        start.without_env("LIFECYCLE_BIND")
    };
    let mut program = start().start().ready();
    program.wait_for(&format!("listening on {unix}"));
    let tcp = program.address();
    for address in [&tcp, &unix] {
        assert_eq!(ask(address), "made");
    }
    program.stop().expect_code(0);
    assert!(TcpStream::connect(&tcp).is_err());
    assert!(path(&unix).exists(), "the file is the program's");
    assert!(Connection::to_any(&unix).is_err());
    std::fs::remove_file(path(&unix)).expect("a file");
    let mut program = start().env("LIFECYCLE_BIND", "127.0.0.1:0").start().ready();
    assert_eq!(ask(&program.address()), "made");
    assert!(Connection::to_any(&unix).is_err(), "the environment overrides both");
    program.stop().expect_code(0).expect_not_said(&[&unix]);
}

#[test]
fn localhost_is_each_of_its_addresses() {
    let mut program = service_on("localhost:0").start().ready();
    let addresses = program.addresses();
    assert!(!addresses.is_empty());
    for address in addresses {
        assert_eq!(request(&address, "GET /").expect("a response").body, "ok");
    }
    program.stop().expect_code(0);
}

/// Returns `service` in a place where `localhost` has an address of each kind.
#[cfg(target_os = "linux")]
fn service_on_both(folder: &Path) -> Start {
    let (hosts, script) = (folder.join("hosts"), folder.join("script"));
    std::fs::write(&hosts, "127.0.0.1 localhost\n::1 localhost\n").expect("a file");
    std::fs::write(&script, "mount --bind \"$1\" /etc/hosts && exec \"$2\"").expect("a file");
    let program = env!("CARGO_BIN_EXE_service");
    let run = format!(
        "--mount --propagation private sh {} {} {program}",
        script.display(),
        hosts.display()
    );
    Start::new("unshare").args(&run).env("LIFECYCLE_BIND", "localhost:0")
}

/// Checks a system that has sockets for such addresses, but none of the addresses.
#[test]
#[cfg(target_os = "linux")]
fn localhost_is_its_ipv4_address_where_ipv6_is_switched_off() {
    if let Some(reason) = unavailable() {
        return skipped(reason);
    }
    let rig = Rig::new(Link::default()).expect("there was one before");
    let folder = tempfile::tempdir().expect("a folder");
    let served = || {
        let mut program = service_on_both(folder.path()).start().ready();
        let addresses = program.addresses();
        for address in &addresses {
            assert_eq!(request(address, "GET /").expect("a response").body, "ok");
        }
        program.stop().expect_code(0);
        addresses
    };
    rig.server(|| {
        assert_eq!(served().len(), 2, "it has two addresses");
        if let Err(error) = std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1") {
            return skipped(&format!("IPv6 can't be switched off: {error}"));
        }
        let addresses = served();
        assert!(addresses.len() == 1 && addresses[0].starts_with("127.0.0.1:"), "{addresses:?}");
        let ended = service_on("[::1]:0").end();
        ended
            .expect_code(1)
            .expect_said(&["this machine has no such address: choose another address with"]);
    });
}

#[test]
fn several_servers_start_and_stop_together() {
    let mut program = program!("servers").without_env("LIFECYCLE_BIND").start().ready();
    let addresses = program.addresses();
    let body = |address: &String| request(address, "GET /").expect("a response").body;
    let bodies: BTreeSet<_> = addresses.iter().map(body).collect();
    assert_eq!(bodies, BTreeSet::from(["first".to_owned(), "second".to_owned()]));
    let ended = program.stop();
    ended.expect_code(0).expect_said(&["2 requests finished, 0 cut off"]);
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
}

#[test]
fn several_servers_drain_together() {
    let (_folder, unix) = socket();
    let start = program!("routes")
        .args(&format!("unix={}", path(&unix).display()))
        .without_env("LIFECYCLE_BIND");
    let mut program = start.env("LIFECYCLE_QUIET_WINDOW", "3s").start().ready();
    let addresses = [program.address(), unix.clone()];
    let connect = |address: &String| Connection::to_any(address).expect("it listens");
    let mut idle = addresses.each_ref().map(connect);
    let mut held = addresses.each_ref().map(connect);
    for (client, name) in held.iter_mut().zip(["first", "second"]) {
        client.send(&format!("GET /held/{name}")).expect("it listens");
        program.wait_until_said(&format!("held {name}"));
    }
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    for (client, name) in held.iter_mut().zip(["first", "second"]) {
        program.tell(name);
        let response = client.response().expect("a response");
        assert_eq!(response.body, name);
        assert!(response.announces_close(), "{response:?}");
        assert_eq!(client.ending(), Ending::Closed);
    }
    for client in &mut idle {
        assert_eq!(client.ending(), Ending::Closed);
    }
    let ended = program.end();
    ended.expect_code(0).expect_said(&["2 requests finished, 0 cut off"]);
    // The windows pass at the same time, and not one after the other.
    assert!((3..6).contains(&ended.took.as_secs()), "{:?}\n{ended}", ended.took);
    assert!(!path(&unix).exists());
}

#[test]
fn one_bind_setting_for_several_servers_is_refused() {
    let ended = program!("servers").end();
    ended
        .expect_code(2)
        .expect_said(&["LIFECYCLE_BIND is for programs with one HTTP server, and this one has 2"]);
}

#[test]
fn an_address_taken_while_it_starts_fails_the_start() {
    // Two processes may bind one port as long as neither listens.
    let address = own_address();
    let mut first = service_on(&address).args("warm=wait").start();
    first.wait_until_said("warm");
    let mut second = service_on(&address).args("warm=wait").start();
    second.wait_until_said("warm");
    first.tell("warm");
    first.wait_for("ready");
    second.tell("warm");
    let ended = second.end();
    ended.expect_code(1).expect_not_said(&["listening"]).expect_said(&[
        &format!("start failed: can't listen on {address}: "),
        "another process listens there: stop it, or choose another address with `bind` or \
         LIFECYCLE_BIND",
    ]);
    ended.expect_did(&[&STARTED[..], &STOPPED].concat());
    first.stop().expect_code(0);
}
