//! Measurement of the time that a program takes to stop.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use super::network::Network;
use super::program::{Kind, Program};
use super::{median, milliseconds};

/// State of a program at the signal.
#[derive(Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) name: &'static str,
    connections: usize,
    is_busy: bool,
}

pub(crate) const SITUATIONS: [Situation; 3] = [
    Situation { name: "no connections", connections: 0, is_busy: false },
    Situation { name: "50 idle keep-alive connections", connections: 50, is_busy: false },
    Situation { name: "20 requests in flight, from the last byte", connections: 20, is_busy: true },
];

/// Result of one stop.
pub(crate) struct Stopped {
    took: Duration,
    /// Number of requests that got no whole response.
    lost: usize,
}

pub(crate) fn measure(
    kind: Kind,
    situation: Situation,
    workers: usize,
    network: &Network,
) -> Result<Stopped, String> {
    let program = Program::start(kind, workers, network)?;
    let (is_ready, ready) = channel();
    let connect = |_| client(program.address, situation.is_busy, is_ready.clone());
    let clients = network.client(|| (0..situation.connections).map(connect).collect::<Vec<_>>());
    drop(is_ready);
    // A client that can't connect counts as lost.
    let sent = ready.iter().take(situation.connections).count();
    if situation.is_busy {
        program.wait_for_requests(sent)?;
    }
    let told = program.terminate()?;
    let gone = program.exit()?;
    let ends: Vec<_> = clients.into_iter().map(|client| client.join().ok().flatten()).collect();
    let lost = ends.iter().filter(|end| end.is_none()).count();
    let from = ends.into_iter().flatten().filter(|_| situation.is_busy).max().unwrap_or(told);
    Ok(Stopped { took: gone.saturating_duration_since(from), lost })
}

/// Opens a connection with a request, and keeps it until the server closes it. `is_ready` gets a
/// message when the response has come, and from a busy client also when the request has been sent.
/// Returns the time of the response, or nothing if none came.
fn client(address: SocketAddr, is_busy: bool, is_ready: Sender<()>) -> JoinHandle<Option<Instant>> {
    spawn(move || {
        let mut stream = TcpStream::connect(address).ok()?;
        let path = if is_busy { "/slow" } else { "/fast" };
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").ok()?;
        if is_busy {
            let _ = is_ready.send(());
        }
        let (mut response, mut chunk) = (Vec::new(), [0; 4096]);
        let mut answered = None;
        while let Ok(count @ 1..) = stream.read(&mut chunk) {
            response.extend_from_slice(&chunk[..count]);
            if response.ends_with(b"\r\n\r\nok") {
                answered = Some(Instant::now());
                let _ = is_ready.send(());
            }
        }
        answered
    })
}

/// Returns the median, and the number of lost requests if there were any.
pub(crate) fn text(stops: &[Stopped]) -> String {
    let took = milliseconds(median(stops.iter().map(|stop| stop.took)));
    match stops.iter().map(|stop| stop.lost).sum::<usize>() {
        0 => took,
        lost => format!("{took}, {lost} lost"),
    }
}
