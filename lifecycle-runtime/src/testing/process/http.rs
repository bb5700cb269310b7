//! Small HTTP client, with just what probes need.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Response to a request of a test.
///
/// ```no_run
/// use lifecycle_runtime::testing::process::Command;
///
/// # macro_rules! env { ($name:literal) => { "shop" } }
/// let mut shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
/// let response = shop.get("/products");
/// assert_eq!((response.status, &*response.body), (200, "[]"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Body, as text.
    pub body: String,
}

/// Sends a GET request to a URL, on a connection of its own. The limit is that of the whole
/// exchange, however slowly the response comes.
pub(super) fn get(url: &str, path: &str, limit: Duration) -> io::Result<Response> {
    let Some(address) = url.strip_prefix("http://") else {
        let text = format!("{url} takes a client that speaks more than plain HTTP over TCP");
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    };
    let address = address.parse().map_err(|_| io::Error::other(format!("{url} is no address")))?;
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_write_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let answer = read_to_end(&mut stream, began, limit)?;
    parse(&answer).ok_or_else(|| {
        let answer = String::from_utf8_lossy(&answer);
        io::Error::other(format!("what came back is no complete HTTP response: {answer:?}"))
    })
}

/// Reads until the server closes the connection, but no longer than the limit, counted from
/// `began`.
fn read_to_end(stream: &mut TcpStream, began: Instant, limit: Duration) -> io::Result<Vec<u8>> {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(io::Error::new(TimedOut, format!("no complete response within {limit:?}")));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            // A timeout of the socket is `WouldBlock` on Unix. No time is left then.
            Err(error) if matches!(error.kind(), Interrupted | TimedOut | WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Parses the bytes that a connection brought before it was closed; `None` if they are no complete
/// response.
fn parse(answer: &[u8]) -> Option<Response> {
    let (head, body) = split_at(answer, b"\r\n\r\n")?;
    let head = std::str::from_utf8(head).ok()?.to_ascii_lowercase();
    let status = head.strip_prefix("http/1.")?.split([' ', '\r']).nth(1)?.parse().ok()?;
    let header = |name: &str| {
        head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == name).then(|| value.trim())
        })
    };
    let body = match (header("transfer-encoding"), header("content-length")) {
        (Some("chunked"), _) => joined(body)?,
        (_, Some(length)) if length.parse() != Ok(body.len()) => return None,
        _ => body.to_vec(),
    };
    Some(Response { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Joins the chunks of a body; `None` if the last chunk is missing.
fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (size, rest) = split_at(chunks, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(rest.get(..size)?);
        chunks = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn split_at<'a>(bytes: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(end.len()).position(|window| window == end)?;
    Some((&bytes[..at], &bytes[at + end.len()..]))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: Option<(u16, &str)>) {
        let parsed = parse(answer.as_bytes());
        let parsed = parsed.as_ref().map(|response| (response.status, &*response.body));
        assert_eq!(parsed, expected, "{answer:?}");
    }

    #[test]
    fn a_response_that_comes_too_slowly_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            // Each byte comes within the limit, and all of them take far longer.
            for _ in 0..500 {
                if client.write_all(b"x").is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        let error = get(&format!("http://{address}"), "/", Duration::from_millis(200));
        let error = error.expect_err("no response is complete");
        assert_eq!(error.to_string(), "no complete response within 200ms");
        server.join().expect("no panic");
    }

    #[test]
    fn a_response_has_a_status_and_a_body() {
        check("HTTP/1.0 503 Busy\r\ndate: x\r\n\r\nnot\r\n\r\nyet", Some((503, "not\r\n\r\nyet")));
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", Some((200, "yes")));
        check("HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", Some((204, "")));
    }

    #[test]
    fn chunks_are_put_together() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        check(
            &format!("{head}A\r\n0123\r\n6789\r\n2\r\nab\r\n0\r\n\r\n"),
            Some((200, "0123\r\n6789ab")),
        );
        for cut in ["", "A", "A\r\n0123", "1\r\na", "1\r\na\r\n", "1\r\na2\r\nbc\r\n0\r\n"] {
            check(&format!("{head}{cut}"), None);
        }
    }

    #[test]
    fn a_response_that_is_cut_off_or_is_none_is_none() {
        for answer in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0 200 x\r\n\r\n", "HTTP/1.1 OK\r\n\r\n"] {
            check(answer, None);
        }
        check("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes", None);
    }
}
