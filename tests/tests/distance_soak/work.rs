//! Work that clients repeat until nobody listens any more.

use std::thread::sleep;
use std::time::Duration;

use lifecycle_tests::http::head;
use tungstenite::{Error, Message};

use crate::clients::{
    Client, Http1, Http2, Journal, Outcome, Protocol, Reading, Target, connect, upgrade,
};

/// Work of a client.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Requests one after the other on a connection.
    Loop { protocol: Protocol, pause: Duration },
    /// Requests each on a connection of its own.
    Fresh { protocol: Protocol, pause: Duration },
    /// Responses that last this long.
    Stream { protocol: Protocol, milliseconds: u64 },
    /// Responses of this length.
    Large { protocol: Protocol, length: usize },
    /// Requests of this length.
    Upload { protocol: Protocol, length: usize },
    /// Requests of this length that are answered before they have been sent completely, each on a
    /// connection of its own.
    Early { protocol: Protocol, length: usize },
    /// Server-sent events, until the stop.
    Events { protocol: Protocol },
    /// Streams on a connection, several at the same time.
    Streams { protocol: Protocol, count: usize, pause: Duration },
    /// Messages that the handler sends back, or works on for this many milliseconds.
    WebSocket { protocol: Protocol, work: Option<u64>, pause: Duration },
    /// Single request, whatever its outcome.
    Once { protocol: Protocol, path: String },
}

impl Work {
    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Loop { protocol, .. }
            | Self::Fresh { protocol, .. }
            | Self::Stream { protocol, .. }
            | Self::Large { protocol, .. }
            | Self::Upload { protocol, .. }
            | Self::Early { protocol, .. }
            | Self::Events { protocol }
            | Self::Streams { protocol, .. }
            | Self::WebSocket { protocol, .. }
            | Self::Once { protocol, .. } => *protocol,
        }
    }

    /// Works until nobody listens any more, something is lost, or there is no more to do.
    pub(crate) fn run(&self, number: usize, target: &Target) -> Journal {
        let mut journal = target.journal(number);
        let mut names = (0..).map(|count| format!("/record/{number}-{count}"));
        loop {
            journal = match self.once(target, journal, &mut names) {
                Ok(journal) => journal,
                // Nobody listens, or there is no more to do.
                Err(journal) => return journal,
            };
            if journal.is_bad() {
                return journal;
            }
        }
    }

    /// Uses a connection until it can't be used any more.
    fn once(
        &self,
        target: &Target,
        mut journal: Journal,
        names: &mut impl Iterator<Item = String>,
    ) -> Result<Journal, Journal> {
        let mut name = || names.next().expect("there is always another");
        match *self {
            Self::Once { ref path, .. } => {
                let mut client = connect(target, journal)?;
                client.get(path);
                Err(client.into_journal())
            }
            Self::Loop { pause, .. } => repeat(target, journal, pause, name),
            Self::Fresh { pause, .. } => {
                let mut client = connect(target, journal)?;
                client.get(&name());
                sleep(pause);
                Ok(client.into_journal())
            }
            Self::Stream { milliseconds, .. } => {
                repeat(target, journal, Duration::ZERO, || format!("/stream/{milliseconds}"))
            }
            Self::Large { length, .. } => {
                repeat(target, journal, Duration::ZERO, || format!("/big/{length}"))
            }
            Self::Upload { protocol, length } if protocol.is_http2() => {
                upload_2(target, journal, length)
            }
            Self::Upload { length, .. } => upload(target, journal, length),
            Self::Early { length, .. } => {
                let mut client = Http1::connect(target, journal)?;
                let request = "POST /early/now";
                client.write(
                    request,
                    &[head(request, length).as_bytes(), &vec![b'x'; length]].concat(),
                );
                client.receive();
                Ok(client.journal)
            }
            Self::Events { .. } => repeat(target, journal, Duration::ZERO, || "/events".to_owned()),
            Self::Streams { count, pause, .. } => {
                let mut client = Http2::connect(target, journal, Reading::default())?;
                while client.goaways.is_empty() && !client.journal.is_bad() {
                    let streams: Vec<u32> = (0..count).map(|_| client.open(&name())).collect();
                    for stream in streams {
                        drop(client.wait(stream));
                    }
                    sleep(pause);
                }
                Ok(client.finish())
            }
            Self::WebSocket { work, pause, .. } => match target.open_or_note(&mut journal) {
                Some(transport) => Ok(converse(transport, journal, work, pause)),
                None => Err(journal),
            },
        }
    }
}

fn repeat(
    target: &Target,
    journal: Journal,
    pause: Duration,
    mut path: impl FnMut() -> String,
) -> Result<Journal, Journal> {
    let mut client = connect(target, journal)?;
    while client.get(&path()).is_some_and(|reply| !reply.is_last) {
        sleep(pause);
    }
    Ok(client.end())
}

fn upload(target: &Target, journal: Journal, length: usize) -> Result<Journal, Journal> {
    let mut client = Http1::connect(target, journal)?;
    let request = "POST /upload";
    loop {
        client.write(request, &[head(request, length).as_bytes(), &vec![b'x'; length]].concat());
        let reply = client.receive();
        if reply.is_none_or(|reply| reply.is_last) {
            return Ok(Box::new(client).end());
        }
    }
}

fn upload_2(target: &Target, journal: Journal, length: usize) -> Result<Journal, Journal> {
    // This length fits into the window that a server begins with.
    let body = vec![b'x'; length.min(48 << 10)];
    let mut client = Http2::connect(target, journal, Reading::default())?;
    while client.goaways.is_empty() && !client.journal.is_bad() {
        let stream = client.post("/upload");
        client.data(stream, &body, true);
        client.wait(stream);
    }
    Ok(client.finish())
}

/// Sends messages, each once the one before has been answered, until the server sends a Close.
fn converse(
    transport: Box<dyn lifecycle_tests::http::Transport>,
    mut journal: Journal,
    work: Option<u64>,
    pause: Duration,
) -> Journal {
    let path = if work.is_some() { "/busy" } else { "/echo" };
    let message = work.map_or_else(|| "hello".to_owned(), |milliseconds| milliseconds.to_string());
    let request = &format!("GET {path}");
    let mut socket = match upgrade(transport, path) {
        Ok(socket) => socket,
        Err(error) => {
            journal.outcome(request, Outcome::Lost(error));
            return journal;
        }
    };
    journal.note("upgraded");
    let outcome = loop {
        // Once the server has sent a Close, reading shows that.
        let _ = socket.send(Message::text(&message));
        match socket.read() {
            Ok(Message::Close(_)) => break None,
            Ok(_) => sleep(pause),
            Err(error) => break Some(format!("no Close, but {error}")),
        }
    };
    if let Some(how) = outcome {
        journal.outcome(request, Outcome::Lost(how));
        return journal;
    }
    journal.note("Close");
    match socket.read() {
        Err(Error::ConnectionClosed) => journal.outcome(request, Outcome::Answered(101)),
        other => journal.outcome(request, Outcome::Lost(format!("{other:?} after the Close"))),
    }
    journal
}
