//! Listeners that stay open while one process follows another.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::dup;

use crate::harness::{Program, Signal, Start, program};
use crate::http::{Connection, request};

/// Listener of this process that the programs which it starts get, too.
struct Kept {
    listener: TcpListener,
    address: String,
}

impl Kept {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        // The descriptor stays open when a program is started.
        fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).expect("a flag");
        let address = listener.local_addr().expect("an address").to_string();
        Self { listener, address }
    }

    fn start(&self) -> Start {
        let number = self.listener.as_raw_fd().to_string();
        let start = program!("service").env("LIFECYCLE_BIND", format!("fd:{number}"));
        // On a busy machine clients are slow to send.
        let start = start.env("LIFECYCLE_QUIET_WINDOW", "10s");
        start.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", number)
    }
}

#[test]
fn nobody_is_refused_while_one_process_follows_another_on_the_listener_of_their_parent() {
    let kept = Kept::new();
    let (answered, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let last = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let response = request(&kept.address, "GET /").expect("a response");
                    assert_eq!(response.status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut program = kept.start().start().ready();
        for _ in 0..5 {
            let before = answered.load(Ordering::Relaxed);
            program.wait_while(|| answered.load(Ordering::Relaxed) < before + 50);
            program.signal(Signal::SIGTERM);
            program.end().expect_code(0);
            // Nobody accepts now.
            program = kept.start().start().ready();
        }
        is_over.store(true, Ordering::Relaxed);
        program
    });
    last.stop().expect_code(0);
}

#[test]
fn a_listener_that_the_parent_has_not_left_open_is_a_mistake() {
    let start = || program!("service").without_env("LISTEN_FDS");
    let ended = start().env("LIFECYCLE_BIND", "fd:3").end();
    ended.expect_code(2).expect_said(&["can't take the listener `fd:3`: LISTEN_FDS is not set"]);
    for address in ["fd:", "fd:two words", "fd:9999999999999999999999"] {
        let ended = start().env("LIFECYCLE_BIND", address).end();
        ended
            .expect_code(2)
            .expect_did(&[])
            .expect_said(&[&format!("can't take the listener `{address}`: ")]);
    }
    let two = |address: &str| start().env("LIFECYCLE_BIND", address).env("LISTEN_FDS", "2").end();
    two("fd:7").expect_code(2).expect_said(&["LISTEN_FDS=2: it has 3 to 4"]);
    two("fd:2").expect_code(2).expect_said(&["LISTEN_FDS=2: it has 3 to 4"]);
    two("fd:web")
        .expect_code(2)
        .expect_said(&["no listener is named `web`: LISTEN_FDNAMES is not set"]);
    let ended = start().env("LIFECYCLE_BIND", "fd:3").env("LISTEN_FDS", "many").end();
    ended.expect_code(2).expect_said(&["LISTEN_FDS=many is no number"]);
    // Descriptor 0 is open, but is no listener.
    let ended = start()
        .env("LIFECYCLE_BIND", "fd:0")
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDS_FIRST_FD", "0")
        .end();
    ended.expect_code(2).expect_said(&["can't take the listener `fd:0`: fd 0 is not a socket"]);
}

#[test]
fn listeners_of_another_process_are_told_by_both_numbers() {
    let start = program!("service")
        .env("LIFECYCLE_BIND", "fd:3")
        .env("LISTEN_FDS", "1")
        .env("LISTEN_PID", "1");
    let mut program = start.start();
    let line = program.wait_for("can't take the listener `fd:3`: ");
    let ended = program.end();
    ended.expect_code(2).expect_did(&[]);
    let (_, own) = line.split_once("LISTEN_PID is 1, and this process is ").expect("both numbers");
    let own: u32 = own
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .expect("a number")
        .parse()
        .expect("a number");
    assert!(own > 1, "{line}");
}

/// Duplicates listeners at consecutive numbers, which the programs that are started inherit.
fn at_numbers(listeners: &[&dyn AsFd]) -> Vec<OwnedFd> {
    // The copies are kept until the end, so that their numbers are not given again.
    let mut others = Vec::new();
    loop {
        let copies: Vec<_> = listeners
            .iter()
            .map(|listener| dup(listener.as_fd()).expect("a free number"))
            .collect();
        // Other tests take numbers meanwhile.
        if copies.windows(2).all(|pair| pair[0].as_raw_fd() + 1 == pair[1].as_raw_fd()) {
            return copies;
        }
        others.extend(copies);
    }
}

/// Command that starts `service` with listeners, and copies of them that keep them open.
struct Handed {
    copies: Vec<OwnedFd>,
    start: Start,
}

impl Handed {
    /// Hands listeners to a program under these names.
    fn new(listeners: &[&dyn AsFd], names: &str) -> Self {
        let copies = at_numbers(listeners);
        let start = program!("service")
            .env("LISTEN_FDS", copies.len().to_string())
            .env("LISTEN_FDNAMES", names);
        let start = start.env("LISTEN_FDS_FIRST_FD", copies[0].as_raw_fd().to_string());
        Self { copies, start }
    }

    /// Returns the number of the first listener.
    fn number(&self) -> i32 {
        self.copies[0].as_raw_fd()
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.start = self.start.env(name, value);
        self
    }

