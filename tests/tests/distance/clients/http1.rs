//! Client of HTTP/1.1, over TCP or TLS.

use lifecycle_tests::http::{Connection, Ending, Lost, Response, Transport};

use super::{Client, Journal, Outcome, Reply, Target};

/// Connection that is kept alive.
pub(crate) struct Http1 {
    pub(crate) connection: Connection<Box<dyn Transport>>,
    pub(crate) journal: Journal,
    /// Request whose response has not come.
    open: Option<String>,
    /// Error of the last write, which is no loss as long as a response can be read.
    unsent: Option<String>,
}

impl Http1 {
    pub(crate) fn connect(target: &Target, mut journal: Journal) -> Result<Self, Journal> {
        match target.open_or_note(&mut journal) {
            Some(transport) => Ok(Self::over(transport, journal)),
            None => Err(journal),
        }
    }

    pub(crate) fn over(transport: Box<dyn Transport>, journal: Journal) -> Self {
        Self { connection: Connection::over(transport), journal, open: None, unsent: None }
    }

    /// Sends some bytes of a request.
    pub(crate) fn write(&mut self, request: &str, bytes: &[u8]) {
        self.open = Some(request.to_owned());
        if self.unsent.is_some() {
            return;
        }
        if let Err(error) = self.connection.write(bytes) {
            self.journal.note(format_args!("{request}: sending failed: {error}"));
            self.unsent = Some(error.to_string());
        }
    }

    /// Sends a request for a body of this length, calls `begun` once the head of the response is
    /// there, and returns the journal at the end.
    pub(crate) fn get_large(mut self, path: &str, length: usize, begun: impl FnOnce()) -> Journal {
        self.send(path);
        let head = self.connection.response_head();
        begun();
        let outcome = match head {
            Ok(head) if head.starts_with("http/1.1 200 ") => match self.connection.bytes(length) {
                Ok(_) => Outcome::Answered(200),
                Err(how) => Outcome::Lost(how_much(&how, &self.connection.ending())),
            },
            Ok(head) => Outcome::Lost(format!("another head: {head}")),
            Err(how) => Outcome::Lost(how_much(&how, &self.connection.ending())),
        };
        self.journal.outcome(&format!("GET {path}"), outcome);
        Box::new(self).end()
    }

    /// Waits for a response in chunks, calls `begun` once its head is there, and notes the outcome
    /// of the request.
    pub(crate) fn receive_chunks(&mut self, begun: impl FnOnce()) -> Option<Reply> {
        let response = self.connection.response_head().and_then(|head| {
            begun();
            let status =
                head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            Ok(Response { status, head, body: self.connection.chunks()? })
        });
        self.conclude(response)
    }

    fn conclude(&mut self, response: Result<Response, Lost>) -> Option<Reply> {
        let request = self.open.take().expect("something was sent");
        let how = match response {
            Ok(response) => {
                let is_last = response.announces_close();
                let length = response.body.len();
                self.journal.note(format_args!(
                    "{length} bytes{}",
                    if is_last { ", says close" } else { "" }
                ));
                self.journal.outcome(&request, Outcome::Answered(response.status));
                return Some(Reply { status: response.status, body: response.body, is_last });
            }
            Err(how) => {
                if let Lost::Cut { .. } = how {
                    self.journal.heard();
                }
                how_much(&how, &self.connection.ending())
            }
        };
        let sending =
            self.unsent.as_ref().map(|error| format!("; sending: {error}")).unwrap_or_default();
        let how = format!("{how}{sending}");
        self.journal.outcome(&request, Outcome::Lost(how));
        None
    }

    /// Returns whether all writes so far have succeeded.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.unsent.is_none()
    }
}

impl Client for Http1 {
    fn send(&mut self, path: &str) {
        let request = format!("GET {path}");
        self.journal.note(format_args!("{request}: sent"));
        let head = format!("{request} HTTP/1.1\r\nHost: test\r\n\r\n");
        self.write(&request, head.as_bytes());
    }

    fn receive(&mut self) -> Option<Reply> {
        let response = self.connection.response();
        self.conclude(response)
    }

    fn into_journal(self: Box<Self>) -> Journal {
        self.journal
    }

    fn end(mut self: Box<Self>) -> Journal {
        match self.connection.ending() {
            Ending::Closed => self.journal.note("closed in order"),
            other => self.journal.fault(format_args!("the connection ended by {other:?}")),
        }
        self.journal
    }
}

fn how_much(lost: &Lost, ending: &Ending) -> String {
    let ending = match ending {
        Ending::Sent(_) => "bytes that are no response".to_owned(),
        ending => format!("{ending:?}"),
    };
    match lost {
        Lost::Unanswered => format!("no response, {ending}"),
        Lost::Cut { after } => format!("cut with {} bytes unread, {ending}", after.len()),
    }
}
