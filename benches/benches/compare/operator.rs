//! Operator who watches a program: asks for its metrics each second, and follows its events.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// Time between two looks at the metrics. Scrapers ask less often.
const INTERVAL: Duration = Duration::from_secs(1);

/// Limit for the start of the listener.
const PATIENCE: Duration = Duration::from_secs(40);

/// Operator who watches until this is dropped.
pub(crate) struct Operator {
    /// Sender whose drop ends the watch.
    over: Option<Sender<()>>,
    watch: Option<JoinHandle<()>>,
}

impl Operator {
    /// Watches the program whose listener for operators has this address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let (over, is_over) = channel();
        let watch = spawn(move || watch(address, &is_over));
        Self { over: Some(over), watch: Some(watch) }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        drop(self.over.take());
        let _ = self.watch.take().map(JoinHandle::join);
    }
}

fn watch(address: SocketAddr, is_over: &Receiver<()>) {
    let begun = Instant::now();
    let events = loop {
        match ask(address, "/events") {
            Some(events) => break events,
            None if begun.elapsed() > PATIENCE => return,
            None => sleep(Duration::from_millis(1)),
        }
    };
    let end = events.try_clone();
    let reader = spawn(move || read(events));
    while is_over.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        if let Some(answer) = ask(address, "/metrics") {
            read(answer);
        }
    }
    // The program may be gone.
    let _ = end.and_then(|events| events.shutdown(Shutdown::Both));
    let _ = reader.join();
}

/// Sends a request, and returns the connection on which the answer comes.
fn ask(address: SocketAddr, path: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    Some(stream)
}

fn read(mut stream: TcpStream) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(1..) = stream.read(&mut chunk) {}
}
