//! HTTP/1.1 by hand: what is on the wire, and what is not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::harness::LIMIT;

/// A connection that is kept alive.
pub(crate) struct Connection<S> {
    stream: S,
    /// What was read beyond the response before.
    rest: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The head, in small letters.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum Lost {
    /// None of it came.
    Unanswered,
    /// It began, and did not end: what came of it.
    Cut { after: String },
}

impl Connection<TcpStream> {
    pub(crate) fn to(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, rest: Vec::new() }
    }

    pub(crate) fn send(&mut self, method_and_path: &str) -> io::Result<()> {
        let request = format!("{method_and_path} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
        self.stream.write_all(request.as_bytes())
    }

    pub(crate) fn response(&mut self) -> Result<Response, Lost> {
        let head = match self.until(b"\r\n\r\n") {
            Ok(head) => head.to_ascii_lowercase(),
            Err(_) if self.rest.is_empty() => return Err(Lost::Unanswered),
            Err(_) => return Err(self.cut()),
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body = match length {
            Some(length) => self.exactly(length.parse().expect("a length"))?,
            None if head.contains("transfer-encoding: chunked") => self.chunks()?,
            None => String::new(),
        };
        Ok(Response { status, head, body })
    }

    fn chunks(&mut self) -> Result<String, Lost> {
        let mut body = String::new();
        loop {
            let size = self.until(b"\r\n").map_err(|_| self.cut())?;
            let size = usize::from_str_radix(size.trim(), 16).expect("a size");
            let chunk = self.exactly(size + 2)?;
            body.push_str(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<String, Lost> {
        while self.rest.len() < length {
            self.more().map_err(|_| self.cut())?;
        }
        Ok(text(self.rest.drain(..length).collect()))
    }

    fn until(&mut self, end: &[u8]) -> io::Result<String> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                return Ok(text(self.rest.drain(..at + end.len()).collect()));
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.rest.extend(&buffer[..read]);
                Ok(())
            }
        }
    }

    fn cut(&self) -> Lost {
        Lost::Cut { after: text(self.rest.clone()) }
    }

    /// Whether the peer has closed it: waits until it does or sends something.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.rest.is_empty() && self.more().is_err()
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a text")
}

/// One request on a connection of its own.
pub(crate) fn request(address: &str, method_and_path: &str) -> Result<Response, Lost> {
    let mut connection = Connection::to(address).map_err(|_| Lost::Unanswered)?;
    connection.send(method_and_path).map_err(|_| Lost::Unanswered)?;
    connection.response()
}

/// Clients that send one request after the other until nobody answers any more.
pub(crate) struct Load {
    clients: Vec<JoinHandle<Result<(), Lost>>>,
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
}

impl Load {
    pub(crate) fn on(address: &str, paths: &[&'static str]) -> Self {
        let (over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let client = |&path: &&'static str| {
            let (address, over, answered) = (address.to_owned(), Arc::clone(&over), Arc::clone(&answered));
            thread::spawn(move || keep_asking(&address, path, &over, &answered))
        };
        let clients = paths.iter().map(client).collect();
        Self { clients, over, answered }
    }

    /// Waits until this many requests have been answered.
    pub(crate) fn wait_for(&self, answers: usize) {
        let began = std::time::Instant::now();
        while self.answered.load(Ordering::SeqCst) < answers {
            assert!(began.elapsed() < LIMIT, "the server does not answer");
            assert!(!self.clients.iter().all(JoinHandle::is_finished), "every client has given up");
            thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Waits for the clients. Fails if a response began and did not end.
    pub(crate) fn expect_no_cut(mut self) {
        self.over.store(true, Ordering::SeqCst);
        for client in self.clients.drain(..) {
            if let Err(Lost::Cut { after }) = client.join().expect("no panic") {
                panic!("a response was cut off after `{after}`");
            }
        }
    }
}

/// Another program may get the port next.
impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

fn keep_asking(address: &str, path: &str, over: &AtomicBool, answered: &AtomicUsize) -> Result<(), Lost> {
    while !over.load(Ordering::SeqCst) {
        // Refused: the server is gone.
        let Ok(mut connection) = Connection::to(address) else { return Ok(()) };
        while !over.load(Ordering::SeqCst) && connection.send(path).is_ok() {
            match connection.response() {
                Ok(response) => assert_eq!(response.status, 200, "{response:?}"),
                Err(Lost::Unanswered) => break,
                Err(cut) => return Err(cut),
            }
            answered.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}
