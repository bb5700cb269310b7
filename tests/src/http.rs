//! HTTP/1.1 by hand: what is on the wire, and what is not.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::LIMIT;

/// What HTTP can be spoken over.
pub trait Transport: Read + Write + Send {}

impl<T: Read + Write + Send> Transport for T {}

/// A connection that is kept alive.
pub struct Connection<S> {
    stream: S,
    /// What was read beyond the response before.
    rest: Vec<u8>,
    /// How reading ended, once it has.
    ending: Option<Ending>,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The head, in small letters.
    pub head: String,
    /// The body, its chunks put together.
    pub body: String,
}

/// Why there is no response.
#[derive(Debug)]
pub enum Lost {
    /// None of it came.
    Unanswered,
    /// It began, and did not end.
    Cut {
        /// What came of it.
        after: String,
    },
}

/// How the server's side of a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Closed in order: everything that was sent has come.
    Closed,
    /// By an error, such as a reset: what was sent may be lost.
    Broken(io::ErrorKind),
    /// It does not: this came instead.
    Sent(String),
}

impl Connection<TcpStream> {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn to(address: &str) -> io::Result<Self> {
        tcp(address).map(Self::over)
    }
}

impl Connection<Box<dyn Transport>> {
    /// Connects to `host:port` or, on Unix, `unix:/path`.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn to_any(address: &str) -> io::Result<Self> {
        #[cfg(unix)]
        if let Some(path) = address.strip_prefix("unix:") {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_read_timeout(Some(LIMIT))?;
            return Ok(Self::over(Box::new(stream)));
        }
        Ok(Self::over(Box::new(tcp(address)?)))
    }
}

impl<S: Read + Write> Connection<S> {
    /// A connection over a stream that is open. It should have a limit to how long it may take to
    /// read.
    pub fn over(stream: S) -> Self {
        Self { stream, rest: Vec::new(), ending: None }
    }

    /// Sends a request without a body: `GET /path`.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn send(&mut self, method_and_path: &str) -> io::Result<()> {
        self.write(head(method_and_path, 0).as_bytes())
    }

    /// Sends these bytes, whatever they are.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Waits for a response.
    ///
    /// # Errors
    ///
    /// It did not come, or not all of it.
    ///
    /// # Panics
    ///
    /// What comes is no HTTP.
    pub fn response(&mut self) -> Result<Response, Lost> {
        let head = self.response_head()?;
        let status =
            head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body = match length {
            Some(length) => self.exactly(length.parse().expect("a length"))?,
            None if head.contains("transfer-encoding: chunked") => self.chunks()?,
            None => String::new(),
        };
        Ok(Response { status, head, body })
    }

    /// Waits for a response's head only, and returns it in small letters.
    ///
    /// # Errors
    ///
    /// It did not come, or not all of it.
    pub fn response_head(&mut self) -> Result<String, Lost> {
        match self.until(b"\r\n\r\n") {
            Ok(head) => Ok(head.to_ascii_lowercase()),
            Err(_) if self.rest.is_empty() => Err(Lost::Unanswered),
            Err(_) => Err(self.cut()),
        }
    }

    /// Waits for the next chunk of a body; an empty one is its end.
    ///
    /// # Errors
    ///
    /// It did not come, or not all of it.
    ///
    /// # Panics
    ///
    /// What comes is no chunk.
    pub fn chunk(&mut self) -> Result<String, Lost> {
        let size = self.until(b"\r\n").map_err(|_| self.cut())?;
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        let mut chunk = self.exactly(size + 2)?;
        chunk.truncate(size);
        Ok(chunk)
    }

    /// Waits for the chunks that are left of a body.
    ///
    /// # Errors
    ///
    /// Its end did not come.
    pub fn chunks(&mut self) -> Result<String, Lost> {
        let mut body = String::new();
        loop {
            match self.chunk()? {
                chunk if chunk.is_empty() => return Ok(body),
                chunk => body.push_str(&chunk),
            }
        }
    }

    /// Waits for so many bytes.
    ///
    /// # Errors
    ///
    /// Not all of them came.
    pub fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Lost> {
        while self.rest.len() < length {
            self.more().map_err(|_| self.cut())?;
        }
        Ok(self.rest.drain(..length).collect())
    }

    fn exactly(&mut self, length: usize) -> Result<String, Lost> {
        self.bytes(length).map(text)
    }

    fn until(&mut self, end: &[u8]) -> Result<String, Ending> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                return Ok(text(self.rest.drain(..at + end.len()).collect()));
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), Ending> {
        let mut buffer = [0; 16 * 1024];
        let ending = match self.stream.read(&mut buffer) {
            Ok(0) => Ending::Closed,
            Ok(read) => {
                self.rest.extend(&buffer[..read]);
                return Ok(());
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                panic!("neither a byte nor an end in {LIMIT:?}")
            }
            Err(error) => Ending::Broken(error.kind()),
        };
        // A stream tells of an error once, and afterwards looks closed.
        Err(self.ending.get_or_insert(ending).clone())
    }

    fn cut(&self) -> Lost {
        Lost::Cut { after: String::from_utf8_lossy(&self.rest).into_owned() }
    }

    /// Waits until the peer closes the connection or sends something.
    ///
    /// # Panics
    ///
    /// It did neither for longer than any test waits.
    pub fn ending(&mut self) -> Ending {
        match self.ending.clone() {
            Some(ending) if self.rest.is_empty() => ending,
            _ if self.rest.is_empty() => self.more().err().unwrap_or_else(|| self.sent()),
            _ => self.sent(),
        }
    }

    fn sent(&self) -> Ending {
        Ending::Sent(String::from_utf8_lossy(&self.rest).into_owned())
    }

    /// Returns whether the peer has closed it: waits until it does or sends something.
    pub fn is_closed(&mut self) -> bool {
        !matches!(self.ending(), Ending::Sent(_))
    }
}

impl Response {
    /// Returns whether it says that no request may follow on its connection.
    #[must_use]
    pub fn announces_close(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }
}

/// A TCP stream that does not wait for ever.
///
/// # Errors
///
/// Nobody listens there.
pub fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// The head of a request with a body of so many bytes.
#[must_use]
pub fn head(method_and_path: &str, length: usize) -> String {
    format!("{method_and_path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a text")
}

/// One request on a connection of its own.
///
/// # Errors
///
/// There was no response.
pub fn request(address: &str, method_and_path: &str) -> Result<Response, Lost> {
    let mut connection = Connection::to(address).map_err(|_| Lost::Unanswered)?;
    connection.send(method_and_path).map_err(|_| Lost::Unanswered)?;
    connection.response()
}