    fn start(self) -> Program {
        self.start.start()
    }
}

#[test]
fn a_unix_listener_of_the_parent_is_served_and_stays_the_parents() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let address = format!("unix:{}", path.display());
    let listener = UnixListener::bind(&path).expect("a free place");
    for _ in 0..2 {
        let handed = Handed::new(&[&listener], "");
        let number = format!("fd:{}", handed.number());
        let mut program = handed.env("LIFECYCLE_BIND", &number).start();
        program.wait_for(&format!("listening on {address}"));
        let mut client = Connection::to_any(&address).expect("it listens");
        client.send("GET /").expect("it listens");
        assert_eq!(client.response().expect("a response").body, "ok");
        program.stop().expect_code(0);
        assert!(path.exists());
        // A connection that comes now waits for the next process.
        drop(Connection::to_any(&address).expect("the parent has it open"));
    }
}

#[test]
fn listeners_are_found_by_their_names_the_probes_too() {
    let tcp = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (web, more, admin) = (tcp(), tcp(), tcp());
    let address = |listener: &TcpListener| listener.local_addr().expect("an address").to_string();
    let handed = Handed::new(&[&web, &admin, &more], "web:admin:web");
    let mut program =
        handed.env("LIFECYCLE_BIND", "fd:web").env("LIFECYCLE_ADMIN", "fd:admin").start();
    program.wait_for(&format!("probes on http://{}", address(&admin)));
    let program = program.ready();
    for listener in [&web, &more] {
        assert_eq!(request(&address(listener), "GET /").expect("a response").body, "ok");
    }
    assert_eq!(request(&address(&admin), "GET /livez").expect("a response").status, 200);
    program.stop().expect_code(0);
    let ended =
        Handed::new(&[&web, &admin], "web:admin").env("LIFECYCLE_BIND", "fd:api").start().end();
    ended
        .expect_code(2)
        .expect_did(&[])
        .expect_said(&["no listener is named `api`: LISTEN_FDNAMES=web:admin"]);
    let handed = Handed::new(&[&web], "web");
    let both = format!("fd:web,fd:{}", handed.number());
    let ended = handed.env("LIFECYCLE_BIND", &both).start().end();
    ended
        .expect_code(2)
        .expect_did(&[])
        .expect_said(&["another address of this program has taken it"]);
}

#[test]
fn what_does_not_listen_is_no_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client =
        TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let refused = |what: &dyn AsFd| {
        let handed = Handed::new(&[what], "");
        let address = format!("fd:{}", handed.number());
        handed.env("LIFECYCLE_BIND", &address).start().end()
    };
    refused(&client).expect_code(2).expect_did(&[]).expect_said(&["it does not listen"]);
    refused(&datagrams).expect_code(2).expect_did(&[]).expect_said(&["is not a valid"]);
}

#[test]
fn a_listener_that_nobody_takes_is_told_and_children_do_not_inherit_it() {
    let tcp = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (web, more) = (tcp(), tcp());
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let handed = Handed::new(&[&web, &more, &datagrams], "web:more:");
    let first = handed.number();
    let mut program = handed.env("LIFECYCLE_BIND", "fd:web").start();
    let line = program.wait_for("nothing takes what the parent has left open: ");
    let more = more.local_addr().expect("an address");
    let datagrams = datagrams.local_addr().expect("an address");
    let left = format!("fd:{} (`more`, {more}), fd:{} ({datagrams})", first + 1, first + 2);
    assert!(line.contains(&left), "{line}");
    let program = program.ready();
    if cfg!(target_os = "linux") {
        for number in first..first + 3 {
            let path = format!("/proc/{}/fdinfo/{number}", program.pid());
            let text = std::fs::read_to_string(path).expect("an open descriptor");
            let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
            let closes = flags.expect("its flags") & 0o2_000_000 != 0;
            assert!(closes, "{number} is inherited by children");
        }
    }
    program.stop().expect_code(0);
    // A program that takes all of them says nothing.
    let ended = Handed::new(&[&web], "web").env("LIFECYCLE_BIND", "fd:web").start().ready().stop();
    ended.expect_code(0).expect_not_said(&["nothing takes", "another order"]);
}

#[test]
fn listeners_of_several_units_that_are_taken_by_number_are_told_with_their_names() {
    let tcp = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (web, admin) = (tcp(), tcp());
    let handed = Handed::new(&[&admin, &web], "admin.socket:web.socket");
    let (first, second) = (handed.number(), handed.number() + 1);
    let handed = handed.env("LIFECYCLE_BIND", &format!("fd:{first}"));
    let mut program = handed.env("LIFECYCLE_ADMIN", &format!("fd:{second}")).start();
    let line = program.wait_for(": another start may have another order; take listeners by name");
    let address = |listener: &TcpListener| listener.local_addr().expect("an address").to_string();
    for told in [
        format!("fd:{first} is `admin.socket` ({})", address(&admin)),
        format!("fd:{second} is `web.socket` ({})", address(&web)),
        "fd:admin.socket, fd:web.socket".to_owned(),
    ] {
        assert!(line.contains(&told), "{line}");
    }
    program.ready().stop().expect_code(0);
}
