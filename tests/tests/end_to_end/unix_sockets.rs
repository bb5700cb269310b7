//! Unix sockets: the owner of the file, its permissions, and names that are no file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::harness::{Start, program};
use crate::http::Connection;

fn service_on(address: &str) -> Start {
    program!("service").env("LIFECYCLE_BIND", address)
}

/// Fills the queue of a listener, and returns the connections that fill it.
fn full(path: &Path) -> Vec<Socket> {
    let (address, unix) = (SockAddr::unix(path).expect("a path"), || {
        Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket")
    });
    let owner = unix();
    owner.bind(&address).expect("a free place");
    owner.listen(0).expect("a listener");
    let mut sockets = vec![owner];
    loop {
        let client = unix();
        client.set_nonblocking(true).expect("a socket");
        let connected = client.connect(&address);
        sockets.push(client);
        if let Err(error) = connected {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
            return sockets;
        }
    }
}

#[test]
fn a_socket_whose_owner_does_not_accept_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let _owner = full(&path);
    let address = format!("unix:{}", path.display());
    for name in ["LIFECYCLE_BIND", "LIFECYCLE_ADMIN"] {
        let ended = program!("service").env(name, &address).end();
        ended
            .expect_code(1)
            .expect_did(&[])
            .expect_said(&[&format!("can't listen on {address}: "), "in use"]);
        assert!(path.exists());
    }
}

#[test]
fn who_may_use_a_socket_is_as_the_address_says_whatever_the_umask() {
    let folder = tempfile::tempdir().expect("a folder");
    let (app, admin) = (folder.path().join("app"), folder.path().join("admin"));
    let start = service_on(&format!("unix:{}?mode=666", app.display()));
    let start = start.env("LIFECYCLE_ADMIN", format!("unix:{}?mode=0600", admin.display()));
    let mut program = start.start();
    program.wait_for(&format!("listening on unix:{}", app.display()));
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
    assert_eq!((mode(&app), mode(&admin)), (0o666, 0o600));
    program.stop().expect_code(0);
    assert!(!app.exists() && !admin.exists());
}

#[test]
fn a_unix_address_that_means_nothing_is_a_mistake_in_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    for (rest, reason) in [
        ("?mode=888", "`888` is no mode: use octal digits, as in mode=660"),
        ("?mode=1777", "`1777` is no mode: use octal digits, as in mode=660"),
        ("?mode=", "`` is no mode: use octal digits, as in mode=660"),
        ("?mod=660", "`mod=660` is no option: the only one is mode, as in ?mode=660"),
        ("?mode=660&mode=600", "`mode` is there twice"),
    ] {
        let address = format!("unix:{}{rest}", path.display());
        let ended = service_on(&address).end();
        ended
            .expect_code(2)
            .expect_did(&[])
            .expect_said(&[&format!("`{address}` is no address"), reason]);
    }
    for (address, reason) in [
        ("unix:", "the path is empty"),
        ("unix:?mode=660", "the path is empty"),
        ("unix:@", "the name is empty"),
        ("unix:@name?mode=660", "an abstract name is no file and has no mode"),
    ] {
        let ended = service_on(address).end();
        ended
            .expect_code(2)
            .expect_did(&[])
            .expect_said(&[&format!("`{address}` is no address"), reason]);
    }
    let ended = service_on(&format!("unix:/{}", "x".repeat(200))).end();
    ended.expect_code(2).expect_said(&["is no address", "shorter"]);
    assert!(!path.exists());
}

#[test]
#[cfg(target_os = "linux")]
fn an_abstract_name_is_served_and_taken_once() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};

    let name = format!("lifecycle-tests-{}", std::process::id());
    let address = format!("unix:@{name}");
    let mut program = service_on(&address).start();
    program.wait_for(&format!("listening on {address}"));
    let place = SocketAddr::from_abstract_name(&name).expect("a name");
    let mut client = Connection::over(UnixStream::connect_addr(&place).expect("it listens"));
    client.send("GET /").expect("it listens");
    assert_eq!(client.response().expect("a response").body, "ok");
    let ended = service_on(&address).end();
    ended
        .expect_code(1)
        .expect_did(&[])
        .expect_said(&[&format!("can't listen on {address}: "), "in use"]);
    let ended = service_on(&format!("{address}2,{address}2")).end();
    ended
        .expect_code(2)
        .expect_did(&[])
        .expect_said(&["of this program takes; give each an address of its own"]);
    program.stop().expect_code(0);
    assert!(UnixStream::connect_addr(&place).is_err());
}

#[test]
fn the_file_of_a_relative_path_is_removed_wherever_the_program_is_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let start = service_on("unix:s").folder(folder.path()).args("warm=chdir");
    let mut program = start.start();
    program.wait_for(&format!("listening on unix:{}", path.display()));
    assert!(path.exists());
    program.stop().expect_code(0);
    assert!(!path.exists());
}

#[test]
fn nothing_is_left_beside_a_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let entries = || std::fs::read_dir(folder.path()).expect("a folder").count();
    for round in 0..3 {
        let mut program = service_on(&format!("unix:{}", path.display())).start();
        program.wait_for("listening on unix:");
        assert_eq!(entries(), 1, "round {round}");
        if round == 1 {
            program.stop().expect_code(0);
            assert_eq!(entries(), 0);
        } else {
            program.signal(crate::harness::Signal::SIGKILL);
            program.end();
            assert_eq!(entries(), 1);
        }
    }
}
