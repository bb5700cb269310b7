//! Client of HTTP/1.1 that shows the bytes on the wire.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::LIMIT;

/// Stream that carries HTTP.
pub trait Transport: Read + Write + Send {}

impl<T: Read + Write + Send> Transport for T {}

/// Connection that is kept alive.
pub struct Connection<S> {
    stream: S,
    /// Bytes that were read beyond the last response.
    rest: Vec<u8>,
    /// End of the stream, once it has been reached.
    ending: Option<Ending>,
}

/// Response, read to its end.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Head, in lower case.
    pub head: String,
    /// Body, its chunks put together.
    pub body: String,
}

/// Reason why there is no response.
#[derive(Debug)]
pub enum Lost {
    /// Nothing of the response came.
    Unanswered,
    /// Part of the response came.
    Cut {
        /// Part that came.
        after: String,
    },
}

/// End of a connection, as the server made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Orderly close: everything that was sent has come.
    Closed,
    /// Error, such as a reset: what was sent may be lost.
    Broken(io::ErrorKind),
    /// No end: these bytes came instead.
    Sent(String),
}

impl Connection<TcpStream> {
    /// Connects to `host:port`.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub fn to(address: &str) -> io::Result<Self> {
        tcp(address).map(Self::over)
    }
}

impl Connection<Box<dyn Transport>> {
    /// Connects to `host:port` or, on Unix, `unix:/path`.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
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
    /// Makes a connection of an open stream. The stream should have a read timeout.
    pub fn over(stream: S) -> Self {
        Self { stream, rest: Vec::new(), ending: None }
    }

    /// Sends a request without a body: `GET /path`.
    ///
    /// # Errors
    ///
    /// If the connection is broken.
    pub fn send(&mut self, method_and_path: &str) -> io::Result<()> {
        self.write(head(method_and_path, 0).as_bytes())
    }

    /// Sends these bytes.
    ///
    /// # Errors
    ///
    /// If the connection is broken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Waits for a response.
    ///
    /// # Errors
    ///
    /// If it did not come, or not all of it.
    ///
    /// # Panics
    ///
    /// If what comes is no HTTP.
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

    /// Waits for the head of a response only, and returns it in lower case.
    ///
    /// # Errors
    ///
    /// If it did not come, or not all of it.
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
    /// If it did not come, or not all of it.
    ///
    /// # Panics
    ///
    /// If what comes is no chunk.
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
    /// If its end did not come.
    pub fn chunks(&mut self) -> Result<String, Lost> {
        let mut body = String::new();
        loop {
            match self.chunk()? {
                chunk if chunk.is_empty() => return Ok(body),
                chunk => body.push_str(&chunk),
            }
        }
    }

    /// Waits for this many bytes.
    ///
    /// # Errors
    ///
    /// If not all of them came.
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
        // A stream reports an error once, and looks closed afterwards.
        Err(self.ending.get_or_insert(ending).clone())
    }

    fn cut(&self) -> Lost {
        Lost::Cut { after: String::from_utf8_lossy(&self.rest).into_owned() }
    }

    /// Waits until the peer closes the connection or sends something.
    ///
    /// # Panics
    ///
    /// If it did neither for longer than any test waits.
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

    /// Waits until the peer closes the connection or sends something, and returns whether it has
    /// closed it.
    pub fn is_closed(&mut self) -> bool {
        !matches!(self.ending(), Ending::Sent(_))
    }
}

impl Response {
    /// Returns whether the response says that no request may follow on its connection.
    #[must_use]
    pub fn announces_close(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }
}

/// Opens a TCP stream with a read timeout.
///
/// # Errors
///
/// If nobody listens there.
pub fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Returns the head of a request with a body of this many bytes.
#[must_use]
pub fn head(method_and_path: &str, length: usize) -> String {
    format!("{method_and_path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a text")
}

/// Sends one request on a connection of its own, and returns its response.
///
/// # Errors
///
/// If there was no response.
pub fn request(address: &str, method_and_path: &str) -> Result<Response, Lost> {
    let mut connection = Connection::to(address).map_err(|_| Lost::Unanswered)?;
    connection.send(method_and_path).map_err(|_| Lost::Unanswered)?;
    connection.response()
}
