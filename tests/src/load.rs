//! Clients that keep a server busy until nobody listens any more, and account for every request
//! that they sent.
//!
//! A request is *lost* if any of it was sent on an established connection and no whole response
//! came. There is one exception: if the response before it on its connection announced the close,
//! the request is not even sent. A connection that was established and ended before its first
//! response is a loss as well. A connection that was refused is not, as its client can go
//! elsewhere.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::LIMIT;
use crate::http::{Connection, Lost, Response, Transport};

/// Behaviour of the clients.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Number of clients at the same time.
    pub clients: usize,
    /// Shortest and longest pause between a response and the next request, in microseconds. None
    /// follows a response that announces the close.
    pub pause: (u64, u64),
    /// Set if each request has a connection of its own.
    pub is_fresh: bool,
    /// Seed of the pauses.
    pub seed: u64,
}

impl Shape {
    /// Shape of 64 clients that send the next request as soon as they have the response.
    pub const CLOSED_LOOP: Self = Self { clients: 64, pause: (0, 0), is_fresh: false, seed: 1 };

    /// Shape of 64 clients that pause between a response and the next request.
    pub const THINKING: Self = Self { pause: (2500, 7500), ..Self::CLOSED_LOOP };

    /// Shape of 16 clients that open a new connection for each request.
    pub const FRESH: Self = Self { clients: 16, is_fresh: true, ..Self::CLOSED_LOOP };
}

/// Function that chooses a request, such as `GET /path`, by the number of the client and of the
/// request.
pub trait Target: Fn(usize, usize) -> String + Send + Sync + 'static {}

impl<F: Fn(usize, usize) -> String + Send + Sync + 'static> Target for F {}

/// Group of clients at work.
pub struct Load {
    clients: Vec<JoinHandle<Outcome>>,
    shared: Arc<Shared>,
}

/// Function that connects to the server.
type Connect = Box<dyn Fn() -> io::Result<Connection<Box<dyn Transport>>> + Send + Sync>;

struct Shared {
    connect: Connect,
    shape: Shape,
    target: Box<dyn Target>,
    answered: AtomicUsize,
    /// Set once the clients should give up.
    over: AtomicBool,
}

/// Counts of the requests by their results.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests that got status 200, in the order of each client.
    pub answered: Vec<String>,
    /// Number of requests that got 503, by which the server refused them.
    pub refused: usize,
    /// Number of responses that announced the close of their connection.
    pub announced: usize,
    /// Requests that were lost.
    pub losses: Vec<Loss>,
}

/// Request that got no whole response.
#[derive(Debug)]
pub struct Loss {
    /// Request, as in `GET /path`.
    pub request: String,
    /// Number of requests that its connection had answered before.
    pub before: usize,
    /// Description of what happened instead.
    pub reason: String,
}

impl Load {
    /// Starts clients of the server at this address, `host:port` or `unix:/path`. No other program
    /// may listen there at a later time.
    pub fn start(address: &str, shape: Shape, target: impl Target) -> Self {
        let address = address.to_owned();
        Self::over(move || Connection::to_any(&address), shape, target)
    }

    /// Starts clients of the server that the function connects to.
    pub fn over<C>(connect: C, shape: Shape, target: impl Target) -> Self
    where
        C: Fn() -> io::Result<Connection<Box<dyn Transport>>> + Send + Sync + 'static,
    {
        let shared = Arc::new(Shared {
            connect: Box::new(connect),
            shape,
            target: Box::new(target),
            answered: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let client = |number| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || Client::new(&shared, number).work())
        };
        let clients = (0..shape.clients).map(client).collect();
        Self { clients, shared }
    }

