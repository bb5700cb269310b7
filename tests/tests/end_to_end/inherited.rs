//! Listeners that stay open while one process follows another.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_tests::LIMIT;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::harness::{Signal, Start, program};
use crate::http::request;

/// A listener of this process, and how to start a program that has it, too.
struct Kept {
    listener: TcpListener,
    address: String,
}

impl Kept {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        // It outlives the start of a program.
        fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).expect("a flag");
        let address = listener.local_addr().expect("an address").to_string();
        Self { listener, address }
    }

    fn start(&self) -> Start {
        let number = self.listener.as_raw_fd().to_string();
        let start = program!("service").env("LIFECYCLE_BIND", format!("fd:{number}"));
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
            let (before, begun) = (answered.load(Ordering::Relaxed), Instant::now());
            while answered.load(Ordering::Relaxed) < before + 50 {
                assert!(begun.elapsed() < LIMIT, "nobody is answered");
                thread::sleep(Duration::from_millis(1));
            }
            program.signal(Signal::SIGTERM);
            program.end().expect_code(0);
            // Nobody is there now.
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
    ended.expect_code(2).expect_said(&["can't take the listener `fd:3`: the parent has left none open there"]);
    let ended = start().env("LIFECYCLE_BIND", "fd:x").end();
    ended.expect_code(2).expect_said(&["can't take the listener `fd:x`: it is no number of such a listener"]);
    // 0 is there, but no listener.
    let ended = start().env("LIFECYCLE_BIND", "fd:0").env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", "0").end();
    ended.expect_code(2).expect_said(&["can't take the listener `fd:0`: fd 0 is not a socket"]);
}
