//! Clients that keep a server busy with streams, and account for each.
//!
//! A stream is lost if it was opened and its whole response did not come, unless the server said
//! that it had not taken it: by a GOAWAY whose last stream is an earlier one, or by a reset with
//! `REFUSED_STREAM`. A stream that the server has not taken must not have run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use h2::Reason;
use tokio::task::{JoinHandle, JoinSet};

use super::client::{Client, NoClient, Over, answer, connect};
use crate::harness::LIMIT;

const CONNECTIONS: usize = 8;
const STREAMS: usize = 8;

/// Connections in a closed loop, each with the same number of streams at a time.
pub(crate) struct Load {
    connections: Vec<JoinHandle<Outcome>>,
    shared: Arc<Shared>,
}

struct Shared {
    address: String,
    over: Over,
    /// Number of streams that were opened. Each asks for `/record/` and its number.
    opened: AtomicUsize,
    answered: AtomicUsize,
    /// Set once the clients should give up.
    is_over: AtomicBool,
}

/// Counts of the streams by their results.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) answered: Vec<usize>,
    pub(crate) refused: Vec<usize>,
    losses: Vec<String>,
}

impl Load {
    pub(crate) fn start(address: &str, over: Over) -> Self {
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            over,
            opened: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let connections =
            (0..CONNECTIONS).map(|_| tokio::spawn(keep_connecting(Arc::clone(&shared)))).collect();
        Self { connections, shared }
    }

    pub(crate) async fn wait_for(&self, answers: usize) {
        let began = Instant::now();
        while self.shared.answered.load(Ordering::SeqCst) < answers {
            assert!(began.elapsed() < LIMIT, "the server does not answer");
            assert!(
                !self.connections.iter().all(JoinHandle::is_finished),
                "every client has given up"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Returns the number of streams that have been answered.
    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// Checks that no client has been refused so far, or has given up for another reason.
    #[track_caller]
    pub(crate) fn expect_all_at_work(&self) {
        assert!(!self.connections.iter().any(JoinHandle::is_finished), "a client was refused");
    }

    /// Waits until every client has been refused.
    pub(crate) async fn end(mut self) -> Outcome {
        let mut all = Outcome::default();
        for connection in self.connections.drain(..) {
            let outcome = tokio::time::timeout(LIMIT, connection).await.expect("a stream hangs");
            all.add(outcome.expect("no panic"));
        }
        all
    }
}

/// Stops the clients of a test that has failed: the address may be another program's next.
impl Drop for Load {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
    }
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.refused.extend(other.refused);
        self.losses.extend(other.losses);
    }

    #[track_caller]
    pub(crate) fn expect_nothing_lost(&self) {
        assert!(self.losses.is_empty(), "{self}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answered, refused, lost) =
            (self.answered.len(), self.refused.len(), self.losses.len());
        write!(f, "{answered} answered, {refused} refused, {lost} lost")?;
        self.losses.iter().take(20).try_for_each(|loss| write!(f, "\n  {loss}"))
    }
}

async fn keep_connecting(shared: Arc<Shared>) -> Outcome {
    let mut all = Outcome::default();
    while !shared.is_over.load(Ordering::SeqCst) {
        match connect(&shared.address, &shared.over).await {
            Ok(client) => all.add(use_up(Arc::new(client), &shared).await),
            Err(NoClient::Refused) => break,
            Err(NoClient::Broken(how)) => all.losses.push(how),
        }
    }
    all
}

/// Opens streams until the server takes no more of them on this connection.
async fn use_up(client: Arc<Client>, shared: &Arc<Shared>) -> Outcome {
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let (client, shared) = (Arc::clone(&client), Arc::clone(shared));
        streams.spawn(async move { keep_asking(&client, &shared).await });
    }
    let mut all = Outcome::default();
    while let Some(outcome) = streams.join_next().await {
        all.add(outcome.expect("no panic"));
    }
    all
}

async fn keep_asking(client: &Client, shared: &Shared) -> Outcome {
    let mut outcome = Outcome::default();
    while !shared.is_over.load(Ordering::SeqCst) {
        let number = shared.opened.fetch_add(1, Ordering::SeqCst);
        let response = match client.get(&format!("/record/{number}")).await {
            Ok(response) => response,
            // The stream was not opened, as the server had said goodbye.
            Err(error) if error.is_go_away() && error.is_remote() => break,
            Err(error) => {
                outcome.losses.push(format!("{number}, opening: {error}"));
                break;
            }
        };
        match answer(response).await {
            Ok((200, body)) if body == number.to_string() => {
                outcome.answered.push(number);
                shared.answered.fetch_add(1, Ordering::SeqCst);
            }
            Ok(other) => outcome.losses.push(format!("{number}: {other:?}")),
            Err(error) if is_refusal(&error) => {
                outcome.refused.push(number);
                break;
            }
            Err(error) => {
                outcome.losses.push(format!("{number}: {error}"));
                break;
            }
        }
    }
    outcome
}

/// Returns whether the server says that it did nothing with the stream.
fn is_refusal(error: &h2::Error) -> bool {
    let is_goodbye = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    error.is_remote() && (is_goodbye || error.reason() == Some(Reason::REFUSED_STREAM))
}
