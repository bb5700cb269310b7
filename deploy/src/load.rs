//! Clients that send requests until they are told to end, and count those that are lost.
//!
//! A request is lost if its client gets anything but the answer of the service: no connection, no
//! whole response, or another status. No client tries again.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lifecycle_tests::LIMIT;
use lifecycle_tests::http::{Connection, Lost, Response};

/// Number of losses that are described.
const DESCRIBED: usize = 20;

/// Behaviour of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// A connection for each request.
    Fresh,
    /// One connection, and short pauses between its requests.
    KeptAlive,
    /// One connection, and pauses of up to 400 ms between its requests, as a browser may have
    /// between two requests of a page.
    Thinking,
    /// A connection for each request, which writes, and whose body comes slowly.
    SlowBody,
    /// One connection, and requests that write.
    Writing,
}

/// Clients of each habit.
pub type Mix = &'static [(Habit, usize)];

/// Clients of all habits.
pub const MIXED: Mix = &[
    (Habit::Fresh, 4),
    (Habit::KeptAlive, 4),
    (Habit::Thinking, 8),
    (Habit::SlowBody, 4),
    (Habit::Writing, 2),
];

/// Clients with a new connection for each request.
pub const FRESH: Mix = &[(Habit::Fresh, 16)];

/// Clients that think between two requests of a connection.
pub const THINKING: Mix = &[(Habit::Thinking, 64)];

/// Clients at work. They end when this is dropped.
pub struct Load {
    clients: Vec<JoinHandle<Outcome>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicUsize,
    lost: AtomicUsize,
    /// Set once the clients should end.
    over: AtomicBool,
}

/// Counts of the requests by their results.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Number of requests with the answer of the service.
    pub answered: usize,
    /// Labels of the clocks that the service said to have written.
    pub written: BTreeSet<String>,
    /// Number of requests that were lost.
    pub lost: usize,
    /// Descriptions of the first losses.
    pub losses: Vec<String>,
}

impl Load {
    /// Starts clients of the service at this address, `host:port`.
    #[must_use]
    pub fn start(address: &str, mix: Mix) -> Self {
        let shared = Arc::new(Shared::default());
        let habits = mix.iter().flat_map(|&(habit, count)| std::iter::repeat_n(habit, count));
        let client = |(number, habit): (usize, Habit)| {
            let (address, shared) = (address.to_owned(), Arc::clone(&shared));
            thread::spawn(move || Client::new(&address, number, habit, &shared).work())
        };
        let clients = habits.enumerate().map(client).collect();
        Self { clients, shared }
    }

    /// Waits until this many more requests have been answered.
    ///
    /// # Panics
    ///
    /// They never are.
    pub fn wait_for(&self, answers: usize) {
        let began = Instant::now();
        let enough = self.answered() + answers;
        while self.answered() < enough {
            assert!(began.elapsed() < LIMIT, "nothing is answered any more");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Ends the clients, each after the request that it is at, and returns the results.
    ///
    /// # Panics
    ///
    /// A client did, as there was neither an answer nor an end of its connection.
    #[must_use]
    pub fn end(mut self) -> Outcome {
        self.shared.over.store(true, Ordering::Relaxed);
        let outcomes = self.clients.drain(..).map(|client| client.join().expect("no panic"));
        outcomes.fold(Outcome::default(), Outcome::and)
    }

    /// Returns the number of requests that have been lost so far.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

impl Outcome {
    fn and(mut self, other: Self) -> Self {
        self.answered += other.answered;
        self.written.extend(other.written);
        self.lost += other.lost;
        self.losses.extend(other.losses);
        self.losses.truncate(DESCRIBED);
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, written, lost, losses } = self;
        let sent = answered + lost;
        write!(f, "{lost} of {sent} requests lost, {} writes acknowledged", written.len())?;
        for loss in losses {
            write!(f, "\n  {loss}")?;
        }
        Ok(())
    }
}

/// Request, and the answer of the service to it.
struct Request {
    head: String,
    /// Parts of the body, between which the client pauses.
    body: Vec<String>,
    /// Label of the clock that it writes.
    label: Option<String>,
    status: u16,
}

struct Client<'a> {
    address: &'a str,
    number: usize,
    habit: Habit,
    shared: &'a Shared,
    random: fastrand::Rng,
    sent: usize,
    outcome: Outcome,
}

impl<'a> Client<'a> {
    fn new(address: &'a str, number: usize, habit: Habit, shared: &'a Shared) -> Self {
        let random = fastrand::Rng::with_seed(number as u64);
        let outcome = Outcome::default();
        Self { address, number, habit, shared, random, sent: 0, outcome }
    }

