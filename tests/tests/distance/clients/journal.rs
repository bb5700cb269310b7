//! Journals of clients, and their sum.

use std::fmt;
use std::time::Instant;

/// Number of notes that are shown: the last ones matter most.
const LAST: usize = 60;

/// Outcome of a request, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Complete response, with this status.
    Answered(u16),
    /// Statement by the server that it did nothing with the request.
    NotExecuted(String),
    /// Failure to get a connection for the request.
    NotConnected(String),
    /// Loss: the request was sent, or its connection had been established, and no complete response
    /// came.
    Lost(String),
}

/// Notes of one client.
#[derive(Debug)]
pub(crate) struct Journal {
    client: String,
    /// Time from which the notes count.
    origin: Instant,
    notes: Vec<String>,
    outcomes: Vec<(String, Outcome)>,
    faults: Vec<String>,
    /// Port of the last connection, until something comes from the server on it.
    unheard: Option<u16>,
}

impl Journal {
    pub(crate) fn new(client: impl Into<String>, origin: Instant) -> Self {
        Self {
            client: client.into(),
            origin,
            notes: Vec::new(),
            outcomes: Vec::new(),
            faults: Vec::new(),
            unheard: None,
        }
    }

    pub(crate) fn note(&mut self, what: impl fmt::Display) {
        self.notes.push(format!("{:9.4} {what}", self.origin.elapsed().as_secs_f64()));
    }

    /// Notes a new connection from this port.
    pub(crate) fn connected(&mut self, port: u16) {
        self.note(format_args!("connected from port {port}"));
        self.unheard = Some(port);
    }

    /// Notes that something has come on the connection.
    pub(crate) fn heard(&mut self) {
        self.unheard = None;
    }

    /// Forgives the end of the last connection if nothing came on it, and if the last packet of its
    /// handshake was lost, which `is_forgiven` tells by its port. In that case the client is
    /// connected, but the server does not know it: no handler has begun, and a listener that closes
    /// resets the connection. A client stops when it has lost something, so there is nothing else
    /// to forgive.
    pub(crate) fn forgive(&mut self, is_forgiven: impl Fn(u16) -> bool) -> bool {
        if !self.is_bad() || !self.unheard.is_some_and(is_forgiven) {
            return false;
        }
        self.faults.clear();
        for (_, outcome) in &mut self.outcomes {
            if let Outcome::Lost(how) = outcome {
                *outcome =
                    Outcome::NotConnected(format!("a packet of its handshake was lost; {how}"));
            }
        }
        true
    }

    /// Notes the outcome of a request.
    pub(crate) fn outcome(&mut self, request: &str, outcome: Outcome) {
        self.note(format_args!("{request}: {outcome:?}"));
        if let Outcome::Answered(_) = outcome {
            self.heard();
        }
        self.outcomes.push((request.to_owned(), outcome));
    }

    /// Notes something that must not happen, though no request was lost by it.
    pub(crate) fn fault(&mut self, what: impl fmt::Display) {
        self.note(format_args!("FAULT: {what}"));
        self.faults.push(what.to_string());
    }

    /// Returns the statuses of the responses.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let status = |(_, outcome): &(String, Outcome)| match outcome {
            Outcome::Answered(status) => Some(*status),
            _ => None,
        };
        self.outcomes.iter().filter_map(status).collect()
    }

    /// Returns whether a request was lost.
    pub(crate) fn has_lost(&self) -> bool {
        self.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Lost(_)))
    }

    /// Returns whether anything happened that must not.
    pub(crate) fn is_bad(&self) -> bool {
        !self.faults.is_empty() || self.has_lost()
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}", self.client)?;
        let earlier = self.notes.len().saturating_sub(LAST);
        if earlier > 0 {
            write!(f, "\n    ({earlier} notes before these)")?;
        }
        self.notes.iter().skip(earlier).try_for_each(|note| write!(f, "\n    {note}"))
    }
}

/// Journals of all clients of a server.
#[derive(Debug, Default)]
pub(crate) struct Tally(pub(crate) Vec<Journal>);

impl Tally {
    fn count(&self, is_it: impl Fn(&Outcome) -> bool) -> usize {
        let outcomes = self.0.iter().flat_map(|journal| &journal.outcomes);
        outcomes.filter(|(_, outcome)| is_it(outcome)).count()
    }

    /// Returns the number of requests that were answered completely, and executed.
    pub(crate) fn answered(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Answered(status) if *status != 503))
    }

    /// Returns the number of requests that were answered with 503, and not executed.
    pub(crate) fn refused(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Answered(503))
    }

    /// Returns the number of requests with which the server said that it did nothing.
    pub(crate) fn not_executed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::NotExecuted(_) | Outcome::Answered(503)))
    }

    pub(crate) fn not_connected(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::NotConnected(_)))
    }

    pub(crate) fn lost(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Lost(_)))
    }

    /// Returns whether a client saw anything that must not happen.
    pub(crate) fn has_faults(&self) -> bool {
        self.0.iter().any(Journal::is_bad)
    }

    /// Returns the paths of the requests that were answered and executed, without this prefix.
    pub(crate) fn answered_paths(&self, prefix: &str) -> Vec<String> {
        let outcomes = self.0.iter().flat_map(|journal| &journal.outcomes);
        let answered = outcomes
            .filter(|(_, outcome)| matches!(outcome, Outcome::Answered(status) if *status != 503));
        answered.filter_map(|(request, _)| Some(request.strip_prefix(prefix)?.to_owned())).collect()
    }

    /// Asserts that no request was lost and nothing else happened that must not.
    #[track_caller]
    pub(crate) fn expect_nothing_lost(&self) {
        assert!(!self.has_faults(), "{self}");
    }

    /// Returns all journals as a text.
    pub(crate) fn journals(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// Asserts that each request was answered with this status.
    #[track_caller]
    pub(crate) fn expect_all(&self, expected: u16) {
        self.expect_nothing_lost();
        let others = self.count(|outcome| *outcome != Outcome::Answered(expected));
        assert_eq!(others, 0, "not all have {expected}\n{}", self.journals());
    }
}

/// Shows the numbers, and the journals of the clients that saw what they should not.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} answered, {} not executed, {} not connected, {} LOST",
            self.answered(),
            self.not_executed(),
            self.not_connected(),
            self.lost()
        )?;
        let bad: Vec<_> = self.0.iter().filter(|journal| journal.is_bad()).collect();
        bad.iter().take(8).try_for_each(|journal| write!(f, "\n{journal}"))?;
        if bad.len() > 8 { write!(f, "\n  and {} clients more", bad.len() - 8) } else { Ok(()) }
    }
}