    /// Starts one client for each of these requests, which sends it again and again.
    #[must_use]
    pub fn on(address: &str, requests: &[&'static str]) -> Self {
        let (clients, requests) = (requests.len(), requests.to_vec());
        Self::start(address, Shape { clients, ..Shape::CLOSED_LOOP }, move |client, _| {
            requests[client].to_owned()
        })
    }

    /// Waits until this many requests have been answered.
    ///
    /// # Panics
    ///
    /// If they never are.
    pub fn wait_for(&self, answers: usize) {
        let began = Instant::now();
        while self.shared.answered.load(Ordering::SeqCst) < answers {
            assert!(began.elapsed() < LIMIT, "the server does not answer");
            assert!(!self.clients.iter().all(JoinHandle::is_finished), "every client has given up");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the number of requests that have been answered.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// Checks that no client has been refused so far, or has given up for another reason.
    ///
    /// # Panics
    ///
    /// If one has.
    #[track_caller]
    pub fn expect_all_at_work(&self) {
        assert!(!self.clients.iter().any(JoinHandle::is_finished), "a client was refused");
    }

    /// Waits until every client has been refused, and returns the results.
    ///
    /// # Panics
    ///
    /// If a client did.
    #[must_use]
    pub fn end(mut self) -> Outcome {
        self.joined()
    }

    /// Has every client give up after its last response, and returns the results.
    ///
    /// # Panics
    ///
    /// If a client did.
    #[must_use]
    pub fn stop(mut self) -> Outcome {
        self.shared.over.store(true, Ordering::SeqCst);
        self.joined()
    }

    fn joined(&mut self) -> Outcome {
        let outcomes = self.clients.drain(..).map(|client| client.join().expect("no panic"));
        outcomes.fold(Outcome::default(), Outcome::and)
    }
}

/// Stops the clients of a test that has failed: the address may be another program's next.
impl Drop for Load {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
    }
}

impl Outcome {
    fn and(mut self, other: Self) -> Self {
        self.answered.extend(other.answered);
        self.refused += other.refused;
        self.announced += other.announced;
        self.losses.extend(other.losses);
        self
    }

    /// Asserts that no request was lost.
    ///
    /// # Panics
    ///
    /// If some were.
    #[track_caller]
    pub fn expect_nothing_lost(&self) {
        assert!(self.losses.is_empty(), "{self}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, refused, announced, losses } = self;
        let (answered, lost) = (answered.len(), losses.len());
        write!(
            f,
            "{answered} answered, {refused} refused, {announced} closes announced, {lost} lost"
        )?;
        for Loss { request, before, reason } in losses.iter().take(20) {
            write!(f, "\n  {request}, after {before} others on its connection: {reason}")?;
        }
        Ok(())
    }
}

struct Client<'a> {
    shared: &'a Shared,
    number: usize,
    sent: usize,
    random: fastrand::Rng,
    outcome: Outcome,
}

impl<'a> Client<'a> {
    fn new(shared: &'a Shared, number: usize) -> Self {
        let random = fastrand::Rng::with_seed(shared.shape.seed ^ (number as u64) << 32);
        Self { shared, number, sent: 0, random, outcome: Outcome::default() }
    }

    fn work(mut self) -> Outcome {
        while !self.is_over() {
            match (self.shared.connect)() {
                Ok(connection) => self.use_up(connection),
                // The file of a Unix socket may be gone as well.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
                    ) =>
                {
                    break;
                }
                // Only a connection that was established can be reset.
                Err(error) => {
                    self.lose("a connection".to_owned(), 0, format!("connecting: {error}"));
                }
            }
        }
        self.outcome
    }

    /// Sends requests until the connection can't be used any more.
    fn use_up(&mut self, mut connection: Connection<Box<dyn Transport>>) {
        for before in 0.. {
            if self.is_over() {
                return;
            }
            let request = (self.shared.target)(self.number, self.sent);
            self.sent += 1;
            if let Err(error) = connection.send(&request) {
                return self.lose(request, before, format!("sending: {error}"));
            }
            match connection.response() {
                Ok(response) => {
                    let announces_close = response.announces_close();
                    self.count(request, before, &response);
                    if self.shared.shape.is_fresh {
                        return self.pause();
                    }
                    if announces_close {
                        return;
                    }
                }
                Err(Lost::Unanswered) => {
                    return self.lose(
                        request,
                        before,
                        format!("no response: {:?}", connection.ending()),
                    );
                }
                Err(Lost::Cut { after }) => {
                    return self.lose(request, before, format!("torn after `{after}`"));
                }
            }
            self.pause();
        }
    }

    fn count(&mut self, request: String, before: usize, response: &Response) {
        self.outcome.announced += usize::from(response.announces_close());
        match response.status {
            200 => {
                self.outcome.answered.push(request);
                self.shared.answered.fetch_add(1, Ordering::SeqCst);
            }
            503 => self.outcome.refused += 1,
            _ => self.lose(request, before, format!("{response:?}")),
        }
    }

    fn lose(&mut self, request: String, before: usize, reason: String) {
        self.outcome.losses.push(Loss { request, before, reason });
    }

    /// Pauses between a response and the next request.
    fn pause(&mut self) {
        let (from, to) = self.shared.shape.pause;
        if to > 0 {
            thread::sleep(Duration::from_micros(self.random.u64(from..=to)));
        }
    }

    fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::SeqCst)
    }
}