    fn work(mut self) -> Outcome {
        while !self.is_over() {
            match Connection::to(self.address) {
                Ok(connection) => self.use_up(connection),
                Err(error) => {
                    self.lose(&format!("connecting: {error}"));
                    self.pause();
                }
            }
        }
        self.outcome
    }

    /// Sends requests until the connection is not to be used any more.
    fn use_up(&mut self, mut connection: Connection<TcpStream>) {
        while !self.is_over() {
            let request = self.request();
            let goes_on = match self.exchange(&mut connection, &request) {
                Ok(response) => self.count(request, &response),
                Err(reason) => {
                    self.lose(&reason);
                    false
                }
            };
            self.pause();
            if !goes_on {
                return;
            }
        }
    }

    /// Makes the next request.
    fn request(&mut self) -> Request {
        self.sent += 1;
        if !matches!(self.habit, Habit::SlowBody | Habit::Writing) {
            let head = format!("GET /zones?country=CH HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
            return Request { head, body: Vec::new(), label: None, status: 200 };
        }
        let label = format!("client {} request {}", self.number, self.sent);
        let body = [r#"{"label":""#, label.as_str(), r#"","zone":"Europe/Zurich"}"#];
        let body = body.map(str::to_owned);
        let head = format!(
            "POST /clocks HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.address,
            body.iter().map(String::len).sum::<usize>()
        );
        Request { head, body: body.into(), label: Some(label), status: 201 }
    }

    fn exchange(
        &mut self,
        connection: &mut Connection<TcpStream>,
        request: &Request,
    ) -> Result<Response, String> {
        let sending = |error: io::Error| format!("sending: {error}");
        if self.habit == Habit::SlowBody {
            connection.write(request.head.as_bytes()).map_err(sending)?;
            for part in &request.body {
                self.sleep(20, 150);
                connection.write(part.as_bytes()).map_err(sending)?;
            }
        } else {
            let whole = request.head.clone() + &request.body.concat();
            connection.write(whole.as_bytes()).map_err(sending)?;
        }
        connection.response().map_err(|lost| match lost {
            Lost::Unanswered => format!("no response: {:?}", connection.ending()),
            Lost::Cut { after } => format!("torn after `{after}`"),
        })
    }

    /// Counts a response, and returns whether another request may follow on its connection.
    fn count(&mut self, request: Request, response: &Response) -> bool {
        if response.status == request.status {
            self.outcome.answered += 1;
            self.outcome.written.extend(request.label);
            self.shared.answered.fetch_add(1, Ordering::Relaxed);
        } else {
            self.lose(&format!("{response:?}"));
        }
        let is_kept = !matches!(self.habit, Habit::Fresh | Habit::SlowBody);
        is_kept && !response.announces_close()
    }

    fn lose(&mut self, reason: &str) {
        let Self { habit, number, sent, .. } = self;
        self.outcome.lost += 1;
        if self.outcome.losses.len() < DESCRIBED {
            let place = format!("{habit:?}, client {number}, request {sent}");
            self.outcome.losses.push(format!("{place}: {reason}"));
        }
        self.shared.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Pauses between two requests.
    fn pause(&mut self) {
        match self.habit {
            Habit::Fresh | Habit::KeptAlive => self.sleep(5, 15),
            Habit::Thinking => self.sleep(0, 400),
            Habit::SlowBody | Habit::Writing => self.sleep(20, 60),
        }
    }

    /// Sleeps for a time between these numbers of milliseconds.
    fn sleep(&mut self, from: u64, to: u64) {
        thread::sleep(Duration::from_millis(self.random.u64(from..=to)));
    }

    fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::Relaxed)
    }
}
