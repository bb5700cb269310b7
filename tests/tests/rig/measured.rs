//! Measurements of rigs: a link keeps to its settings, rigs don't see each other, and nothing is
//! left of them.

use std::fs::Permissions;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_tests::LIMIT;
use lifecycle_tests::rig::{Direction, Link, Rig, Segment, unavailable};
use lifecycle_tests::skipped;
use socket2::{Domain, Socket, Type};

const PORT: u16 = 80;
const MS: Duration = Duration::from_millis(1);

/// Makes a rig, or reports that the test is skipped.
macro_rules! rig {
    ($link:expr) => {
        match unavailable() {
            Some(reason) => return skipped(reason),
            None => Rig::new($link).expect("there was one before"),
        }
    };
}

/// Port of the client whose packets are dropped.
const CLIENT: u16 = 40_000;

/// Starts a server that sends back everything that it gets from each client.
fn echo(rig: &Rig) {
    let listener = rig.server(|| TcpListener::bind(Rig::address(PORT)).expect("a free port"));
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            thread::spawn(move || std::io::copy(&mut &client, &mut &client));
        }
    });
}

fn connect() -> TcpStream {
    let stream = TcpStream::connect(Rig::address(PORT)).expect("it listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream.set_read_timeout(Some(LIMIT)).expect("a TCP socket");
    stream
}

/// Connects from this port of the clients' side.
fn connect_from(port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let [from, to] = [SocketAddr::from((Rig::CLIENT, port)), SocketAddr::from((Rig::SERVER, PORT))];
    socket.bind(&from.into()).expect("a free port");
    socket.connect(&to.into()).expect("it listens");
    socket.into()
}

#[test]
fn a_round_trip_takes_its_time_and_little_more() {
    for rtt in [1, 10, 40] {
        let rig = rig!(Link::rtt(rtt));
        echo(&rig);
        let rtt = u32::try_from(rtt).expect("a short time") * MS;
        let fastest = rig.client(|| {
            let began = Instant::now();
            let mut stream = connect();
            let connected = began.elapsed();
            assert!(connected >= rtt, "{connected:?} for a handshake");
            let mut round_trip = || {
                let began = Instant::now();
                stream.write_all(b"x").expect("an open connection");
                stream.read_exact(&mut [0]).expect("an answer");
                began.elapsed()
            };
            (0..20).map(|_| round_trip()).min().expect("some")
        });
        println!("{} measured: {fastest:?}", rig.link());
        // A busy machine adds to the time.
        assert!(fastest >= rtt && fastest < rtt + 20 * MS, "{fastest:?} instead of {rtt:?}");
    }
}

#[test]
fn a_narrow_link_takes_as_long_as_its_bandwidth_says() {
    const LENGTH: usize = 250_000;
    let rig = rig!(Link::rtt(10).bandwidth(1_000_000));
    echo(&rig);
    let took = rig.client(|| {
        let mut stream = connect();
        let mut reader = stream.try_clone().expect("another handle");
        let began = Instant::now();
        thread::scope(|scope| {
            scope.spawn(move || reader.read_exact(&mut vec![0; LENGTH]).expect("an answer"));
            stream.write_all(&vec![b'x'; LENGTH]).expect("an open connection");
        });
        began.elapsed()
    });
    println!("{} measured: {LENGTH} bytes in {took:?}", rig.link());
    assert!(took > 2000 * MS, "{took:?}: too fast");
}

#[test]
fn a_lossy_link_loses_its_share_and_tcp_mends_it() {
    const LENGTH: usize = 4_000_000;
    let rig = rig!(Link::rtt(1).loss(0.01, 5));
    echo(&rig);
    let port = rig.client(|| {
        let mut stream = connect();
        let port = stream.local_addr().expect("a socket").port();
        let mut reader = stream.try_clone().expect("another handle");
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut answer = Vec::new();
                reader.read_to_end(&mut answer).expect("an answer");
                assert_eq!(answer.len(), LENGTH);
            });
            stream.write_all(&vec![b'x'; LENGTH]).expect("an open connection");
            stream.shutdown(Shutdown::Write).expect("an open connection");
        });
        port
    });
    let counts = rig.counts(Direction::ToServer);
    println!("{counts:?}");
    let lost = counts.lost + rig.counts(Direction::ToClient).lost;
    assert_eq!(rig.dropped(port), lost, "all of them were of the one connection");
    // These are at least 2,740 packets, of which 27 are expected to be lost.
    assert!(
        counts.lost * 1000 > counts.sent * 3 && counts.lost * 1000 < counts.sent * 30,
        "{counts:?}"
    );
}

