//! Stream of a run's events to each of a bounded number of clients, as server-sent events.
//!
//! A client costs the same whether it reads or not: the events are in one log, and a stream is a
//! position in it. What a client has not read when the log drops it, the client misses, and is told
//! how much.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::observe::view::{EventLog, Reading, RunView};
use crate::server::connection::Connection;
use crate::server::extract::of_the_framework;

/// Number of clients that events are sent to. One more takes the place of the oldest.
const MOST_CLIENTS: usize = 64;

/// Time between two signs of life to a client, if nothing happens. Proxies close a connection that
/// is silent for longer, most after 60 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Time within which a client takes something of what waits for it. One that doesn't is dropped.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Time within which a client that was told to go takes what waits for it.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Last words to a client whose place another has taken. Its browser may come again later, which
/// takes the place of yet another.
const GO: &str = "retry: 60000\ndata: {\"event\":\"closed\",\"reason\":\"a newer client has taken \
                  the place of this one\"}\n\n";

/// Clients that follow the events, the oldest first. Clones share them.
#[derive(Clone, Default)]
pub(super) struct EventClients(Arc<Mutex<VecDeque<Client>>>);

/// Client that follows the events. Clones are the same client.
#[derive(Clone)]
struct Client(Arc<CancellationToken>);

impl EventClients {
    /// Adds a client. If that is one too many, the oldest is told to go.
    fn add(&self) -> Client {
        let client = Client(Arc::default());
        let mut clients = self.lock();
        clients.push_back(client.clone());
        if clients.len() > MOST_CLIENTS
            && let Some(oldest) = clients.pop_front()
        {
            oldest.0.cancel();
        }
        client
    }

    fn remove(&self, client: &Client) {
        self.lock().retain(|other| !Arc::ptr_eq(&other.0, &client.0));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers by the events that are kept and those that happen, or by those that follow the one that
/// the client has seen last.
pub(super) async fn follow(request: HttpRequest) -> Result<HttpResponse, Error> {
    let log = of_the_framework::<RunView>(&request)?.events().clone();
    let clients = of_the_framework::<EventClients>(&request)?.clone();
    let seen = request.headers().get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let mut follower = Follower::new(log, clients, seen);
    if let Some(connection) = request.conn_data::<Rc<Connection>>() {
        follower.watch(Rc::clone(connection));
    }
    let texts = stream::unfold(follower, async |mut follower| {
        let text = follower.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), follower))
    });
    Ok(response().streaming(texts))
}

/// Answers as [`follow`] does, without a body.
pub(super) async fn head() -> HttpResponse {
    response().finish()
}

fn response() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    // The connection ends with the stream.
    response.content_type("text/event-stream").force_close();
    response
}

/// Position of one client in the log.
struct Follower {
    log: EventLog,
    last: watch::Receiver<u64>,
    clients: EventClients,
    client: Client,
    /// Number of the last event that was given to the connection.
    position: Rc<Cell<u64>>,
    /// Set if the client has seen events of another process last.
    is_of_other_run: bool,
    /// Set once the client has had its last words.
    is_gone: bool,
    /// Sender whose drop ends the watch over the client.
    watched: Option<oneshot::Sender<Infallible>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.clients.remove(&self.client);
    }
}

impl Follower {
    fn new(log: EventLog, clients: EventClients, seen: Option<&str>) -> Self {
        let number = seen.map(|id| log.number(id));
        let client = clients.add();
        Self {
            last: log.last(),
            log,
            clients,
            client,
            position: Rc::new(Cell::new(number.flatten().unwrap_or_default())),
            is_of_other_run: number == Some(None),
            is_gone: false,
            watched: None,
        }
    }

    /// Returns the next text for the client; `None` once nothing follows.
    async fn next(&mut self) -> Option<String> {
        if self.is_gone {
            return None;
        }
        loop {
            self.last.mark_unchanged();
            if self.client.0.is_cancelled() {
                self.is_gone = true;
                return Some(GO.to_owned());
            }
            let reading = self.log.after(self.position.get());
            let text = self.text(&reading);
            if !text.is_empty() {
                return Some(text);
            }
            if reading.is_over {
                return None;
            }
            tokio::select! {
                changed = self.last.changed() => changed.ok()?,
                () = self.client.0.cancelled() => {}
                () = sleep(SIGN_OF_LIFE) => return Some(": \n\n".to_owned()),
            }
        }
    }

    /// Returns a reading as text, and goes on behind it.
    fn text(&mut self, reading: &Reading) -> String {
        let mut text = String::new();
        if std::mem::take(&mut self.is_of_other_run) {
            text.push_str("data: {\"event\":\"other_run\"}\n\n");
        }
        if reading.missed > 0 {
            let missed = reading.missed;
            let _ = write!(text, "data: {{\"event\":\"missed\",\"count\":{missed}}}\n\n");
            self.position.set(self.position.get() + missed);
        }
        for (number, event) in &reading.events {
            let _ = write!(text, "id: {}\ndata: {event}\n\n", self.log.id(*number));
            self.position.set(*number);
        }
        text
    }

    /// Watches whether the client takes what waits for it, and gives its connection up if it
    /// doesn't. The stream can't do that, as nobody polls it then.
    fn watch(&mut self, connection: Rc<Connection>) {
        let (watched, over) = oneshot::channel::<Infallible>();
        self.watched = Some(watched);
        let (log, client) = (self.log.clone(), self.client.clone());
        let position = Rc::clone(&self.position);
        actix_web::rt::spawn(async move {
            let stalled = async {
                tokio::select! {
                    () = client.0.cancelled() => sleep(GONE_WITHIN).await,
                    () = stalled(&log, &position) => {}
                }
            };
            tokio::select! {
                biased;
                _ = over => {}
                () = stalled => connection.give_up(),
            }
        });
    }
}

/// Waits until a client has taken nothing for a while, though events wait for it.
async fn stalled(log: &EventLog, position: &Cell<u64>) {
    loop {
        let before = position.get();
        let waits = *log.last().borrow() > before;
        sleep(STALLED_AFTER).await;
        if waits && position.get() == before {
            return;
        }
    }
}
