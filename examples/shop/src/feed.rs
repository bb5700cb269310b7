//! The live feed: server-sent events, which resume at the point where a client left off.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, Responder, get};
use futures_util::stream::unfold;
use jiff::Timestamp;
use lifecycle_runtime::{Dep, Stop};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::auth::{Granted, ReadOrders};
use crate::clock::clock;
use crate::events::{self, Event, latest_event};
use crate::problem::{Invalid, Problem, Refusal};
use crate::store::{Store, db};

/// Time after which something is sent in any case, so that proxies can see that the connection is
/// alive.
const BEAT: Duration = Duration::from_secs(15);

/// First event of a stream: the milliseconds that a client waits before it connects again.
const HELLO: &str = "retry: 500\n\n";

const BATCH: usize = 100;

/// Follows orders as they are placed.
///
/// A customer follows their own; an admin sees all. The answer is a stream of server-sent events,
/// each with the number of the event as its `id`. A client that comes back with `Last-Event-ID`
/// misses nothing; one without begins with what comes next. The stream ends when the shop stops and
/// when the token expires: come again.
#[utoipa::path(
    tag = "orders",
    params((
        "last-event-id" = Option<i64>,
        Header,
        description = "The `id` of the last event that the client has seen",
        minimum = 0
    )),
    security(("password" = ["orders:read"])),
    responses(
        (
            status = OK,
            description = "The events, one `order.placed` for each order, as long as \
                           the client stays",
            content_type = "text/event-stream",
            body = String,
            example = "retry: 500\n\nid: 1\nevent: order.placed\n\
                       data: {\"id\":1,\"items\":[{\"product\":1,\"quantity\":2}],\
                       \"note\":\"ring twice\",\"total\":900,\
                       \"created_at\":\"2026-11-23T02:02:07.634Z\"}\n\n"
        ),
        (status = UNAUTHORIZED, body = Refusal),
        (status = FORBIDDEN, body = Refusal),
        (
            status = UNPROCESSABLE_ENTITY,
            body = Invalid,
            example = json!({ "detail": [{
                "loc": ["header", "last-event-id"],
                "msg": "has to be the id of an event",
                "type": "int_parsing",
            }] })
        ),
    )
)]
#[get("/orders/events")]
pub async fn follow_orders(
    customer: Granted<ReadOrders>,
    request: HttpRequest,
    db: Dep<db>,
    latest_event: Dep<latest_event>,
    clock: Dep<clock>,
    stop: Stop,
) -> Result<impl Responder, Problem> {
    let latest_event = latest_event.subscribe();
    let seen = match request.headers().get("last-event-id") {
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|seq| *seq >= 0)
            .ok_or_else(|| {
                Problem::invalid(
                    &["header", "last-event-id"],
                    "int_parsing",
                    "has to be the id of an event",
                )
            })?,
        None => events::last(&db).await?,
    };
    let feed = Feed {
        db,
        latest_event,
        stop,
        user: customer.sees(),
        until: customer.until,
        clock,
        seen,
        waiting: VecDeque::new(),
        beat: Instant::now() + BEAT,
    };
    let hello =
        futures_util::stream::iter([Ok::<_, Problem>(Bytes::from_static(HELLO.as_bytes()))]);
    let events =
        unfold(feed, |mut feed| async move { feed.next().await.map(|bytes| (Ok(bytes), feed)) });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A compressor would hold events back until it has enough of them.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(futures_util::StreamExt::chain(hello, events)))
}

/// Stream of one client.
struct Feed {
    db: Dep<db>,
    latest_event: watch::Receiver<i64>,
    stop: Stop,
    user: Option<i64>,
    /// Time at which the client's token expires.
    until: Timestamp,
    clock: Dep<clock>,
    seen: i64,
    waiting: VecDeque<Event>,
    beat: Instant,
}

impl Feed {
    /// Returns the next part of the stream; `None` once the shop stops or the token has expired.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.beat = Instant::now() + BEAT;
                return Some(Bytes::from(text(&event)));
            }
            if self.stop.is_requested() || self.clock.now() >= self.until {
                return None;
            }
            self.latest_event.mark_unchanged();
            match self.read().await {
                Ok(()) if !self.waiting.is_empty() => continue,
                Ok(()) => {}
                Err(error) => tracing::warn!("the feed can't be read: {error}"),
            }
            let changed = events::changed(&mut self.latest_event, &self.stop);
            if timeout_at(self.beat, changed).await.is_err() {
                self.beat = Instant::now() + BEAT;
                return Some(Bytes::from_static(b": still here\n\n"));
            }
        }
    }

    async fn read(&mut self) -> sqlx::Result<()> {
        let store: &Store = &self.db;
        // This is read first: the next statement sees every event up to this number.
        let last = events::last(store).await?;
        if last == self.seen {
            return Ok(());
        }
        let events = events::since(store, self.seen, self.user, BATCH as i64).await?;
        let seen = events.last().map_or(self.seen, |event| event.seq);
        // Other customers' events need not be looked at again.
        self.seen = if events.len() < BATCH { seen.max(last) } else { seen };
        self.waiting.extend(events);
        Ok(())
    }
}

/// Formats an event. JSON has no line breaks of its own, so one `data:` is enough.
fn text(event: &Event) -> String {
    let Event { seq, kind, body, .. } = event;
    format!("id: {seq}\nevent: {kind}\ndata: {body}\n\n")
}