#[test]
fn handshakes_are_seen_as_the_server_sees_them() {
    let rig = rig!(Link::rtt(10));
    echo(&rig);
    let port = rig.client(|| {
        let stream = connect();
        (&stream).write_all(b"x").expect("an open connection");
        (&stream).read_exact(&mut [0]).expect("an answer");
        stream.local_addr().expect("a socket").port()
    });
    let refused = Rig::address(PORT + 1);
    rig.client(|| TcpStream::connect(&refused).expect_err("nobody listens there"));
    let handshakes = rig.handshakes();
    let segments = &handshakes[&port].segments;
    assert!(segments.starts_with(&[Segment::Syn, Segment::SynAck]), "{segments:?}");
    let others: Vec<_> = handshakes.iter().filter(|(other, _)| **other != port).collect();
    let [(_, other)] = others[..] else { panic!("not one: {others:?}") };
    assert_eq!(other.segments, [Segment::Syn, Segment::Reset]);
    assert!(handshakes.values().all(|handshake| !handshake.is_first_dropped()));
    assert!(handshakes.values().all(|handshake| !handshake.is_end_lost));

    // Packets that come while the link is off are sent again.
    rig.switch_off();
    thread::scope(|scope| {
        scope.spawn(|| rig.client(|| drop(connect_from(CLIENT))));
        let began = Instant::now();
        while rig.dropped(CLIENT) == 0 {
            assert!(began.elapsed() < LIMIT, "the client has sent nothing");
            thread::sleep(MS);
        }
        rig.switch_on();
    });
    // The server has got a repetition. The first packet has not come to its side, so the server did
    // not drop it.
    let handshake = &rig.handshakes()[&CLIENT];
    assert_eq!(handshake.segments, [Segment::Syn, Segment::SynAck]);
    assert!(!handshake.is_first_dropped());
}

#[test]
fn whoever_does_not_listen_refuses() {
    let rig = rig!(Link::rtt(10));
    let error = rig.client(|| TcpStream::connect(Rig::address(PORT)).expect_err("nobody listens"));
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn nothing_arrives_through_a_link_that_is_switched_off() {
    let rig = rig!(Link::rtt(10));
    echo(&rig);
    rig.client(|| {
        let mut stream = connect();
        stream.write_all(b"x").expect("an open connection");
        stream.read_exact(&mut [0]).expect("an answer");
        rig.switch_off();
        stream.write_all(b"x").expect("nobody has heard of it");
        stream.set_read_timeout(Some(300 * MS)).expect("a TCP socket");
        let error = stream.read_exact(&mut [0]).expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn rigs_do_not_see_each_other_and_a_process_is_where_it_was_started() {
    let rigs = [rig!(Link::rtt(1)), rig!(Link::rtt(1))];
    echo(&rigs[0]);
    let is_open = |rig: &Rig| rig.client(|| TcpStream::connect(Rig::address(PORT)).is_ok());
    assert_eq!(rigs.each_ref().map(is_open), [true, false]);
    let addresses = |rig: &Rig| {
        let output = rig
            .server(|| Command::new("cat").arg("/proc/net/fib_trie").output().expect("cat runs"));
        String::from_utf8(output.stdout).expect("a text")
    };
    let seen = addresses(&rigs[1]);
    assert!(
        seen.contains("10.9.0.1\n") && seen.contains("127.0.0.1\n") && !seen.contains("10.9.0.2\n"),
        "{seen}"
    );
}

#[test]
fn clients_run_at_the_same_time() {
    let rig = rig!(Link::rtt(100));
    echo(&rig);
    let began = Instant::now();
    let answers = rig.clients(50, |number| {
        let mut stream = connect();
        stream.write_all(&[u8::try_from(number).expect("few")]).expect("an open connection");
        let mut answer = [0];
        stream.read_exact(&mut answer).expect("an answer");
        usize::from(answer[0])
    });
    assert_eq!(answers, (0..50).collect::<Vec<_>>());
    assert!(began.elapsed() < 2000 * MS, "{:?}: one after the other", began.elapsed());
}

/// Runs the test program itself, as a user who may make no namespaces.
#[test]
fn a_test_that_may_make_no_rig_passes_and_says_why_it_did_nothing() {
    const NOBODY: &str = "65534";
    if let Some(reason) = unavailable() {
        return skipped(reason);
    }
    // The folder is one that anybody may enter.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our folder");
    let program = folder.path().join("rig");
    std::fs::copy(std::env::current_exe().expect("Linux"), &program).expect("room for a copy");
    let output = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--inh-caps=-all"])
        .arg(&program)
        .args(["--exact", "measured::a_round_trip_takes_its_time_and_little_more"])
        .current_dir(folder.path())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => return skipped("there is no setpriv"),
        Err(error) => panic!("{error}"),
    };
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{}\n{stdout}{stderr}",
        output.status
    );
    let line = stderr.lines().find(|line| line.starts_with("SKIPPED, ")).unwrap_or_default();
    let reason = "they need root and /dev/net/tun): Operation not permitted";
    assert!(line.contains(reason) && line.contains("measured.rs:"), "{stderr}");
}

#[track_caller]
fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "not in {LIMIT:?}");
        thread::sleep(MS);
    }
}

#[test]
fn nothing_is_left_of_a_rig() {
    let rig = rig!(Link::rtt(1));
    let name = format!("rig {} ", rig.number());
    let relays = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|other| other.starts_with(&name)).count()
    };
    let namespace = rig.client_namespace().clone();
    let devices =
        || namespace.run(|| std::fs::read_to_string("/proc/thread-self/net/dev").expect("Linux"));
    wait_until(|| relays() == 2);
    assert!(devices().contains("rig:"));
    drop(rig);
    assert!(!devices().contains("rig:"), "{}", devices());
    // The system lists a thread for a moment longer than a wait for its end takes.
    wait_until(|| relays() == 0);
}
