//! Things that a successor is handed: listeners of every kind, and nothing else.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::line::{Gate, Installed, Line};
use crate::harness::{own_address, program, system};
use crate::http::{Connection, request};

#[test]
fn each_of_several_servers_keeps_its_listener_even_if_the_system_chose_the_port() {
    let mut line = Line::start(program!("servers").without_env("LIFECYCLE_BIND"));
    let addresses = line.program.addresses();
    assert_eq!(addresses.len(), 2);
    for _ in 0..3 {
        line.upgrade();
        let bodies = addresses.iter().map(|address| request(address, "GET /"));
        let bodies: Vec<_> = bodies.map(|answer| answer.expect("a response").body).collect();
        assert_eq!(bodies, ["first", "second"]);
    }
    line.stop().expect_code(0);
    assert!(Connection::to(&addresses[0]).is_err());
}

#[test]
fn the_probes_pass_all_the_time_on_new_connections_and_on_kept_ones() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let admin = own_address();
    let mut line = Line::start(installed.start().env("LIFECYCLE_ADMIN", &admin));
    let gate = Gate::before(&installed);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let fresh = scope.spawn(|| {
            let mut asked = 0;
            while !is_over.load(Ordering::Relaxed) {
                let readiness = request(&admin, "GET /readyz").expect("it listens");
                assert_eq!(readiness.status, 200, "{readiness:?}");
                asked += 1;
            }
            asked
        });
        let kept = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let mut client = Connection::to(&admin).expect("it listens");
                // The connection ends with its process.
                while client.send("GET /readyz").is_ok()
                    && let Ok(readiness) = client.response()
                    && !is_over.load(Ordering::Relaxed)
                {
                    assert_eq!(readiness.status, 200, "{readiness:?}");
                }
            }
        });
        for _ in 0..3 {
            line.signal(crate::harness::Signal::SIGUSR2);
            line.program.wait_for("upgrade: starting ");
            gate.open();
            line.upgraded();
            gate.close();
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(fresh.join().expect("no panic") > 0);
        kept.join().expect("no panic");
    });
    line.stop().expect_code(0);
}

#[test]
fn a_listener_of_the_parents_stays_the_parents() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // The descriptor stays open when a program is started.
    fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).expect("a flag");
    let address = listener.local_addr().expect("an address").to_string();
    let number = listener.as_raw_fd().to_string();
    let start = program!("service").env("LIFECYCLE_BIND", format!("fd:{number}"));
    let start = start.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", number);
    let mut line = Line::start(start);
    for _ in 0..3 {
        line.upgrade();
        line.wait_until_at(&address);
    }
    line.stop().expect_code(0);
    // Nobody has closed it.
    drop(Connection::to(&address).expect("the parent has it open"));
}

#[test]
fn an_address_that_the_successor_does_not_have_is_closed_and_said() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let (before, after) = (own_address(), own_address());
    let mut line = Line::start(installed.start().env("LIFECYCLE_BIND", &before));
    installed.replace_by_script(&format!("export LIFECYCLE_BIND={after}\n{{run}}"));
    line.upgrade();
    line.program.wait_for(&format!("{before} of the predecessor is closed"));
    line.wait_until_at(&after);
    // The predecessor has let go of it as well once it has ended.
    line.program.wait_for("stopped (process ");
    assert!(Connection::to(&before).is_err());
    line.stop().expect_code(0);
}

#[test]
fn the_file_of_a_unix_socket_stays_the_same_and_so_do_its_permissions() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let address = format!("unix:{}?mode=606", path.display());
    let mut line = Line::start(program!("service").env("LIFECYCLE_BIND", &address));
    let file = || {
        let metadata = std::fs::metadata(&path).expect("a file");
        (metadata.ino(), metadata.mode() & 0o777)
    };
    let before = file();
    assert_eq!(before.1, 0o606);
    for _ in 0..2 {
        line.upgrade();
        assert_eq!(file(), before);
    }
    line.stop().expect_code(0);
    assert!(!path.exists());
}

#[test]
fn the_pid_file_has_the_process_that_serves_until_the_last_one_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pid");
    let mut line = Line::start(program!("service").env("LIFECYCLE_PID_FILE", &file));
    let text = || std::fs::read_to_string(&file).expect("a file");
    assert_eq!(text(), format!("{}\n", line.process));
    for _ in 0..2 {
        let before = line.process;
        line.upgrade();
        assert_eq!(text(), format!("{}\n", line.process));
        line.program.wait_while(|| system::is_running(before));
        assert_eq!(text(), format!("{}\n", line.process));
    }
    line.stop().expect_code(0);
    assert!(!file.exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_successor_has_no_descriptor_of_its_predecessors_but_the_listeners() {
    let address = own_address();
    let mut line = Line::start(program!("service").env("LIFECYCLE_BIND", &address));
    // It has a connection, which is no business of the successor's.
    let mut client = Connection::to(&address).expect("it listens");
    client.send("GET /").expect("it listens");
    assert_eq!(client.response().expect("a response").body, "ok");
    let mut before = None;
    for _ in 0..4 {
        let predecessor = line.process;
        line.upgrade();
        line.program.wait_while(|| system::is_running(predecessor));
        // It ends, and closes the channel, when it has seen that the predecessor has ended.
        let process = line.process;
        line.program.wait_while(|| system::has_thread(process, "lifecycle-predecessor"));
        let found = system::open_files(process);
        let listening = found.iter().filter(|file| file.starts_with("socket")).count();
        assert!(listening >= 2, "{found:?}");
        let kinds = |file: &String| file.split(':').next().map(str::to_owned);
        let mut kinds: Vec<_> = found.iter().filter_map(kinds).collect();
        kinds.sort();
        // What a process has more than its predecessor would grow from one to the next.
        assert_eq!(*before.get_or_insert_with(|| kinds.clone()), kinds);
    }
    line.stop().expect_code(0);
}
